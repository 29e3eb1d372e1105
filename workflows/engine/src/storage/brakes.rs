//! The rows of the brakes: read as a whole, changed one at a time under a lock.

use super::schema::LEASED;
use super::{instant, real_clock, statement};
use crate::brake::{Breaker, Bucket};
use crate::salvage::{Salvage, spelled};
use crate::{Paused, Target};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Value};
use std::collections::BTreeSet;

/// Kinds of targets, as stored.
const QUEUE: i16 = 0;
const WORKFLOW: i16 = 1;
const PARTY: i16 = 2;

const COLUMNS: &str = "cast(b.kind as integer), b.name, b.paused_at, b.paused_by, b.paused_why, b.failures, b.failing_since, b.openings, b.open_until, b.probed_at, b.tokens, b.filled_at, b.most";

/// A brake as stored.
#[derive(Clone, Debug)]
pub(crate) struct BrakeRow {
    pub(crate) target: Target,
    pub(crate) paused: Option<Paused>,
    pub(crate) breaker: Breaker,
    pub(crate) bucket: Option<Bucket>,
    /// How much of a queue may be in hands at once, in all processes together.
    pub(crate) most: Option<i32>,
}

impl BrakeRow {
    /// A brake that holds nothing.
    pub(crate) fn released(target: Target) -> Self {
        Self { target, paused: None, breaker: Breaker::default(), bucket: None, most: None }
    }
}

/// All brakes at one instant.
pub(crate) struct Read {
    pub(crate) version: i32,
    /// The lease clock.
    pub(crate) now: i64,
    pub(crate) rows: Vec<BrakeRow>,
}

fn key(target: &Target) -> [Value; 2] {
    let (kind, name) = match target {
        Target::Queue(name) => (QUEUE, name),
        Target::Workflow(name) => (WORKFLOW, name),
        Target::Party(name) => (PARTY, name),
    };
    [kind.into(), name.as_str().into()]
}

/// Reads a brake from the columns beginning at `at`; `None` when there is none.
fn brake_row(row: &QueryResult, at: usize) -> Result<Option<BrakeRow>, DbErr> {
    let Some(kind) = row.try_get_by_index::<Option<i32>>(at)? else { return Ok(None) };
    let name: String = row.try_get_by_index(at + 1)?;
    let target = match kind {
        k if k == i32::from(QUEUE) => Target::Queue(name),
        k if k == i32::from(WORKFLOW) => Target::Workflow(name),
        _ => Target::Party(name),
    };
    let paused = match row.try_get_by_index::<Option<i64>>(at + 2)? {
        Some(since) => Some(Paused {
            by: row.try_get_by_index(at + 3)?,
            why: row.try_get_by_index(at + 4)?,
            since: instant(since),
        }),
        None => None,
    };
    let breaker = Breaker {
        failures: row.try_get_by_index(at + 5)?,
        failing_since: row.try_get_by_index(at + 6)?,
        openings: row.try_get_by_index(at + 7)?,
        open_until: row.try_get_by_index(at + 8)?,
        probed_at: row.try_get_by_index(at + 9)?,
    };
    let tokens: Option<f64> = row.try_get_by_index(at + 10)?;
    let filled_at: Option<i64> = row.try_get_by_index(at + 11)?;
    let bucket = tokens.zip(filled_at).map(|(tokens, filled_at)| Bucket { tokens, filled_at });
    Ok(Some(BrakeRow { target, paused, breaker, bucket, most: row.try_get_by_index(at + 12)? }))
}

/// Reads every brake.
pub(crate) async fn read(db: &impl ConnectionTrait) -> Result<Read, DbErr> {
    let mut read = Read { version: 0, now: 0, rows: vec![] };
    for row in all(db).await? {
        (read.version, read.now) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        read.rows.extend(brake_row(&row, 2)?);
    }
    Ok(read)
}

/// Reads the brakes that can be read; the others are noted by their name.
pub(crate) async fn salvage(db: &impl ConnectionTrait, salvage: &mut Salvage) -> Result<Read, DbErr> {
    let rows = all(db).await?;
    let now = rows.first().map_or(Ok(0), |row| row.try_get_by_index(1))?;
    let read = salvage.rows(&rows, |row| spelled(row, 3), |row| brake_row(row, 2));
    Ok(Read { version: 0, now, rows: read.into_iter().flatten().collect() })
}

async fn all(db: &impl ConnectionTrait) -> Result<Vec<QueryResult>, DbErr> {
    let backend = db.get_database_backend();
    let sql = format!(
        "select o.brakes, {}, {COLUMNS} from business_clock o left join workflow_brake b on true",
        real_clock(backend)
    );
    db.query_all_raw(statement(backend, &sql, vec![])).await
}

