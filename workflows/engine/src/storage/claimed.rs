//! Claimed work, as the two databases hand it over.

use super::{instant, narrow, work_id};
use crate::{Timestamp, WorkId};
use chrono::serde::ts_microseconds;
use sea_orm::{DbErr, QueryResult};
use serde::Deserialize;

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
        Ok(Self {
            work: work_id(row, 0)?,
            kind: row.try_get_by_index(3)?,
            workflow: row.try_get_by_index(4)?,
            queue: row.try_get_by_index(5)?,
            payload: row.try_get_by_index(6)?,
            request: row.try_get_by_index(7)?,
            outcome: row.try_get_by_index(8)?,
            attempt: row.try_get_by_index(9)?,
            failures: row.try_get_by_index(10)?,
            first_claimed_at: row.try_get_by_index(11)?,
            error_class: row.try_get_by_index(12)?,
            trace: row.try_get_by_index(13)?,
            input: row.try_get_by_index(14)?,
            now: instant(row.try_get_by_index(15)?),
            real: row.try_get_by_index(16)?,
            due: instant(row.try_get_by_index(17)?),
            priority: narrow(row.try_get_by_index::<i32>(18)?.into())?,
            deaths: row.try_get_by_index(19)?,
        })
    }
}
