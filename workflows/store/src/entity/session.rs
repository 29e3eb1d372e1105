//! A login on one device.

use sea_orm::entity::prelude::*;

use crate::instant::Micros;

/// One row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub refresh_hash: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub previous_hash: Option<String>,
    pub created_at: Micros,
    pub last_used_at: Micros,
    pub expires_at: Micros,
    pub idle_expires_at: Micros,
    pub revoked_at: Option<Micros>,
    #[sea_orm(column_type = "Text", nullable)]
    pub revoked_why: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub user_agent: Option<String>,
}

/// Related rows are asked for by name in the module of their area.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
