//! Lists for operators: runs and waiting work by filter, a page at a time, and a row that cannot be read does not end the list.

use crate::engine::Engine;
use crate::operate::{RUN, WORK, kind_name, run_view, work_view};
use crate::storage::schema::{LEASED, PARKED, kind};
use crate::storage::single::query;
use crate::{RunId, RunView, Timestamp, WorkId, WorkView};
use sea_orm::{DbErr, QueryResult, Value};

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only of this workflow.
    pub workflow: Option<String>,
    /// Only in the state of this name.
    pub state: Option<String>,
    /// Only those that have ended, or only those that have not.
    pub finished: Option<bool>,
    /// Only those that met a fact without a place.
    pub unexpected: bool,
    /// Only those that took nothing in since.
    pub quiet_since: Option<Timestamp>,
}

/// Which waiting work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkFilter {
    /// Only of this run.
    pub run: Option<RunId>,
    /// Only of this workflow.
    pub workflow: Option<String>,
    /// Only of runs in the state of this name.
    pub state: Option<String>,
    /// Only in this queue.
    pub queue: Option<String>,
    /// Only of this name.
    pub name: Option<String>,
    /// Only in this standing.
    pub standing: Option<Standing>,
    /// Only after a failure of this class.
    pub error_class: Option<String>,
    /// Only what was due before.
    pub due_before: Option<Timestamp>,
}

/// In whose hands a piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In nobody's, due or not.
    Waiting,
    /// In some process's.
    Leased,
    /// A person's.
    Parked,
}

/// A row of a list, or what can be said of one that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed<T> {
    /// As it is.
    Read(T),
    /// Damaged.
    Unreadable {
        /// As much of its name as can be read.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A page of a list, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T, C> {
    /// The rows, in the list's order.
    pub rows: Vec<Listed<T>>,
    /// The place of the last one, when more may follow.
    pub next: Option<C>,
}

/// Where a piece of work stands in the order of its list: oldest due first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WorkPlace {
    /// When it was due, in microseconds.
    pub due: i64,
    /// Which work.
    pub work: WorkId,
}

impl WorkPlace {
    /// Where this work stands.
    #[must_use]
    pub fn of(view: &WorkView) -> Self {
        Self { due: view.due.timestamp_micros(), work: view.work }
    }
}

impl<T> Listed<T> {
    /// The row, if it can be read.
    pub fn read(&self) -> Option<&T> {
        match self {
            Self::Read(row) => Some(row),
            Self::Unreadable { .. } => None,
        }
    }
}

/// A `where` in the making.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// A condition with `?` for its value.
    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.plain(&condition.replace('?', &format!("${}", self.values.len())));
    }

    fn plain(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { " where " } else { " and " });
        self.sql.push_str(condition);
    }

    fn maybe(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.and(condition, value);
        }
    }
}

impl RunFilter {
    fn conditions(&self) -> Conditions {
        let Self { workflow, state, finished, unexpected, quiet_since } = self;
        let mut all = Conditions::default();
        all.maybe("r.workflow = ?", workflow.clone());
        all.maybe("state_name = ?", state.clone());
        match finished {
            Some(true) => all.plain("status <> 0"),
            // What is archived has finished: written out, so that the planner can tell that the index of what is kept has all others.
            Some(false) => all.plain("status = 0 and r.input <> ''"),
            None => {}
        }
        all.maybe("updated_at < ?", quiet_since.map(|at| at.timestamp_micros()));
        if *unexpected {
            all.plain("unexpected > 0");
        }
        all
    }
}

impl WorkFilter {
    /// What waits for a person.
    #[must_use]
    pub fn parked() -> Self {
        Self { standing: Some(Standing::Parked), ..Self::default() }
    }

    fn conditions(&self) -> Conditions {
        let Self { run, workflow, state, queue, name, standing, error_class, due_before } = self;
        let mut all = Conditions::default();
        all.maybe("run = ?", run.map(RunId::uuid));
        all.maybe("workflow = ?", workflow.clone());
        all.maybe("run in (select id from workflow_run where state_name = ?)", state.clone());
        all.maybe("queue = ?", queue.clone());
        all.maybe("name = ?", name.clone());
        all.maybe("error_class = ?", error_class.clone());
        all.maybe("due < ?", due_before.map(|at| at.timestamp_micros()));
        match standing {
            // Written out, so that the planner can tell that the partial index has them all.
            Some(Standing::Parked) => all.plain(&format!("not_before = {PARKED}")),
            Some(Standing::Leased) => all.and("not_before = ?", LEASED),
            Some(Standing::Waiting) => all.and("not_before < ?", LEASED),
            None => {}
        }
        all
    }
}

