//! Who is still there: how many runs and how much waiting work of each persisted name and shape, so that one may be deleted.
//!
//! A variant of a state may go when the census counts no run in it; a variant of an effect, timer or event when no work carries it;
//! the reading of an old shape when no run of that shape is left.

use crate::engine::Engine;
use crate::storage::single::query;
use sea_orm::{DbErr, QueryResult};

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

/// Everything that is persisted under a name, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Census {
    /// Runs.
    pub runs: Vec<RunCount>,
    /// Waiting work.
    pub work: Vec<WorkCount>,
    /// What this build knows.
    pub known: Vec<ShapeKnown>,
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
        let runs = format!(
            "select workflow, state_name, cast(shape as integer), case when status = 0 then 0 else 1 end, count(*) from workflow_run {only}
             group by 1, 2, 3, 4 order by 1, 2, 3, 4"
        );
        let work = format!(
            "select workflow, cast(kind as integer), name, count(*) from workflow_work {only}
             group by workflow, kind, name order by workflow, kind, name"
        );
        let runs = query(db, &runs, values()).await?.iter().map(run_count).collect::<Result<_, _>>()?;
        let work = query(db, &work, values()).await?.iter().map(work_count).collect::<Result<_, _>>()?;
        let known = self.registry().shapes().filter(|one| workflow.is_none_or(|name| name == one.workflow)).collect();
        Ok(Census { runs, work, known })
    }
}

fn run_count(row: &QueryResult) -> Result<RunCount, DbErr> {
    Ok(RunCount {
        workflow: row.try_get_by_index(0)?,
        state: row.try_get_by_index(1)?,
        shape: row.try_get_by_index(2)?,
        finished: row.try_get_by_index::<i32>(3)? == 1,
        runs: row.try_get_by_index(4)?,
    })
}

fn work_count(row: &QueryResult) -> Result<WorkCount, DbErr> {
    Ok(WorkCount {
        workflow: row.try_get_by_index(0)?,
        kind: crate::operate::kind_name(row.try_get_by_index(1)?),
        name: row.try_get_by_index(2)?,
        work: row.try_get_by_index(3)?,
    })
}
