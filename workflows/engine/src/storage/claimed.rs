//! Claimed work, as the two databases hand it over.

use super::schema::LEASED;
use super::{instant, narrow, work_id};
use crate::recent::Kept;
use crate::turn::RunRow;
use crate::{RunId, Timestamp, WorkId};
use chrono::serde::ts_microseconds;
use sea_orm::{DbErr, QueryResult};
use serde::Deserialize;
use uuid::Uuid;

/// A claimed piece of work with all that its execution needs.
///
/// SQLite hands it over as one text, a JSON array with these fields in this order: its driver allocates every column of every row by
/// itself, and reads each under a lock.
#[derive(Clone, Debug, Deserialize)]
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
    #[serde(with = "ts_microseconds")]
    pub(crate) now: Timestamp,
    pub(crate) real: i64,
    #[serde(with = "ts_microseconds")]
    pub(crate) due: Timestamp,
    /// Its run as the claim saw it, where that spares whoever completes it a load: never on SQLite.
    #[serde(skip)]
    pub(crate) seen: Option<Box<Kept>>,
}

impl ClaimedRow {
    pub(super) fn read(row: &QueryResult) -> Result<Self, DbErr> {
        if row.try_as_sqlite_row().is_none() {
            return Self::of_columns(row);
        }
        let text: String = row.try_get_by_index(0)?;
        serde_json::from_str(&text).map_err(|error| DbErr::Json(error.to_string()))
    }

    fn of_columns(row: &QueryResult) -> Result<Self, DbErr> {
        let work = work_id(row, 0)?;
        let (workflow, input): (String, String) = (row.try_get_by_index(4)?, row.try_get_by_index(14)?);
        let seen = seen(row, work.run, &workflow, &input)?;
        Ok(Self {
            work,
            kind: row.try_get_by_index(3)?,
            workflow,
            queue: row.try_get_by_index(5)?,
            payload: row.try_get_by_index(6)?,
            request: row.try_get_by_index(7)?,
            outcome: row.try_get_by_index(8)?,
            attempt: row.try_get_by_index(9)?,
            failures: row.try_get_by_index(10)?,
            first_claimed_at: row.try_get_by_index(11)?,
            error_class: row.try_get_by_index(12)?,
            trace: row.try_get_by_index(13)?,
            input,
            now: instant(row.try_get_by_index(15)?),
            real: row.try_get_by_index(16)?,
            due: instant(row.try_get_by_index(17)?),
            priority: narrow(row.try_get_by_index::<i32>(18)?.into())?,
            deaths: row.try_get_by_index(19)?,
            seen,
        })
    }
}

/// The run of claimed work, if it is told until when its timers are quiet: beyond every instant when it has none.
fn seen(row: &QueryResult, id: RunId, workflow: &str, input: &str) -> Result<Option<Box<Kept>>, DbErr> {
    let Some(quiet_until) = row.try_get_by_index::<Option<i64>>(28)? else { return Ok(None) };
    let parent: Option<Uuid> = row.try_get_by_index(21)?;
    let row = RunRow {
        id,
        workflow: workflow.to_owned(),
        key: row.try_get_by_index(20)?,
        parent: parent.map(RunId::from_uuid),
        input: input.to_owned(),
        state: row.try_get_by_index(22)?,
        state_name: row.try_get_by_index(23)?,
        shape: row.try_get_by_index(24)?,
        seq: row.try_get_by_index(25)?,
        finished: false,
        unexpected: row.try_get_by_index(26)?,
        head: row.try_get_by_index(27)?,
    };
    let quiet_until = if quiet_until == LEASED { Timestamp::MAX_UTC } else { instant(quiet_until) };
    Ok(Some(Box::new(Kept { row, quiet_until })))
}