/// Which of these queues have work of lanes.
pub(crate) async fn laned(db: &impl ConnectionTrait, queues: &[&'static str]) -> Result<BTreeSet<String>, DbErr> {
    let backend = db.get_database_backend();
    let (queue, listed, names): (_, _, Value) = match backend {
        DbBackend::Sqlite => {
            ("q.value", "json_each($1) q", serde_json::Value::from(queues.to_vec()).to_string().into())
        }
        _ => {
            ("q.name", "unnest($1::text[]) q(name)", queues.iter().map(|q| (*q).to_owned()).collect::<Vec<_>>().into())
        }
    };
    let sql = format!(
        "select {queue} from {listed} where exists (select 1 from workflow_work w where w.queue = {queue} and w.lane is not null)"
    );
    let rows = db.query_all_raw(statement(backend, &sql, vec![names])).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Pulls a brake; `false` when it was pulled before.
pub(crate) async fn pause(tx: &impl ConnectionTrait, target: &Target, why: &str, by: &str) -> Result<bool, DbErr> {
    let (mut row, now) = lock(tx, target).await?;
    if row.paused.is_some() {
        return Ok(false);
    }
    let why = super::single::clipped(why);
    row.paused = Some(Paused { by: by.to_owned(), why, since: instant(now) });
    keep(tx, &row).await?;
    changed(tx).await?;
    Ok(true)
}

/// Locks a target's brake, making it if there is none; with the lease clock, read after the lock.
pub(crate) async fn lock(tx: &impl ConnectionTrait, target: &Target) -> Result<(BrakeRow, i64), DbErr> {
    let backend = tx.get_database_backend();
    let make = "insert into workflow_brake (kind, name) values ($1, $2) on conflict do nothing";
    let lock = if backend == DbBackend::Sqlite { "" } else { "for update" };
    let find = format!("select {COLUMNS} from workflow_brake b where b.kind = $1 and b.name = $2 {lock}");
    for _ in 0..2 {
        let found = tx.query_one_raw(statement(backend, &find, key(target).to_vec())).await?;
        if let Some(row) = found
            && let Some(brake) = brake_row(&row, 0)?
        {
            return Ok((brake, clock(tx).await?));
        }
        tx.execute_raw(statement(backend, make, key(target).to_vec())).await?;
    }
    Err(DbErr::RecordNotFound(format!("the brake of {target} cannot be made")))
}

async fn clock(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let backend = db.get_database_backend();
    let row = db.query_one_raw(statement(backend, &format!("select {}", real_clock(backend)), vec![])).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the database has no clock".to_owned()))?.try_get_by_index(0)
}

/// Limits how much of a queue is in hands at once; `false` when it was so before.
pub(crate) async fn limit(tx: &impl ConnectionTrait, queue: &Target, most: Option<i32>) -> Result<bool, DbErr> {
    let (mut row, _) = lock(tx, queue).await?;
    if row.most == most {
        return Ok(false);
    }
    row.most = most;
    keep(tx, &row).await?;
    changed(tx).await?;
    Ok(true)
}

/// What a limited queue has left for all processes together, its brake locked until the transaction ends; `None` for any other queue.
pub(crate) async fn left(tx: &impl ConnectionTrait, queue: &str) -> Result<Option<i32>, DbErr> {
    let backend = tx.get_database_backend();
    let lock = if backend == DbBackend::Sqlite { "" } else { "for update" };
    let find =
        format!("select most from workflow_brake where kind = {QUEUE} and name = $1 and most is not null {lock}");
    let Some(row) = tx.query_one_raw(statement(backend, &find, vec![queue.into()])).await? else { return Ok(None) };
    let most: i32 = row.try_get_by_index(0)?;
    // A statement of its own: it has to see what whoever held the lock before has leased.
    let count = format!("select count(*) from workflow_work where queue = $1 and not_before = {LEASED}");
    let row = tx.query_one_raw(statement(backend, &count, vec![queue.into()])).await?;
    let leased: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(Some(i32::try_from(i64::from(most) - leased).unwrap_or(i32::MAX).max(0)))
}

/// Writes a locked brake back.
pub(crate) async fn keep(tx: &impl ConnectionTrait, row: &BrakeRow) -> Result<(), DbErr> {
    let BrakeRow { target, paused, breaker, bucket, most } = row;
    let sql =
        "update workflow_brake set paused_at = $3, paused_by = $4, paused_why = $5, failures = $6, failing_since = $7,
        openings = $8, open_until = $9, probed_at = $10, tokens = $11, filled_at = $12, most = $13 where kind = $1 and name = $2";
    let mut values = key(target).to_vec();
    values.extend([
        paused.as_ref().map(|p| p.since.timestamp_micros()).into(),
        paused.as_ref().map(|p| p.by.clone()).into(),
        paused.as_ref().map(|p| p.why.clone()).into(),
        breaker.failures.into(),
        breaker.failing_since.into(),
        breaker.openings.into(),
        breaker.open_until.into(),
        breaker.probed_at.into(),
        bucket.map(|b| b.tokens).into(),
        bucket.map(|b| b.filled_at).into(),
        (*most).into(),
    ]);
    tx.execute_raw(statement(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// Counts a change that every process has to hear of before it leases work to itself again.
pub(crate) async fn changed(tx: &impl ConnectionTrait) -> Result<(), DbErr> {
    tx.execute_unprepared("update business_clock set brakes = brakes + 1").await?;
    Ok(())
}
