//! Messages from outside: accepted with their signature checked, worked on later, each once.

use domain::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany};

use crate::entity::webhook_inbox::{ActiveModel, Column, Entity, Model};
use crate::error::{Result, Unreadable};
use crate::instant::Micros;

/// A message that waits to be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Who sent it.
    pub provider: String,
    /// What the sender calls it; the same id is the same message.
    pub event_id: String,
    /// The bytes that were signed.
    pub body: String,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// How often work on it failed.
    pub attempts: u32,
}

impl TryFrom<Model> for Waiting {
    type Error = Unreadable;

    fn try_from(row: Model) -> std::result::Result<Self, Unreadable> {
        Ok(Self {
            provider: row.provider,
            event_id: row.event_id,
            body: row.body,
            received_at: row.received_at.try_into()?,
            attempts: crate::read::count("attempts", row.attempts)?,
        })
    }
}

/// Accepts a message; false when it was accepted before.
pub async fn accept(conn: &impl ConnectionTrait, message: &Waiting) -> std::result::Result<bool, DbErr> {
    let Waiting { provider, event_id, body, received_at, .. } = message.clone();
    let row = ActiveModel {
        provider: Set(provider),
        event_id: Set(event_id),
        body: Set(body),
        received_at: Set(received_at.into()),
        processed_at: Set(None),
        attempts: Set(0),
    };
    let insert = Entity::insert_many([row]).on_conflict_do_nothing();
    match insert.exec_without_returning(conn).await? {
        sea_orm::TryInsertResult::Inserted(rows) => Ok(rows == 1),
        sea_orm::TryInsertResult::Empty | sea_orm::TryInsertResult::Conflicted => Ok(false),
    }
}

/// The messages that wait longest, at most so many. Nobody else gets them until the end of the transaction: two who work on the same
/// one at the same time would tell its run twice, and a unique key would end the work of the second.
pub async fn waiting(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<Waiting>> {
    let rows = Entity::find()
        .filter(Column::ProcessedAt.is_null())
        .order_by_asc(Column::ReceivedAt)
        .order_by_asc(Column::Provider)
        .order_by_asc(Column::EventId)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let read = |row: Model| Waiting::try_from(row).map_err(|why| why.of("webhook_inbox"));
    rows.all(conn).await?.into_iter().map(read).collect()
}

fn one(provider: &str, event_id: &str) -> UpdateMany<Entity> {
    Entity::update_many().filter(Column::Provider.eq(provider)).filter(Column::EventId.eq(event_id))
}

/// Notes that a message was worked on; false when there is no such message.
pub async fn processed(
    conn: &impl ConnectionTrait,
    provider: &str,
    event_id: &str,
    at: Timestamp,
) -> std::result::Result<bool, DbErr> {
    let done = one(provider, event_id).col_expr(Column::ProcessedAt, Expr::value(Micros::from(at)));
    Ok(done.exec(conn).await?.rows_affected == 1)
}

/// Notes that work on a message failed; it goes on waiting.
pub async fn failed(conn: &impl ConnectionTrait, provider: &str, event_id: &str) -> std::result::Result<bool, DbErr> {
    let again = one(provider, event_id).col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1));
    Ok(again.exec(conn).await?.rows_affected == 1)
}

/// Forgets the messages that were worked on and accepted before that instant, and says how many.
pub async fn forget_before(conn: &impl ConnectionTrait, instant: Timestamp) -> std::result::Result<u64, DbErr> {
    let old = Entity::delete_many()
        .filter(Column::ProcessedAt.is_not_null())
        .filter(Column::ReceivedAt.lt(Micros::from(instant)));
    Ok(old.exec(conn).await?.rows_affected)
}
