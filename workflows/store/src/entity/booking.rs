//! A booking as people read it: a projection of its run.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::instant::Micros;

/// One row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "booking")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub property_id: Uuid,
    pub guest_id: Uuid,
    pub host_id: Uuid,
    pub check_in: NaiveDate,
    pub check_out: NaiveDate,
    #[sea_orm(column_type = "Text")]
    pub guests: String,
    pub prep_nights: i32,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    #[sea_orm(column_type = "Text")]
    pub phase: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub total_minor: i64,
    pub refunded_minor: i64,
    pub payment_id: Option<Uuid>,
    pub quote_id: Uuid,
    pub hold_expires_at: Option<Micros>,
    pub host_deadline: Option<Micros>,
    #[sea_orm(column_type = "Text", nullable)]
    pub client_reference: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub message: Option<String>,
    pub created_at: Micros,
    pub updated_at: Micros,
    pub seq: i32,
}

/// Related rows are asked for by name in the module of their area.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
