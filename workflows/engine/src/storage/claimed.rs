//! Claimed work, as the two databases hand it over.

use super::instant;
use super::schema::LEASED;
use crate::recent::Kept;
use crate::turn::RunRow;
use crate::{RunId, Timestamp, WorkId};
use chrono::serde::ts_microseconds;
use sea_orm::{DbErr, QueryResult, RuntimeErr};
use serde::Deserialize;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// A claimed piece of work with all that its execution needs.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedRow {
    pub(crate) work: WorkId,
    pub(crate) kind: i16,
    pub(crate) workflow: String,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) payload: String,
    pub(crate) request: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) attempt: i32,
    pub(crate) failures: i32,
    /// How often whoever held it died.
    pub(crate) deaths: i32,
    pub(crate) first_claimed_at: i64,
    pub(crate) error_class: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) input: String,
    pub(crate) now: Timestamp,
    pub(crate) real: i64,
    pub(crate) due: Timestamp,
    /// Its run as the claim saw it, where that spares whoever completes it a load.
    pub(crate) seen: Option<Box<Kept>>,
}

impl ClaimedRow {
    pub(super) fn read(row: &QueryResult) -> Result<Self, DbErr> {
        if let Some(row) = row.try_as_pg_row() {
            return Self::of_columns(row).map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())));
        }
        let text: String = row.try_get_by_index(0)?;
        serde_json::from_str::<Told>(&text).map(Self::from).map_err(|error| DbErr::Json(error.to_string()))
    }

    /// The columns are asked of the driver itself: what stands above it makes an error of every text that is absent, and most are.
    fn of_columns(row: &PgRow) -> Result<Self, sqlx::Error> {
        let work = WorkId { run: RunId::from_uuid(row.try_get(0)?), seq: row.try_get(1)?, n: row.try_get(2)? };
        let (workflow, input): (String, String) = (row.try_get(4)?, row.try_get(14)?);
        let seen = seen(row, work.run, &workflow, &input)?;
        Ok(Self {
            work,
            kind: row.try_get(3)?,
            workflow,
            queue: row.try_get(5)?,
            payload: row.try_get(6)?,
            request: row.try_get(7)?,
            outcome: row.try_get(8)?,
            attempt: row.try_get(9)?,
            failures: row.try_get(10)?,
            first_claimed_at: row.try_get(11)?,
            error_class: row.try_get(12)?,
            trace: row.try_get(13)?,
            input,
            now: instant(row.try_get(15)?),
            real: row.try_get(16)?,
            due: instant(row.try_get(17)?),
            priority: row.try_get(18)?,
            deaths: row.try_get(19)?,
            seen,
        })
    }
}

/// The run of claimed work, if it is told until when its timers are quiet: beyond every instant when it has none.
fn seen(row: &PgRow, id: RunId, workflow: &str, input: &str) -> Result<Option<Box<Kept>>, sqlx::Error> {
    let Some(quiet_until) = row.try_get::<Option<i64>, _>(29)? else { return Ok(None) };
    let parent: Option<Uuid> = row.try_get(21)?;
    let row = RunRow {
        id,
        workflow: workflow.to_owned(),
        key: row.try_get(20)?,
        parent: parent.map(RunId::from_uuid),
        input: input.to_owned(),
        state: row.try_get(22)?,
        state_name: row.try_get(23)?,
        shape: row.try_get(24)?,
        seq: row.try_get(25)?,
        finished: false,
        unexpected: row.try_get(26)?,
        head: row.try_get(27)?,
        begun: instant(row.try_get(28)?),
    };
    Ok(Some(Box::new(Kept { row, quiet_until: told_quiet(quiet_until) })))
}

/// Until when timers are quiet, as it is stored: beyond every instant when there are none.
pub(super) fn quiet(until: Timestamp) -> i64 {
    if until == Timestamp::MAX_UTC { LEASED } else { until.timestamp_micros() }
}

fn told_quiet(until: i64) -> Timestamp {
    if until == LEASED { Timestamp::MAX_UTC } else { instant(until) }
}

/// SQLite hands it over as one text, a JSON array with these fields in this order: its driver allocates every column of every row by
/// itself, and reads each under a lock.
#[derive(Deserialize)]
struct Told {
    work: WorkId,
    kind: i16,
    workflow: String,
    queue: String,
    priority: i16,
    payload: String,
    request: Option<String>,
    outcome: Option<String>,
    attempt: i32,
    failures: i32,
    deaths: i32,
    first_claimed_at: i64,
    error_class: Option<String>,
    trace: Option<String>,
    run: ToldRun,
    #[serde(with = "ts_microseconds")]
    now: Timestamp,
    real: i64,
    #[serde(with = "ts_microseconds")]
    due: Timestamp,
}

#[derive(Deserialize)]
struct ToldRun {
    input: String,
    key: String,
    parent: Option<RunId>,
    state: String,
    state_name: String,
    shape: i16,
    seq: i32,
    unexpected: i32,
    #[serde(with = "hex::serde")]
    head: Vec<u8>,
    #[serde(with = "ts_microseconds")]
    begun: Timestamp,
    quiet_until: Option<i64>,
}

impl From<Told> for ClaimedRow {
    fn from(told: Told) -> Self {
        let Told {
            work, kind, workflow, queue, priority, payload, request, outcome, attempt, failures, deaths, ..
        } = told;
        let Told { first_claimed_at, error_class, trace, run, now, real, due, .. } = told;
        let (input, seen) = match run.quiet_until {
            Some(until) => (run.input.clone(), Some(Box::new(run.kept(work.run, workflow.clone(), until)))),
            None => (run.input, None),
        };
        Self {
            work,
            kind,
            workflow,
            queue,
            priority,
            payload,
            request,
            outcome,
            attempt,
            failures,
            deaths,
            first_claimed_at,
            error_class,
            trace,
            input,
            now,
            real,
            due,
            seen,
        }
    }
}

impl ToldRun {
    fn kept(self, id: RunId, workflow: String, quiet_until: i64) -> Kept {
        let Self { input, key, parent, state, state_name, shape, seq, unexpected, head, begun, .. } = self;
        let row = RunRow {
            id,
            workflow,
            key,
            parent,
            input,
            state,
            state_name,
            shape,
            seq,
            finished: false,
            unexpected,
            head,
            begun,
        };
        Kept { row, quiet_until: told_quiet(quiet_until) }
    }
}
