//! Single statements, as they are asked outside a turn.

use super::{real_clock, statement};
use crate::{RunId, WorkId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Value};

/// Business time in SQL.
pub(crate) fn clock(backend: DbBackend) -> String {
    format!("({} + (select offset_us from business_clock))", real_clock(backend))
}

pub(crate) async fn execute(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
    Ok(db.execute_raw(statement(db.get_database_backend(), sql, values)).await?.rows_affected())
}

pub(crate) async fn query(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all_raw(statement(db.get_database_backend(), sql, values)).await
}

pub(crate) fn named(work: WorkId) -> Vec<Value> {
    vec![work.run.uuid().into(), work.seq.into(), work.n.into()]
}

/// Locks a run as a turn would; `false` when there is none.
pub(crate) async fn lock(db: &impl ConnectionTrait, run: RunId) -> Result<bool, DbErr> {
    let wait = if db.get_database_backend() == DbBackend::Sqlite { "" } else { " for update" };
    let sql = format!("select id from workflow_run where id = $1{wait}");
    Ok(!query(db, &sql, vec![run.uuid().into()]).await?.is_empty())
}

/// Errors are for people: a kilobyte tells enough.
pub(crate) fn clipped(why: &str) -> String {
    why.chars().take(1000).collect()
}
