//! Who is still there: how many runs and how much waiting work of each persisted name and shape, so that one may be deleted.
//!
//! A variant of a state may go when the census counts no run in it; a variant of an effect, timer or event when no work carries it;
//! the reading of an old shape when no run of that shape is left.

use crate::engine::Engine;
use crate::listing::known_kind;
use crate::salvage::{Damaged, Readable, Salvage, spelled};
use crate::storage::single::query;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult};

/// Runs of one workflow in one state, written by one shape.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RunCount {
    /// The workflow.
    pub workflow: String,
    /// The state's name.
    pub state: String,
    /// The highest shape that wrote them.
    pub shape: i32,
    /// Whether they have ended.
    pub finished: bool,
    /// How many there are.
    pub runs: i64,
}

/// Waiting work of one workflow under one name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WorkCount {
    /// The workflow whose runs queued it.
    pub workflow: String,
    /// `effect`, `timer`, `spawn` or `tell`.
    pub kind: &'static str,
    /// The variant's name; for a tell with the workflow that is told, for a spawn the workflow that is started.
    pub name: String,
    /// How much there is.
    pub work: i64,
}

/// What this build makes of a workflow's shapes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ShapeKnown {
    /// The workflow.
    pub workflow: &'static str,
    /// The shape that this build writes.
    pub writes: i16,
    /// The highest shape that it reads.
    pub reads: i16,
}

/// Runs of one workflow that have not ended, in one state.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OpenCount {
    /// The workflow.
    pub workflow: String,
    /// The state's name.
    pub state: String,
    /// How many there are.
    pub runs: i64,
}

/// Everything that is persisted under a name, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Census {
    /// Runs.
    pub runs: Vec<RunCount>,
    /// Waiting work.
    pub work: Vec<WorkCount>,
    /// What this build knows.
    pub known: Vec<ShapeKnown>,
    /// What cannot be counted, because it cannot be read.
    pub damaged: Vec<Damaged>,
}

impl Engine {
    /// Counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn census(&self, workflow: Option<&str>) -> Result<Census, DbErr> {
        let only = workflow.map_or("", |_| "where workflow = $1");
        let values = || workflow.map(Into::into).into_iter().collect::<Vec<sea_orm::Value>>();
        let db = &self.core.db.read.patient();
        let (shape, status, kind) = (number(db, "shape"), number(db, "status"), number(db, "kind"));
        let runs = format!(
            "select workflow, state_name, {shape}, {status}, count(*) from workflow_run {only} group by 1, 2, 3, 4 order by 1, 2, 3, 4"
        );
        let work = format!(
            "select workflow, {kind}, name, count(*) from workflow_work {only} group by 1, 2, 3 order by 1, 2, 3"
        );
        let mut salvage = Salvage::default();
        let runs = salvage.rows(&query(db, &runs, values()).await?, uncounted("runs", 4), run_count);
        let work = salvage.rows(&query(db, &work, values()).await?, uncounted("pieces of work", 3), work_count);
        let known = self.registry().shapes().filter(|one| workflow.is_none_or(|name| name == one.workflow)).collect();
        Ok(Census { runs, work, known, damaged: salvage.0 })
    }
}

impl Engine {
    /// Counts the runs that have not ended; those that have cost nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_runs(&self) -> Result<Readable<OpenCount>, DbErr> {
        let sql =
            "select workflow, state_name, count(*) from workflow_run where status = 0 group by 1, 2 order by 1, 2";
        let (found, mut salvage) = (query(&self.core.db.read, sql, vec![]).await?, Salvage::default());
        let rows = salvage.rows(&found, uncounted("runs", 2), |row| {
            Ok(OpenCount {
                workflow: row.try_get_by_index(0)?,
                state: row.try_get_by_index(1)?,
                runs: row.try_get_by_index(2)?,
            })
        });
        Ok(Readable { rows, damaged: salvage.0 })
    }
}

/// A small number in a type that both databases read; SQLite would make one of anything.
fn number(db: &impl ConnectionTrait, column: &str) -> String {
    match db.get_database_backend() {
        DbBackend::Sqlite => column.to_owned(),
        _ => format!("cast({column} as integer)"),
    }
}

/// The name of a row that begins with a workflow and has a count.
fn uncounted(what: &'static str, count: usize) -> impl Fn(&QueryResult) -> String {
    move |row| format!("{} {what} of {}", row.try_get_by_index::<i64>(count).unwrap_or_default(), spelled(row, 0))
}

fn run_count(row: &QueryResult) -> Result<RunCount, DbErr> {
    Ok(RunCount {
        workflow: row.try_get_by_index(0)?,
        state: row.try_get_by_index(1)?,
        shape: row.try_get_by_index(2)?,
        finished: row.try_get_by_index::<i32>(3)? != 0,
        runs: row.try_get_by_index(4)?,
    })
}

fn work_count(row: &QueryResult) -> Result<WorkCount, DbErr> {
    Ok(WorkCount {
        workflow: row.try_get_by_index(0)?,
        kind: known_kind(row.try_get_by_index(1)?)?,
        name: row.try_get_by_index(2)?,
        work: row.try_get_by_index(3)?,
    })
}
