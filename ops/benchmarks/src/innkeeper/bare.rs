//! What the database does without an engine: the rows of an enqueue by bare SQL, and SQLite's bare commits.

use super::enqueue::{ORDER, by_callers};
use super::house::{House, next_run};
use super::{count, setting};
use crate::phase::Phase;
use anyhow::Result;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TransactionTrait, Value};

const RUN: &str = "insert into workflow_run values ($1, 'job', $2, null, $3, $4, 'Waiting', 1, 0, 0, 0, $5, $6, $6)";
const JOURNAL: &str = "insert into workflow_journal
    values ($1, 'start', 0, $2, 0, '\"start\"', '', 'Waiting', null, 1, 0, null, null, null, null, null, $3, $4)";
const WORK: &str = "insert into workflow_work
    (run, seq, n, kind, scope, workflow, queue, name, payload, due, not_before, attempt, failures)
    values ($1, 0, 0, 0, 0, 'job', 'bare', 'Work', '\"Work\"', $2, $2, 0, 0)";

/// The rows of [`super::enqueue`], inserted one after the other in a transaction by whoever knows what they have to be.
pub(super) async fn enqueue(house: &House) -> Result<()> {
    let databases = house.databases().await?;
    let total = count(setting::ENQUEUES)?;
    let phase = Phase::begin("bare");
    let db = databases.write().pool().clone();
    by_callers(setting::CALLERS, total, move |number| one(db.clone(), number)).await?;
    phase.done(total);
    // The backlog that is drained next is only of our own making.
    databases.write().execute_unprepared("delete from workflow_work where queue = 'bare'").await?;
    Ok(())
}

async fn one(db: DatabaseConnection, number: u64) -> Result<()> {
    let (run, at, digest): (Value, Value, Value) = (next_run().uuid().into(), 1i64.into(), vec![7u8; 16].into());
    let hash: Value = vec![7u8; 32].into();
    let id = 1_000_000_000 + i64::try_from(number)?;
    #[expect(clippy::disallowed_methods, reason = "this is what the engine is compared with, and nobody drops it")]
    let tx = db.begin().await?;
    let input = format!("{{\"number\":{number}}}");
    let key = format!("bare {number}");
    let rows: [(&str, Vec<Value>); 4] = [
        (ORDER, vec![id.into(), run.clone()]),
        (RUN, vec![run.clone(), key.into(), input.into(), "\"Waiting\"".into(), hash.clone(), at.clone()]),
        (JOURNAL, vec![run.clone(), at.clone(), digest, hash]),
        (WORK, vec![run, at]),
    ];
    for (sql, values) in rows {
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// One row per commit, one commit after the other: SQLite has one writer.
pub(super) async fn commits(house: &House) -> Result<()> {
    let databases = house.databases().await?;
    let db = databases.write();
    let total = count(setting::ENQUEUES)?;
    let phase = Phase::begin("commits");
    for number in 0..total {
        let values = [(2_000_000_000 + i64::try_from(number)?).into(), next_run().uuid().into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), ORDER, values)).await?;
    }
    phase.done(total);
    Ok(())
}
