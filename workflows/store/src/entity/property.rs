//! A home that is offered.

use sea_orm::entity::prelude::*;

use crate::instant::Micros;

/// One row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "property")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub host_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub title: String,
    #[sea_orm(column_type = "Text")]
    pub description: String,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub city: String,
    #[sea_orm(column_type = "Text")]
    pub country: String,
    pub latitude: f64,
    pub longitude: f64,
    #[sea_orm(column_type = "Text")]
    pub time_zone: String,
    pub capacity: i32,
    pub infants_max: i32,
    pub pets_max: i32,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub nightly_minor: i64,
    pub weekend_minor: Option<i64>,
    pub cleaning_minor: i64,
    pub pets_minor: Option<i64>,
    pub weekly_discount_bp: i32,
    pub monthly_discount_bp: i32,
    #[sea_orm(column_type = "Text")]
    pub policy: String,
    #[sea_orm(column_type = "Text")]
    pub long_policy: String,
    pub instant_book: bool,
    #[sea_orm(column_type = "Text")]
    pub check_in_time: String,
    #[sea_orm(column_type = "Text")]
    pub check_out_time: String,
    pub min_nights: i32,
    pub max_nights: i32,
    pub advance_days: i32,
    pub window_days: i32,
    pub prep_nights: i32,
    pub version: i64,
    pub created_at: Micros,
    pub updated_at: Micros,
}

/// Related rows are asked for by name in the module of their area.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
