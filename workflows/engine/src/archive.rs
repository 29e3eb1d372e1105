//! The archive: where finished runs go when their time has come, how a late fact brings one back, and what is forgotten in the end.
//!
//! A run's row stays in `workflow_run` as a stub without input and state: it refuses its key, keeps the head of its journal's chain, and
//! is what a turn locks. So a fact that comes years late meets the stub, and [`restore`] puts everything back in the same transaction
//! before the turn is decided: the run, its whole journal and with it every event key that has been taken in. Readers
//! ([`Engine::run`](crate::Engine::run), `journal`, `replay`, `states`) look in both places at once.
//!
//! Each batch is one transaction that moves its rows as they are, so a kill at any instant leaves every run whole in one of the two
//! places, and the next round goes on. Rounds of several processes share the work: whoever has locked a run has it.

use crate::engine::{Engine, detached};
use crate::event::{Input, What};
use crate::link::Link;
use crate::storage::names::{ids, ids_in};
use crate::storage::single::execute;
use crate::storage::{Loaded, statement};
use crate::{RunId, Timestamp, faults};
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use uuid::Uuid;

/// Runs moved or forgotten in one transaction: few enough that SQLite's one writer is not missed meanwhile.
const BATCH: i64 = 200;
/// How long ticks are kept; the latest of every schedule always is.
const TICKS: TimeDelta = TimeDelta::days(90);

/// The columns of a turn, in both of its tables.
const TURN: &str = "run, key, seq, at, verdict, event, from_state, to_state, note, shape, attempts, last_error, actor, on_behalf_of, \
    request_id, trace, state_digest, hash";

/// A batch of one workflow's runs: which, and where the next one begins.
pub(crate) struct Batch {
    pub(crate) runs: Vec<Uuid>,
    until: i64,
}

impl Engine {
    /// Moves finished runs whose time has come to the archive, at most about this many. Returns how many.
    ///
    /// # Errors
    /// When the database fails; what was moved stays moved.
    pub async fn archive(&self, most: u64) -> Result<u64, DbErr> {
        let mut moved = 0;
        for (workflow, retention) in self.core.registry.retentions() {
            let Some(days) = retention.archive.days() else { continue };
            let mut since = i64::MIN;
            let mut here = 0;
            while moved + here < most {
                let (db, now) = (self.core.db.write.clone(), self.now().await?);
                let batch = detached(async move { archive_batch(&db, workflow, since, now, days).await }).await?;
                here += batch.runs.len() as u64;
                since = batch.until;
                tracing::debug!(workflow, runs = here, "runs go to the archive");
                if batch.runs.len() < usize::try_from(BATCH).unwrap_or(0) {
                    break;
                }
            }
            moved += here;
            if here > 0 {
                tracing::info!(workflow, runs = here, "finished runs went to the archive");
                self.core.observer.archived(workflow, here);
            }
        }
        Ok(moved)
    }

    /// Forgets archived runs whose time has come, at most about this many, and old ticks. Returns how many runs.
    ///
    /// A run that has posted facts is kept: they are for ever and stand under its name, which nobody else may have.
    ///
    /// # Errors
    /// When the database fails; what was forgotten stays forgotten.
    pub async fn purge(&self, most: u64) -> Result<u64, DbErr> {
        self.forget_ticks().await?;
        let mut forgotten = 0;
        for (workflow, retention) in self.core.registry.retentions() {
            let Some(days) = retention.purge.days() else { continue };
            let mut here = 0;
            while forgotten + here < most {
                let (db, now) = (self.core.db.write.clone(), self.now().await?);
                let count = detached(async move { purge_batch(&db, workflow, now, days).await }).await?;
                here += count as u64;
                if count < usize::try_from(BATCH).unwrap_or(0) {
                    break;
                }
            }
            forgotten += here;
            if here > 0 {
                tracing::info!(workflow, runs = here, "archived runs were forgotten");
                self.core.observer.purged(workflow, here);
            }
        }
        Ok(forgotten)
    }

    async fn forget_ticks(&self) -> Result<(), DbErr> {
        let before = (self.now().await? - TICKS).timestamp_micros();
        let sql = "delete from schedule_tick where instant < $1 and instant <
          (select max(t.instant) from schedule_tick t where t.schedule = schedule_tick.schedule and t.kind <> 1)";
        execute(&self.core.db.write, sql, vec![before.into()]).await.map(drop)
    }
}

/// The archived runs that one of these inputs is for. Who starts a run anew only has to hear that there is one.
pub(crate) fn called_for(loaded: &Loaded, inputs: &[Input]) -> Vec<RunId> {
    let archived = |input: &&Input| loaded.runs.get(&input.run).is_some_and(crate::turn::RunRow::is_archived);
    let events = inputs.iter().filter(|input| matches!(input.what, What::Event { .. }));
    let mut runs: Vec<_> = events.filter(archived).map(|input| input.run).collect();
    runs.sort_unstable();
    runs.dedup();
    runs
}

