//! What a commit is told before it decides, as the two databases tell it.

use super::{instant, narrow, work_id};
use crate::turn::{DueTimer, RunRow};
use crate::{RunId, Scope, Timestamp, WorkId};
use chrono::serde::ts_microseconds;
use sea_orm::{DbErr, QueryResult};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// A piece of work that an input completes, as it stands now.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FenceRow {
    pub(crate) attempt: i32,
    pub(crate) last_error: Option<String>,
}

/// The answer to an [`Ask`](super::Ask): rows locked in id order, clocks read after the locks.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The business clock.
    pub(crate) now: Timestamp,
    /// The lease clock: the database's own time.
    pub(crate) real: i64,
    /// The number of the last change of a brake.
    pub(crate) brakes: i32,
    pub(crate) runs: HashMap<RunId, RunRow>,
    pub(crate) timers: HashMap<RunId, Vec<DueTimer>>,
    pub(crate) fences: HashMap<WorkId, FenceRow>,
    pub(crate) seen: HashSet<(RunId, String)>,
    /// Until when no timer of a run is due: only of those that were not loaded but remembered.
    pub(crate) quiet: HashMap<RunId, Timestamp>,
}

impl Loaded {
    /// What is there when nothing is there yet.
    pub(crate) fn nothing(now: Timestamp, real: i64, brakes: i32) -> Self {
        let (runs, timers, fences) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { now, real, brakes, runs, timers, fences, seen: HashSet::new(), quiet: HashMap::new() }
    }

    /// Makes room for so many runs, each with work that is done.
    pub(crate) fn expect(&mut self, runs: usize) {
        self.runs.reserve(runs);
        self.quiet.reserve(runs);
        self.fences.reserve(runs);
    }

    /// PostgreSQL answers with a union of rows, whose columns mean what their tag says.
    pub(super) fn of_rows(rows: &[QueryResult]) -> Result<Self, DbErr> {
        let mut loaded = Self::nothing(Timestamp::MIN_UTC, 0, 0);
        rows.iter().try_for_each(|row| loaded.take(row))?;
        Ok(loaded)
    }

    fn take(&mut self, row: &QueryResult) -> Result<(), DbErr> {
        match row.try_get_by_index::<i32>(0)? {
            0 => {
                self.now = instant(row.try_get_by_index(9)?);
                self.real = row.try_get_by_index(10)?;
                self.brakes = row.try_get_by_index(2)?;
            }
            1 => {
                let run = run_row(row)?;
                self.runs.insert(run.id, run);
            }
            2 => {
                let fence =
                    FenceRow { attempt: narrow(row.try_get_by_index(9)?)?, last_error: row.try_get_by_index(4)? };
                self.fences.insert(work_id(row, 1)?, fence);
            }
            3 => {
                let (work, payload, due) = (work_id(row, 1)?, row.try_get_by_index(4)?, row.try_get_by_index(9)?);
                self.arm(DueTimer { work, payload, due: instant(due), scope: scope(row.try_get_by_index(10)?) });
            }
            _ => {
                let run = RunId::from_uuid(row.try_get_by_index(1)?);
                self.seen.insert((run, row.try_get_by_index(4)?));
            }
        }
        Ok(())
    }

    fn arm(&mut self, timer: DueTimer) {
        self.timers.entry(timer.work.run).or_default().push(timer);
    }

    /// SQLite answers with one text: every row is a call to the thread of its connection.
    pub(super) fn of_one_text(row: Option<QueryResult>) -> Result<Self, DbErr> {
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the business clock has no row".to_owned()))?;
        let text: String = row.try_get_by_index(0)?;
        let told: Told = serde_json::from_str(&text).map_err(|error| DbErr::Json(error.to_string()))?;
        let mut loaded = Self {
            now: told.now,
            real: told.real,
            brakes: told.brakes,
            runs: told.runs.into_iter().map(|run| (run.id, run.into())).collect(),
            timers: HashMap::new(),
            fences: told.fences.into_iter().collect(),
            seen: told.seen,
            quiet: HashMap::new(),
        };
        for (work, payload, due, wide) in told.timers {
            loaded.arm(DueTimer { work, payload, due: instant(due), scope: scope(wide) });
        }
        Ok(loaded)
    }
}

const fn scope(wide: i64) -> Scope {
    if wide == 0 { Scope::State } else { Scope::Run }
}

/// A JSON array with these fields in this order.
#[derive(Deserialize)]
struct Told {
    brakes: i32,
    #[serde(with = "ts_microseconds")]
    now: Timestamp,
    real: i64,
    runs: Vec<ToldRun>,
    fences: Vec<(WorkId, FenceRow)>,
    timers: Vec<(WorkId, String, i64, i64)>,
    seen: HashSet<(RunId, String)>,
}

#[derive(Deserialize)]
struct ToldRun {
    id: RunId,
    workflow: String,
    key: String,
    parent: Option<RunId>,
    input: String,
    state: String,
    state_name: String,
    shape: i16,
    seq: i32,
    status: i16,
    unexpected: i32,
    #[serde(with = "hex::serde")]
    head: Vec<u8>,
    #[serde(with = "ts_microseconds")]
    begun: Timestamp,
}

impl From<ToldRun> for RunRow {
    fn from(told: ToldRun) -> Self {
        let ToldRun {
            id,
            workflow,
            key,
            parent,
            input,
            state,
            state_name,
            shape,
            seq,
            status,
            unexpected,
            head,
            begun,
        } = told;
        let finished = status == 1;
        Self { id, workflow, key, parent, input, state, state_name, shape, seq, finished, unexpected, head, begun }
    }
}

pub(crate) fn run_row(row: &QueryResult) -> Result<RunRow, DbErr> {
    let parent: Option<Uuid> = row.try_get_by_index(12)?;
    Ok(RunRow {
        id: RunId::from_uuid(row.try_get_by_index(1)?),
        seq: row.try_get_by_index(2)?,
        finished: row.try_get_by_index::<i32>(3)? == 1,
        workflow: row.try_get_by_index(4)?,
        key: row.try_get_by_index(5)?,
        input: row.try_get_by_index(6)?,
        state: row.try_get_by_index(7)?,
        state_name: row.try_get_by_index(8)?,
        shape: narrow(row.try_get_by_index(9)?)?,
        unexpected: narrow(row.try_get_by_index(10)?)?,
        head: row.try_get_by_index(11)?,
        parent: parent.map(RunId::from_uuid),
        begun: instant(row.try_get_by_index(13)?),
    })
}
