//! What operators see: runs, their journals and work that waits; and how work is put aside, put back and let go.

use crate::engine::Engine;
use crate::event::Fence;
use crate::storage::schema::{LEASED, PARKED, kind};
use crate::storage::{instant, real_clock, statement, work_id};
use crate::{Fault, RunId, Timestamp, WorkId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Value};
use std::collections::HashMap;
use uuid::Uuid;

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

pub(crate) fn fenced(fence: Fence, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut values = named(fence.work);
    values.push(fence.attempt.into());
    values.extend(more);
    values
}

/// Puts work aside until a person decides; whoever holds it loses it.
pub(crate) async fn park(db: &impl ConnectionTrait, work: WorkId, class: &str, why: &str) -> Result<u64, DbErr> {
    let sql = "update workflow_work set holder = null, not_before = $4, attempt = attempt + 1, error_class = $5, last_error = $6
      where run = $1 and seq = $2 and n = $3";
    let mut values = named(work);
    values.extend([PARKED.into(), class.into(), clipped(why).into()]);
    execute(db, sql, values).await
}

pub(crate) async fn park_fenced(db: &impl ConnectionTrait, fence: Fence, class: &str, why: &str) -> Result<u64, DbErr> {
    let sql = "update workflow_work set holder = null, not_before = $5, failures = failures + 1, error_class = $6, last_error = $7
      where run = $1 and seq = $2 and n = $3 and attempt = $4";
    execute(db, sql, fenced(fence, [PARKED.into(), class.into(), clipped(why).into()])).await
}

/// Gives work back for a later try.
pub(crate) async fn put_back(
    db: &impl ConnectionTrait,
    fence: Fence,
    at: Timestamp,
    fault: &Fault,
) -> Result<u64, DbErr> {
    let sql = "update workflow_work set holder = null, not_before = $5, failures = failures + 1, error_class = $6, last_error = $7
      where run = $1 and seq = $2 and n = $3 and attempt = $4";
    let values =
        fenced(fence, [at.timestamp_micros().into(), fault.class().into(), clipped(&fault.to_string()).into()]);
    execute(db, sql, values).await
}

/// Gives a lease back for later, without a mark: nothing has failed.
pub(crate) async fn defer(db: &impl ConnectionTrait, fence: Fence, at: Timestamp) -> Result<u64, DbErr> {
    let sql = "update workflow_work set holder = null, not_before = $5 where run = $1 and seq = $2 and n = $3 and attempt = $4";
    execute(db, sql, fenced(fence, [at.timestamp_micros().into()])).await
}

/// Whether a lease still stands.
pub(crate) async fn holds(db: &impl ConnectionTrait, fence: Fence) -> Result<bool, DbErr> {
    let sql = "select 1 from workflow_work where run = $1 and seq = $2 and n = $3 and attempt = $4 and not_before = $5";
    Ok(!query(db, sql, fenced(fence, [LEASED.into()])).await?.is_empty())
}

/// Gives a lease back untouched.
pub(crate) async fn release(db: &impl ConnectionTrait, fence: Fence) -> Result<u64, DbErr> {
    let sql = format!(
        "update workflow_work set holder = null, not_before = {} where run = $1 and seq = $2 and n = $3 and attempt = $4 and not_before = $5",
        clock(db.get_database_backend())
    );
    execute(db, &sql, fenced(fence, [LEASED.into()])).await
}

/// Keeps an outcome whose turn failed, so that the next try does not call out again.
pub(crate) async fn save_outcome(db: &impl ConnectionTrait, fence: Fence, event: &str) -> Result<u64, DbErr> {
    let sql = "update workflow_work set outcome = $5 where run = $1 and seq = $2 and n = $3 and attempt = $4";
    execute(db, sql, fenced(fence, [event.into()])).await
}

/// Forgets work before it is done: only a planted bug does that.
pub(crate) async fn forget(db: &impl ConnectionTrait, fence: Fence) -> Result<u64, DbErr> {
    execute(db, "delete from workflow_work where run = $1 and seq = $2 and n = $3 and attempt = $4", fenced(fence, []))
        .await
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

/// A run as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RunView {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// Its unique key.
    pub key: String,
    /// The run that spawned it.
    pub parent: Option<RunId>,
    /// Its input, serialised.
    pub input: String,
    /// Its state, serialised.
    pub state: String,
    /// Its state's name.
    pub state_name: String,
    /// Its latest turn.
    pub seq: i32,
    /// Whether it has ended.
    pub finished: bool,
    /// Facts that found no place.
    pub unexpected: i32,
    /// When it went to the archive, if it is there.
    pub archived: Option<Timestamp>,
    /// The highest shape of persisted values that wrote it.
    pub shape: i32,
    /// When it began, on the business clock.
    pub created_at: Timestamp,
    /// When it last took something in.
    pub updated_at: Timestamp,
}