/// Brings runs back from the archive, whole. Their rows are locked by whoever calls.
pub(crate) async fn restore(tx: &impl ConnectionTrait, runs: &[RunId]) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let these = ids_in(backend, "$1");
    let uuids: Vec<_> = runs.iter().map(|run| run.uuid()).collect();
    for sql in [
        format!(
            "update workflow_run set input = a.input, state = a.state, status = 1 from workflow_archive a
             where a.run = workflow_run.id and workflow_run.id in {these}"
        ),
        format!(
            "insert into workflow_journal ({TURN}) select {TURN} from workflow_journal_archive where run in {these}"
        ),
        format!("delete from workflow_journal_archive where run in {these}"),
        format!("delete from workflow_archive where run in {these}"),
    ] {
        execute(tx, &sql, vec![ids(backend, &uuids)]).await?;
    }
    tracing::info!(runs = runs.len(), "a late event brought runs back from the archive");
    Ok(())
}

/// Microseconds of the instant that many days ago.
fn days_before(now: Timestamp, days: u32) -> i64 {
    (now - TimeDelta::days(days.into())).timestamp_micros()
}

/// Rows that somebody else has locked are passed over; SQLite has one writer anyway.
const fn locking(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "",
        _ => "for update of r skip locked",
    }
}

pub(crate) async fn archive_batch(
    db: &Link,
    workflow: &str,
    since: i64,
    now: Timestamp,
    days: u32,
) -> Result<Batch, DbErr> {
    let tx = db.begin().await?;
    let backend = tx.get_database_backend();
    let rows = tx.query_all_raw(finished_before(backend, workflow, since, days_before(now, days))).await?;
    let runs = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<Uuid>, _>>()?;
    let until = rows.last().map_or(Ok(since), |row| row.try_get_by_index(1))?;
    if !runs.is_empty() {
        put_away(&tx, &runs, now).await?;
    }
    faults::point("before_archive_commit");
    tx.commit().await?;
    faults::point("after_archive_commit");
    Ok(Batch { runs, until })
}

/// What has finished, and rested since `before`, among the runs created at `since` or later.
///
/// A run was created before its last turn, so the index on creation leads to all that may be old enough.
pub(crate) fn finished_before(backend: DbBackend, workflow: &str, since: i64, before: i64) -> Statement {
    let sql = format!(
        "select r.id, r.created_at from workflow_run r
         where r.workflow = $1 and r.input <> '' and r.created_at >= $2 and r.created_at < $3
           and r.status = 1 and r.unexpected = 0 and r.updated_at < $3
           and not exists (select 1 from workflow_work w where w.run = r.id)
         order by r.created_at limit {BATCH} {}",
        locking(backend)
    );
    statement(backend, &sql, vec![workflow.into(), since.into(), before.into()])
}

async fn put_away(tx: &impl ConnectionTrait, runs: &[Uuid], now: Timestamp) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let these = ids_in(backend, "$1");
    let sql = format!(
        "insert into workflow_archive (run, workflow, input, state, finished_at, archived_at)
         select id, workflow, input, state, updated_at, cast($2 as bigint) from workflow_run where id in {these}"
    );
    execute(tx, &sql, vec![ids(backend, runs), now.timestamp_micros().into()]).await?;
    for sql in [
        format!(
            "insert into workflow_journal_archive ({TURN}) select {TURN} from workflow_journal where run in {these}"
        ),
        format!("delete from workflow_journal where run in {these}"),
        format!("update workflow_run set input = '', state = '', status = 2 where id in {these}"),
    ] {
        execute(tx, &sql, vec![ids(backend, runs)]).await?;
    }
    Ok(())
}

pub(crate) async fn purge_batch(db: &Link, workflow: &str, now: Timestamp, days: u32) -> Result<usize, DbErr> {
    let tx = db.begin().await?;
    let backend = tx.get_database_backend();
    let sql = format!(
        "select r.id from workflow_archive a join workflow_run r on r.id = a.run
         where a.workflow = $1 and a.finished_at < $2 and not exists (select 1 from event_log f where f.run = a.run)
         order by a.finished_at limit {BATCH} {}",
        locking(backend)
    );
    let rows = tx.query_all_raw(statement(backend, &sql, vec![workflow.into(), days_before(now, days).into()])).await?;
    let runs = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<Uuid>, _>>()?;
    if !runs.is_empty() {
        let these = ids_in(backend, "$1");
        for sql in [
            format!("delete from workflow_journal_archive where run in {these}"),
            format!("delete from workflow_archive where run in {these}"),
            format!("delete from workflow_try where run in {these}"),
            format!("delete from workflow_run where id in {these}"),
        ] {
            execute(&tx, &sql, vec![ids(backend, &runs)]).await?;
        }
    }
    tx.commit().await?;
    Ok(runs.len())
}
