//! A price that was promised.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::instant::Micros;

/// One row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "quote")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub guest_id: Uuid,
    pub property_id: Uuid,
    pub check_in: NaiveDate,
    pub check_out: NaiveDate,
    #[sea_orm(column_type = "Text")]
    pub guests: String,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub total_minor: i64,
    #[sea_orm(column_type = "Text")]
    pub body: String,
    #[sea_orm(column_type = "Text")]
    pub hash: String,
    pub expires_at: Micros,
    pub created_at: Micros,
}

/// Related rows are asked for by name in the module of their area.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