/// A turn as journalled.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TurnView {
    /// Its number.
    pub seq: i32,
    /// The event's key.
    pub key: String,
    /// The instant that `on` was given.
    pub at: Timestamp,
    /// `moved`, `ignored` or `unexpected`.
    pub verdict: &'static str,
    /// The event, serialised.
    pub event: String,
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// Why it was ignored or unexpected, or the conflict that it met.
    pub note: Option<String>,
    /// Who caused it.
    pub actor: Option<String>,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// Tries that the outcome took.
    pub attempts: i32,
    /// The last failure before it.
    pub last_error: Option<String>,
}

/// Work that is still to be done.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WorkView {
    /// Which work.
    pub work: WorkId,
    /// `effect`, `timer`, `spawn` or `tell`.
    pub kind: &'static str,
    /// The workflow whose turn queued it.
    pub workflow: String,
    /// Where it waits.
    pub queue: String,
    /// The effect's or timer's name.
    pub name: String,
    /// `waiting`, `leased` or `parked`.
    pub standing: &'static str,
    /// When it was meant to happen.
    pub due: Timestamp,
    /// Claims so far.
    pub attempt: i32,
    /// The class of the last failure.
    pub error_class: Option<String>,
    /// The last failure.
    pub last_error: Option<String>,
}

/// How much waits in a queue.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Depth {
    /// The queue.
    pub queue: String,
    /// Due now, unclaimed.
    pub ready: i64,
    /// Due later.
    pub scheduled: i64,
    /// In some process's hands.
    pub leased: i64,
    /// Waiting for a person.
    pub parked: i64,
    /// Age of the oldest due piece of work, in microseconds.
    pub oldest_us: i64,
}

/// A run wherever it is kept: an archived one has its input and state in the archive.
pub(crate) const RUN: &str =
    "select id, r.workflow, key, parent, coalesce(a.input, r.input), coalesce(a.state, r.state), state_name, seq,
  cast(status as integer), unexpected, a.archived_at, cast(shape as integer), created_at, updated_at
  from workflow_run r left join workflow_archive a on a.run = r.id";

pub(crate) fn run_view(row: &QueryResult) -> Result<RunView, DbErr> {
    Ok(RunView {
        run: RunId::from_uuid(row.try_get_by_index(0)?),
        workflow: row.try_get_by_index(1)?,
        key: row.try_get_by_index(2)?,
        parent: row.try_get_by_index::<Option<Uuid>>(3)?.map(RunId::from_uuid),
        input: row.try_get_by_index(4)?,
        state: row.try_get_by_index(5)?,
        state_name: row.try_get_by_index(6)?,
        seq: row.try_get_by_index(7)?,
        finished: row.try_get_by_index::<i32>(8)? != 0,
        unexpected: row.try_get_by_index(9)?,
        archived: row.try_get_by_index::<Option<i64>>(10)?.map(instant),
        shape: row.try_get_by_index(11)?,
        created_at: instant(row.try_get_by_index(12)?),
        updated_at: instant(row.try_get_by_index(13)?),
    })
}

fn turn_view(row: &QueryResult) -> Result<TurnView, DbErr> {
    Ok(TurnView {
        seq: row.try_get_by_index(0)?,
        key: row.try_get_by_index(1)?,
        at: instant(row.try_get_by_index(2)?),
        verdict: ["moved", "ignored", "unexpected"]
            .get(usize::try_from(row.try_get_by_index::<i32>(3)?).unwrap_or(9))
            .unwrap_or(&"unknown"),
        event: row.try_get_by_index(4)?,
        from: row.try_get_by_index(5)?,
        to: row.try_get_by_index(6)?,
        note: row.try_get_by_index(7)?,
        actor: row.try_get_by_index(8)?,
        request_id: row.try_get_by_index(9)?,
        attempts: row.try_get_by_index(10)?,
        last_error: row.try_get_by_index(11)?,
    })
}

/// The word for a kind of work.
pub(crate) fn kind_name(stored: i32) -> &'static str {
    match stored {
        k if k == i32::from(kind::EFFECT) => "effect",
        k if k == i32::from(kind::TIMER) => "timer",
        k if k == i32::from(kind::SPAWN) => "spawn",
        _ => "tell",
    }
}

pub(crate) fn work_view(row: &QueryResult) -> Result<WorkView, DbErr> {
    let kind = kind_name(row.try_get_by_index(3)?);
    let standing = match row.try_get_by_index::<i64>(7)? {
        PARKED => "parked",
        LEASED => "leased",
        _ => "waiting",
    };
    Ok(WorkView {
        work: work_id(row, 0)?,
        kind,
        workflow: row.try_get_by_index(4)?,
        queue: row.try_get_by_index(5)?,
        name: row.try_get_by_index(6)?,
        standing,
        due: instant(row.try_get_by_index(8)?),
        attempt: row.try_get_by_index(9)?,
        error_class: row.try_get_by_index(10)?,
        last_error: row.try_get_by_index(11)?,
    })
}

pub(crate) const WORK: &str = "select run, seq, n, cast(kind as integer), workflow, queue, name, not_before, due, attempt, error_class, last_error from workflow_work";