impl Engine {
    /// Runs by filter, the newest first, after the one that an earlier page ended with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_runs(
        &self,
        filter: &RunFilter,
        after: Option<RunId>,
        most: u64,
    ) -> Result<Rows<RunView, RunId>, DbErr> {
        let mut conditions = filter.conditions();
        conditions.maybe("id < ?", after.map(RunId::uuid));
        let Conditions { sql, values } = conditions;
        let rows = query(&self.core.db.read, &format!("{RUN}{sql} order by id desc limit {most}"), values).await?;
        let listed = rows.iter().map(|row| listed(row, run_view(row))).collect();
        Ok(page(listed, most, after, |run| run.run))
    }

    /// How many runs met a fact without a place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unexpected(&self) -> Result<i64, DbErr> {
        let rows = query(&self.core.db.read, "select count(*) from workflow_run where unexpected > 0", vec![]).await?;
        rows.first().map_or(Ok(0), |row| row.try_get_by_index(0))
    }

    /// Waiting work by filter, what was due longest ago first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_work(
        &self,
        filter: &WorkFilter,
        after: Option<WorkPlace>,
        most: u64,
    ) -> Result<Rows<WorkView, WorkPlace>, DbErr> {
        let Conditions { mut sql, mut values } = filter.conditions();
        if let Some(WorkPlace { due, work }) = after {
            let n = values.len();
            let and = if sql.is_empty() { "where" } else { "and" };
            sql = format!("{sql} {and} (due, run, seq, n) > (${}, ${}, ${}, ${})", n + 1, n + 2, n + 3, n + 4);
            values.extend([due.into(), work.run.uuid().into(), work.seq.into(), work.n.into()]);
        }
        let sql = format!("{WORK}{sql} order by due, run, seq, n limit {most}");
        let rows = query(&self.core.db.read, &sql, values).await?;
        let listed = rows.iter().map(|row| listed(row, readable(row))).collect();
        Ok(page(listed, most, after, WorkPlace::of))
    }
}

/// A piece of work whose kind is none of ours is damaged as well.
pub(crate) fn readable(row: &QueryResult) -> Result<WorkView, DbErr> {
    known_kind(row.try_get_by_index(3)?)?;
    work_view(row)
}

/// The word for a kind of work, if there is one.
pub(crate) fn known_kind(stored: i32) -> Result<&'static str, DbErr> {
    let known = i32::from(kind::EFFECT)..=i32::from(kind::TELL);
    match known.contains(&stored) {
        true => Ok(kind_name(stored)),
        false => Err(DbErr::Type(format!("there is no kind {stored} of work"))),
    }
}

fn listed<T>(row: &QueryResult, view: Result<T, DbErr>) -> Listed<T> {
    match view {
        Ok(view) => Listed::Read(view),
        Err(error) => Listed::Unreadable { what: name(row), why: error.to_string() },
    }
}

/// The first column of a damaged row, in whatever type it can be read.
fn name(row: &QueryResult) -> String {
    let uuid = row.try_get_by_index::<uuid::Uuid>(0).map(|id| RunId::from_uuid(id).to_string());
    let text = || row.try_get_by_index::<String>(0);
    let bytes = || row.try_get_by_index::<Vec<u8>>(0).map(hex::encode);
    uuid.or_else(|_| text()).or_else(|_| bytes()).unwrap_or_else(|_| "a row whose id cannot be read".to_owned())
}

/// A page goes on after its last readable row; one that brings nothing readable ends the list rather than repeat itself.
fn page<T, C: PartialEq>(rows: Vec<Listed<T>>, most: u64, after: Option<C>, place: impl Fn(&T) -> C) -> Rows<T, C> {
    let full = rows.len() as u64 >= most;
    let last = rows.iter().rev().find_map(Listed::read).map(place);
    let next = last.filter(|last| full && Some(last) != after.as_ref());
    Rows { rows, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Listed<i32> {
        Listed::Unreadable { what: "a".to_owned(), why: "b".to_owned() }
    }

    #[test]
    fn a_page_goes_on_after_its_last_readable_row() {
        let next = |rows, after| page(rows, 2, after, |n| *n).next;
        assert_eq!(next(vec![Listed::Read(5), Listed::Read(4)], None), Some(4));
        assert_eq!(next(vec![Listed::Read(5), broken()], None), Some(5));
        assert_eq!(next(vec![Listed::Read(5)], None), None, "a page that is not full is the last");
        assert_eq!(next(vec![broken(), broken()], Some(5)), None, "nothing to go on from");
    }

    #[test]
    fn conditions_number_their_values() {
        let filter =
            WorkFilter { queue: Some("mail".into()), error_class: Some("poison".into()), ..WorkFilter::parked() };
        let Conditions { sql, values } = filter.conditions();
        assert_eq!(sql, " where queue = $1 and error_class = $2 and not_before = 9223372036854775807");
        assert_eq!(values.len(), 2);
        assert_eq!(RunFilter::default().conditions().sql, "");
    }
}
