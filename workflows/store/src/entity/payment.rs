//! What a guest pays for one booking: a projection of its run.

use sea_orm::entity::prelude::*;

use crate::instant::Micros;

/// One row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub booking_id: Uuid,
    pub guest_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub amount_minor: i64,
    pub captured_minor: i64,
    pub refunded_minor: i64,
    #[sea_orm(column_type = "Text")]
    pub provider: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub intent: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub action_url: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub decline_code: Option<String>,
    pub capture_before: Option<Micros>,
    pub created_at: Micros,
    pub updated_at: Micros,
}

/// Related rows are asked for by name in the module of their area.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
