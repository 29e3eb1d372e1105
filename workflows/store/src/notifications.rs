//! What people were told. The text is rendered when it is sent; here is only that, about what and how it went.

use domain::{BookingId, NotificationId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use crate::entity::notification::{ActiveModel, Column, Entity, Model};
use crate::error::{Result, Unreadable};
use crate::instant::{Micros, maybe};
use crate::page::Page;
use crate::read;
use crate::words::NotificationStatus;

/// A message to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Which message; also the id of its run.
    pub id: NotificationId,
    /// To whom.
    pub user: UserId,
    /// Which letter: a stable word.
    pub letter: String,
    /// About which booking.
    pub booking: Option<BookingId>,
    /// Where it stands.
    pub status: NotificationStatus,
    /// Since when.
    pub created_at: Timestamp,
    /// When the person said they had read it.
    pub read_at: Option<Timestamp>,
}

impl TryFrom<Model> for Notification {
    type Error = Unreadable;

    fn try_from(row: Model) -> std::result::Result<Self, Unreadable> {
        Ok(Self {
            id: NotificationId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            letter: row.letter,
            booking: row.booking_id.map(BookingId::from_uuid),
            status: read::word("status", &row.status)?,
            created_at: row.created_at.try_into()?,
            read_at: maybe(row.read_at)?,
        })
    }
}

impl From<&Notification> for ActiveModel {
    fn from(notification: &Notification) -> Self {
        let Notification { id, user, letter, booking, status, created_at, read_at } = notification.clone();
        Self {
            id: Set(id.uuid()),
            user_id: Set(user.uuid()),
            letter: Set(letter),
            booking_id: Set(booking.map(BookingId::uuid)),
            status: Set(status.to_string()),
            created_at: Set(created_at.into()),
            read_at: Set(read_at.map(Micros::from)),
        }
    }
}

/// Writes where messages stand, for many runs at once; whether one was read is the person's and stays.
pub async fn put(conn: &impl ConnectionTrait, notifications: &[Notification]) -> std::result::Result<(), DbErr> {
    let upsert = OnConflict::column(Column::Id).update_columns([Column::Status]).to_owned();
    let rows = Entity::insert_many(notifications.iter().map(ActiveModel::from)).on_conflict(upsert);
    rows.exec_without_returning(conn).await.map(|_| ())
}

fn read_notification(row: Model) -> Result<Notification> {
    Notification::try_from(row).map_err(|why| why.of("notification"))
}

/// One of a person's messages.
pub async fn of_user(conn: &impl ConnectionTrait, user: UserId, id: NotificationId) -> Result<Option<Notification>> {
    let own = Entity::find_by_id(id.uuid()).filter(Column::UserId.eq(user.uuid()));
    own.one(conn).await?.map(read_notification).transpose()
}

/// A person's messages, newest first.
pub async fn list_of_user(conn: &impl ConnectionTrait, user: UserId, page: &Page) -> Result<Vec<Notification>> {
    let own = Entity::find().filter(Column::UserId.eq(user.uuid()));
    page.of(own, Column::CreatedAt, Column::Id).all(conn).await?.into_iter().map(read_notification).collect()
}

/// Notes that a person has read one of their messages; false when it is not theirs. Said again, the first time stays.
pub async fn mark_read(
    conn: &impl ConnectionTrait,
    user: UserId,
    id: NotificationId,
    at: Timestamp,
) -> std::result::Result<bool, DbErr> {
    let first = Expr::col(Column::ReadAt).if_null(Micros::from(at).0);
    let update = Entity::update_many()
        .col_expr(Column::ReadAt, first)
        .filter(Column::Id.eq(id.uuid()))
        .filter(Column::UserId.eq(user.uuid()));
    Ok(update.exec(conn).await?.rows_affected == 1)
}
