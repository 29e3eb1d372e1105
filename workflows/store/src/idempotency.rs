//! Answers to requests that may be repeated, written by the transaction that they answer for.
//!
//! [`claim`] comes first in that transaction: of two requests with one key only one goes on, and the other learns at once that
//! it is in flight. There is no row before there is an answer, so a request that died leaves nothing behind to clean up.

use domain::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, Statement};

use crate::entity::idempotency_key::{ActiveModel, Column, Entity, Model};
use crate::error::{Result, Unreadable};
use crate::instant::Micros;

/// What makes two requests the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Who asks.
    pub caller: String,
    /// Where, such as `POST /bookings`.
    pub route: String,
    /// The caller's own key.
    pub key: String,
}

/// A stored answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// The hash of the body that was answered.
    pub body_hash: String,
    /// The status code.
    pub status: u16,
    /// The headers, as the caller of this crate writes them.
    pub headers: String,
    /// The body, byte for byte.
    pub body: String,
    /// When, by the database's own clock.
    pub created_at: Timestamp,
}

/// What a request with a key finds.
#[derive(Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody was here until this instant of the database's own clock: do it, and store the answer in this transaction.
    ///
    /// How old an answer is is asked of that clock, too: no machine that is wrong about the time keeps or loses answers by it.
    Fresh(Timestamp),
    /// Another request with this key is being answered.
    InFlight,
    /// It was answered before.
    Answered(Box<Stored>),
}

/// One key at a time: the lock lasts as long as the transaction, and is not waited for. What the clock says comes with it.
const POSTGRES_TRY_LOCK: &str = "select pg_try_advisory_xact_lock(hashtextextended($1, 1)) as free, (extract(epoch from clock_timestamp()) * 1000000)::int8 as now";
/// Writers are alone: only the clock.
const SQLITE_CLOCK: &str = "select 1 as free, cast(unixepoch('subsec') * 1000 as integer) * 1000 as now";

/// Says whether this request is the first with its key. Call it inside the transaction that will [`store`] the answer.
///
/// On SQLite writing transactions are alone, so nothing is ever in flight.
pub async fn claim(conn: &impl ConnectionTrait, key: &Key) -> Result<Claim> {
    let Some(now) = enter(conn, key).await? else { return Ok(Claim::InFlight) };
    Ok(match lookup(conn, key).await? {
        Some(stored) => Claim::Answered(Box::new(stored)),
        None => Claim::Fresh(now),
    })
}

/// Takes the key's lock and reads the clock; `None` when somebody else has the lock.
async fn enter(conn: &impl ConnectionTrait, key: &Key) -> Result<Option<Timestamp>> {
    let Key { caller, route, key } = key;
    // A caller's key may hold any character but this one, so no two keys are spelled alike.
    let name = format!("{caller}\u{1}{route}\u{1}{key}");
    let statement = match conn.get_database_backend() {
        DbBackend::Sqlite => Statement::from_string(DbBackend::Sqlite, SQLITE_CLOCK),
        backend => Statement::from_sql_and_values(backend, POSTGRES_TRY_LOCK, [name.into()]),
    };
    let row = conn.query_one_raw(statement).await?.ok_or_else(|| DbErr::RecordNotFound("the clock".to_owned()))?;
    let (free, now): (bool, i64) = (row.try_get("", "free")?, row.try_get("", "now")?);
    let now = Micros(now).try_into().map_err(|why: Unreadable| why.of("the clock"))?;
    Ok(free.then_some(now))
}

/// The answer that was stored under this key, if there is one.
pub async fn lookup(conn: &impl ConnectionTrait, key: &Key) -> Result<Option<Stored>> {
    let Key { caller, route, key } = key.clone();
    let row = Entity::find_by_id((caller, route, key)).one(conn).await?;
    row.map(|row| Stored::try_from(row).map_err(|why| why.of("idempotency_key"))).transpose()
}

impl TryFrom<Model> for Stored {
    type Error = Unreadable;

    fn try_from(row: Model) -> std::result::Result<Self, Unreadable> {
        Ok(Self {
            body_hash: row.body_hash,
            status: u16::try_from(row.status).map_err(Unreadable::column("status"))?,
            headers: row.headers,
            body: row.body,
            created_at: row.created_at.try_into()?,
        })
    }
}

/// Stores an answer; [`Taken`](crate::Class::Taken) when the key has one.
pub async fn store(conn: &impl ConnectionTrait, key: &Key, answer: &Stored) -> std::result::Result<(), DbErr> {
    let Key { caller, route, key } = key.clone();
    let Stored { body_hash, status, headers, body, created_at } = answer.clone();
    let row = ActiveModel {
        caller: Set(caller),
        route: Set(route),
        key: Set(key),
        body_hash: Set(body_hash),
        status: Set(status.into()),
        headers: Set(headers),
        body: Set(body),
        created_at: Set(created_at.into()),
    };
    Entity::insert(row).exec_without_returning(conn).await.map(|_| ())
}

/// Forgets the answers that were given before that instant, and says how many.
pub async fn forget_before(conn: &impl ConnectionTrait, instant: Timestamp) -> std::result::Result<u64, DbErr> {
    let old = Column::CreatedAt.lt(Micros::from(instant));
    Ok(Entity::delete_many().filter(old).exec(conn).await?.rows_affected)
}