/// A run's input, state and latest turn.
type Typed<W> = (<W as crate::Workflow>::Input, <W as crate::Workflow>::State, i32);

/// A run with its types.
fn typed<W: crate::Workflow>(view: Option<RunView>) -> Result<Option<Typed<W>>, DbErr> {
    let Some(RunView { run, input, state, seq, .. }) = view else { return Ok(None) };
    let unreadable = |error: serde_json::Error| DbErr::Type(format!("run {run} cannot be read: {error}"));
    let input = serde_json::from_str(&input).map_err(unreadable)?;
    let state = serde_json::from_str(&state).map_err(unreadable)?;
    Ok(Some((input, state, seq)))
}

impl crate::Tx {
    /// A run's typed input and state as this transaction sees them, its own turns included.
    ///
    /// # Errors
    /// When the database fails or this build cannot read the run.
    pub async fn read_state<W: crate::Workflow>(&self, run: RunId) -> Result<Option<(W::Input, W::State, i32)>, DbErr> {
        let rows = query(&**self, &format!("{RUN} where id = $1"), vec![run.uuid().into()]).await?;
        typed::<W>(rows.first().map(run_view).transpose()?)
    }
}

impl Engine {
    /// A run, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run(&self, run: RunId) -> Result<Option<RunView>, DbErr> {
        let rows = query(&self.core.db.read, &format!("{RUN} where id = $1"), vec![run.uuid().into()]).await?;
        rows.first().map(run_view).transpose()
    }

    /// A run's typed input and state.
    ///
    /// # Errors
    /// When the database fails or this build cannot read the run.
    pub async fn read_state<W: crate::Workflow>(&self, run: RunId) -> Result<Option<(W::Input, W::State, i32)>, DbErr> {
        typed::<W>(self.run(run).await?)
    }

    /// The inputs of several runs, in one query; a run that does not exist is missing from the answer.
    ///
    /// # Errors
    /// When the database fails or this build cannot read an input.
    pub async fn inputs<W: crate::Workflow>(&self, runs: &[RunId]) -> Result<HashMap<RunId, W::Input>, DbErr> {
        let places: Vec<String> = (1..=runs.len()).map(|n| format!("${n}")).collect();
        let sql = format!("select id, input from workflow_run where id in ({})", places.join(", "));
        let values = runs.iter().map(|run| run.uuid().into()).collect();
        let read = |row: &QueryResult| {
            let run = RunId::from_uuid(row.try_get_by_index(0)?);
            let input: String = row.try_get_by_index(1)?;
            let unreadable = |error| DbErr::Type(format!("run {run} cannot be read: {error}"));
            Ok((run, serde_json::from_str(&input).map_err(unreadable)?))
        };
        query(&self.core.db.read, &sql, values).await?.iter().map(read).collect()
    }

    /// A run's turns, first to last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn journal(&self, run: RunId) -> Result<Vec<TurnView>, DbErr> {
        let sql = "select seq, key, at, cast(verdict as integer), event, from_state, to_state, note, actor, request_id, attempts, last_error
          from (select * from workflow_journal where run = $1 union all select * from workflow_journal_archive where run = $1) j order by seq";
        query(&self.core.db.read, sql, vec![run.uuid().into()]).await?.iter().map(turn_view).collect()
    }

    /// What a run still has to do.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn work_of(&self, run: RunId) -> Result<Vec<WorkView>, DbErr> {
        let rows =
            query(&self.core.db.read, &format!("{WORK} where run = $1 order by seq, n"), vec![run.uuid().into()])
                .await?;
        rows.iter().map(work_view).collect()
    }

    /// Everything that waits for a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parked(&self) -> Result<Vec<WorkView>, DbErr> {
        // Written out, so that the planner can tell that the partial index has them all.
        let sql = format!("{WORK} where not_before = {PARKED} order by due limit 1000");
        query(&self.core.db.read, &sql, vec![]).await?.iter().map(work_view).collect()
    }

    /// How much waits where.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn depths(&self) -> Result<Vec<Depth>, DbErr> {
        let db = &self.core.db.read;
        let now = clock(db.get_database_backend());
        let sql = format!(
            "select queue, sum(case when not_before <= c.now then 1 else 0 end), sum(case when not_before > c.now and not_before < $1 then 1 else 0 end),
              sum(case when not_before = $1 then 1 else 0 end), sum(case when not_before = $2 then 1 else 0 end),
              cast(coalesce(max(case when not_before <= c.now then c.now - not_before end), 0) as bigint)
             from workflow_work, (select {now} as now) c group by queue order by queue"
        );
        let rows = query(db, &sql, vec![LEASED.into(), PARKED.into()]).await?;
        let depth = |row: &QueryResult| {
            Ok(Depth {
                queue: row.try_get_by_index(0)?,
                ready: row.try_get_by_index(1)?,
                scheduled: row.try_get_by_index(2)?,
                leased: row.try_get_by_index(3)?,
                parked: row.try_get_by_index(4)?,
                oldest_us: row.try_get_by_index(5)?,
            })
        };
        rows.iter().map(depth).collect()
    }
}
