//! Photographs of homes: where their files are, and how far their processing is.

use std::collections::BTreeMap;

use domain::{ImageId, PropertyId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, Select};
use serde::{Deserialize, Serialize};

use crate::entity::property;
use crate::entity::property_image::{ActiveModel, Column, Entity, Model};
use crate::error::{Result, Unreadable};
use crate::read;
use crate::words::ImageStatus;

/// A photograph of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Which photograph; also the id of its run.
    pub id: ImageId,
    /// Of which home.
    pub property: PropertyId,
    /// How far it is.
    pub status: ImageStatus,
    /// Its place among the home's photographs, from 0.
    pub position: u16,
    /// What it shows.
    pub caption: Option<String>,
    /// What kind of file was announced.
    pub content_type: String,
    /// How many bytes were announced.
    pub bytes: u64,
    /// What was found in the file, once it is ready.
    pub found: Option<Found>,
    /// Its sizes, once it is ready.
    pub variants: Vec<Variant>,
    /// Why it is no photograph that we take: a stable word.
    pub failure: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// The last change.
    pub updated_at: Timestamp,
}

/// What was found in a photograph's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file's hash, in hexadecimal digits.
    pub sha256: String,
    /// Across, after turning it upright.
    pub width: u32,
    /// Down.
    pub height: u32,
    /// A few characters that stand for it while it loads.
    pub blurhash: String,
}

/// A photograph in one size and format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Such as `320.webp`.
    pub name: String,
    /// Where the object store has it.
    pub key: String,
    /// What kind of file.
    pub content_type: String,
    /// Across.
    pub width: u32,
    /// Down.
    pub height: u32,
    /// How large the file is.
    pub bytes: u64,
}

impl TryFrom<Model> for Image {
    type Error = Unreadable;

    fn try_from(row: Model) -> std::result::Result<Self, Unreadable> {
        let found = match (row.sha256, row.width, row.height, row.blurhash) {
            (Some(sha256), Some(width), Some(height), Some(blurhash)) => Some(Found {
                sha256,
                width: read::count("width", width)?,
                height: read::count("height", height)?,
                blurhash,
            }),
            _ => None,
        };
        Ok(Self {
            id: ImageId::from_uuid(row.id),
            property: PropertyId::from_uuid(row.property_id),
            status: read::word("status", &row.status)?,
            position: read::count("position", row.position)?,
            caption: row.caption,
            content_type: row.content_type,
            bytes: u64::try_from(row.bytes).map_err(Unreadable::column("bytes"))?,
            found,
            variants: read::from_json("variants", &row.variants)?,
            failure: row.failure,
            created_at: row.created_at.try_into()?,
            updated_at: row.updated_at.try_into()?,
        })
    }
}

/// What a column cannot hold is cut: no photograph that passed its limits comes near.
fn column(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl From<&Image> for ActiveModel {
    fn from(image: &Image) -> Self {
        let Image { id, property, status, position, caption, content_type, bytes, .. } = image.clone();
        let Image { found, variants, failure, created_at, updated_at, .. } = image.clone();
        Self {
            id: Set(id.uuid()),
            property_id: Set(property.uuid()),
            status: Set(status.to_string()),
            position: Set(position.into()),
            caption: Set(caption),
            content_type: Set(content_type),
            bytes: Set(i64::try_from(bytes).unwrap_or(i64::MAX)),
            sha256: Set(found.as_ref().map(|found| found.sha256.clone())),
            width: Set(found.as_ref().map(|found| column(found.width))),
            height: Set(found.as_ref().map(|found| column(found.height))),
            blurhash: Set(found.map(|found| found.blurhash)),
            variants: Set(read::to_json(&variants)),
            failure: Set(failure),
            created_at: Set(created_at.into()),
            updated_at: Set(updated_at.into()),
        }
    }
}

/// Writes how far photographs are, for many runs at once; position and caption are the host's and stay.
pub async fn put(conn: &impl ConnectionTrait, images: &[Image]) -> std::result::Result<(), DbErr> {
    let of_the_run = [
        Column::Status,
        Column::Sha256,
        Column::Width,
        Column::Height,
        Column::Blurhash,
        Column::Variants,
        Column::Failure,
        Column::UpdatedAt,
    ];
    let upsert = OnConflict::column(Column::Id).update_columns(of_the_run).to_owned();
    let rows = Entity::insert_many(images.iter().map(ActiveModel::from)).on_conflict(upsert);
    rows.exec_without_returning(conn).await.map(|_| ())
}

fn read_image(row: Model) -> Result<Image> {
    Image::try_from(row).map_err(|why| why.of("property_image"))
}

async fn in_order(conn: &impl ConnectionTrait, rows: Select<Entity>) -> Result<Vec<Image>> {
    let rows = rows.order_by_asc(Column::PropertyId).order_by_asc(Column::Position).order_by_asc(Column::Id);
    rows.all(conn).await?.into_iter().map(read_image).collect()
}

fn host_owns(host: UserId) -> Expr {
    let own = Query::select()
        .column(property::Column::Id)
        .from(property::Entity)
        .and_where(property::Column::HostId.eq(host.uuid()))
        .to_owned();
    Column::PropertyId.in_subquery(own)
}

/// One photograph of one of a host's homes.
pub async fn of_host(
    conn: &impl ConnectionTrait,
    host: UserId,
    property: PropertyId,
    id: ImageId,
) -> Result<Option<Image>> {
    let own = Entity::find_by_id(id.uuid()).filter(Column::PropertyId.eq(property.uuid())).filter(host_owns(host));
    own.one(conn).await?.map(read_image).transpose()
}

/// Every photograph of one of a host's homes, in their order, whatever their status.
pub async fn list_of_host(conn: &impl ConnectionTrait, host: UserId, property: PropertyId) -> Result<Vec<Image>> {
    in_order(conn, Entity::find().filter(Column::PropertyId.eq(property.uuid())).filter(host_owns(host))).await
}

/// The photographs that everybody may see of these homes, in their order.
pub async fn ready(conn: &impl ConnectionTrait, properties: &[PropertyId]) -> Result<BTreeMap<PropertyId, Vec<Image>>> {
    let rows = Entity::find()
        .filter(Column::PropertyId.is_in(properties.iter().map(|property| property.uuid())))
        .filter(Column::Status.eq(ImageStatus::Ready.as_str()));
    let mut by_home: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for image in in_order(conn, rows).await? {
        by_home.entry(image.property).or_default().push(image);
    }
    Ok(by_home)
}

/// A photograph whoever asks: for the product's own work.
pub async fn of_anybody(conn: &impl ConnectionTrait, id: ImageId) -> Result<Option<Image>> {
    Entity::find_by_id(id.uuid()).one(conn).await?.map(read_image).transpose()
}
