//! A photograph of a home.

use sea_orm::entity::prelude::*;

use crate::instant::Micros;

/// One row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "property_image")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub property_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    pub position: i32,
    #[sea_orm(column_type = "Text", nullable)]
    pub caption: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub content_type: String,
    pub bytes: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub sha256: Option<String>,
    pub width: Option<i32>,
    pub height: Option<i32>,
    #[sea_orm(column_type = "Text", nullable)]
    pub blurhash: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub variants: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub failure: Option<String>,
    pub created_at: Micros,
    pub updated_at: Micros,
}

/// Related rows are asked for by name in the module of their area.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
