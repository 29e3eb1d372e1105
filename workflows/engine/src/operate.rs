//! What operators see: runs, their journals, and work that waits.

use crate::engine::Engine;
use crate::salvage::{Readable, Salvage, spelled};
use crate::storage::names::{ids, ids_in};
use crate::storage::schema::{LEASED, PARKED, kind};
use crate::storage::single::{clock, query};
use crate::storage::{instant, work_id};
use crate::{RunId, Timestamp, WorkId};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use std::collections::HashMap;
use uuid::Uuid;

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

pub(crate) fn turn_view(row: &QueryResult) -> Result<TurnView, DbErr> {
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
        self.run_row(run).await?.as_ref().map(run_view).transpose()
    }

    pub(crate) async fn run_row(&self, run: RunId) -> Result<Option<QueryResult>, DbErr> {
        let rows = query(&self.core.db.read, &format!("{RUN} where id = $1"), vec![run.uuid().into()]).await?;
        Ok(rows.into_iter().next())
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
        let (db, uuids) = (&self.core.db.read, runs.iter().map(|run| run.uuid()).collect::<Vec<_>>());
        let backend = db.get_database_backend();
        let sql = format!("select id, input from workflow_run where id in {}", ids_in(backend, "$1"));
        let read = |row: &QueryResult| {
            let run = RunId::from_uuid(row.try_get_by_index(0)?);
            let input: String = row.try_get_by_index(1)?;
            let unreadable = |error| DbErr::Type(format!("run {run} cannot be read: {error}"));
            Ok((run, serde_json::from_str(&input).map_err(unreadable)?))
        };
        query(db, &sql, vec![ids(backend, &uuids)]).await?.iter().map(read).collect()
    }

    /// A run's turns, first to last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn journal(&self, run: RunId) -> Result<Vec<TurnView>, DbErr> {
        self.journal_rows(run).await?.iter().map(turn_view).collect()
    }

    pub(crate) async fn journal_rows(&self, run: RunId) -> Result<Vec<QueryResult>, DbErr> {
        let sql = "select seq, key, at, cast(verdict as integer), event, from_state, to_state, note, actor, request_id, attempts, last_error
          from (select * from workflow_journal where run = $1 union all select * from workflow_journal_archive where run = $1) j order by seq";
        query(&self.core.db.read, sql, vec![run.uuid().into()]).await
    }

    /// What a run still has to do.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn work_of(&self, run: RunId) -> Result<Vec<WorkView>, DbErr> {
        self.work_rows(run).await?.iter().map(work_view).collect()
    }

    pub(crate) async fn work_rows(&self, run: RunId) -> Result<Vec<QueryResult>, DbErr> {
        let sql = format!("{WORK} where run = $1 order by seq, n");
        query(&self.core.db.read, &sql, vec![run.uuid().into()]).await
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
        self.depth_rows().await?.iter().map(depth).collect()
    }

    /// As [`depths`](Self::depths), of what can be read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn readable_depths(&self) -> Result<Readable<Depth>, DbErr> {
        let (found, mut salvage) = (self.depth_rows().await?, Salvage::default());
        let rows = salvage.rows(&found, |row| format!("queue {}", spelled(row, 0)), depth);
        for (row, Depth { queue, ready, scheduled, leased, parked, .. }) in
            found.iter().filter_map(|row| Some((row, depth(row).ok()?)))
        {
            let lost = row.try_get_by_index::<i64>(6)? - ready - scheduled - leased - parked;
            if lost > 0 {
                salvage.note(format!("queue {queue}"), format!("{lost} pieces of work do not say when they are due"));
            }
        }
        Ok(Readable { rows, damaged: salvage.0 })
    }

    async fn depth_rows(&self) -> Result<Vec<QueryResult>, DbErr> {
        let db = &self.core.db.read;
        let now = clock(db.get_database_backend());
        let sql = format!(
            "select queue, sum(case when not_before <= c.now then 1 else 0 end), sum(case when not_before > c.now and not_before < $1 then 1 else 0 end),
              sum(case when not_before = $1 then 1 else 0 end), sum(case when not_before = $2 then 1 else 0 end),
              cast(coalesce(max(case when not_before <= c.now then c.now - not_before end), 0) as bigint), count(*)
             from workflow_work, (select {now} as now) c group by queue order by queue"
        );
        query(db, &sql, vec![LEASED.into(), PARKED.into()]).await
    }
}

fn depth(row: &QueryResult) -> Result<Depth, DbErr> {
    Ok(Depth {
        queue: row.try_get_by_index(0)?,
        ready: row.try_get_by_index(1)?,
        scheduled: row.try_get_by_index(2)?,
        leased: row.try_get_by_index(3)?,
        parked: row.try_get_by_index(4)?,
        oldest_us: row.try_get_by_index(5)?,
    })
}
