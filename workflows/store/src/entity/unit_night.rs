//! A night that is taken: its key is what forbids a double booking.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::instant::Micros;

/// One row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "unit_night")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub night: NaiveDate,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    pub booking_id: Option<Uuid>,
    pub hold_expires_at: Option<Micros>,
}

/// Related rows are asked for by name in the module of their area.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
