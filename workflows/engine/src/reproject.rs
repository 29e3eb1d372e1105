//! Re-projection: the rows that people read are written again from the states of their runs, after a change of what they show or a
//! repair; what would change is told before it is done.
//!
//! A projection is a function of state, so writing it again is always right and a second time changes nothing.

use crate::databases::{Trouble, trouble};
use crate::engine::{Engine, detached};
use crate::operate::{RUN, run_view};
use crate::process::{Process, RawChanged, Unprojected};
use crate::replay::runs_after;
use crate::storage::instant;
use crate::storage::names::{ids, ids_in};
use crate::storage::single::query;
use crate::{ProjectError, RunId, RunView, Timestamp, Tx};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Value};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Whether something is done, or only tried and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Tell what would change, and change nothing.
    Try,
    /// Do it.
    Write,
}

/// A slice of runs, projected again.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reprojected {
    /// The runs that were looked at.
    pub runs: usize,
    /// Rows that came out otherwise.
    pub changes: Vec<RowChange>,
    /// Runs that could not be projected, and why.
    pub failed: Vec<(RunId, String)>,
    /// Where the next slice begins; `None` at the end.
    pub next: Option<RunId>,
}

/// A row that came out otherwise: only the columns that differ, unless the row is new or gone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RowChange {
    /// The run whose row it is.
    pub run: RunId,
    /// The table.
    pub table: &'static str,
    /// What it said; `None` for a new row.
    pub before: Option<Map<String, Json>>,
    /// What it says; `None` for a row that is gone.
    pub after: Option<Map<String, Json>>,
}

/// The rows of each run in each table.
type Shown = BTreeMap<(RunId, &'static str), Vec<Map<String, Json>>>;

impl Engine {
    /// Projects the runs of a workflow again, from the one after `after`; `None` when this build does not know the workflow.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn reproject(
        &self,
        workflow: &str,
        (after, most): (RunId, i64),
        act: Act,
    ) -> Result<Option<Reprojected>, DbErr> {
        let Some(process) = self.registry().get(workflow).cloned() else { return Ok(None) };
        let runs = self.runs_after(workflow, after, most).await?;
        let next = runs.last().copied().filter(|_| runs.len() as i64 >= most);
        match self.slice(&process, runs.clone(), act).await {
            Ok(changes) => Ok(Some(Reprojected { runs: runs.len(), changes, failed: vec![], next })),
            Err(error) if trouble(&error) == Trouble::Passing => Err(error),
            // One of them spoils it: each by itself, so that the others come through.
            Err(_) => {
                let mut done = Reprojected { runs: runs.len(), next, ..Reprojected::default() };
                for run in runs {
                    match self.slice(&process, vec![run], act).await {
                        Ok(changes) => done.changes.extend(changes),
                        Err(error) if trouble(&error) == Trouble::Passing => return Err(error),
                        Err(error) => done.failed.push((run, error.to_string())),
                    }
                }
                Ok(Some(done))
            }
        }
    }

    async fn slice(&self, process: &Arc<dyn Process>, runs: Vec<RunId>, act: Act) -> Result<Vec<RowChange>, DbErr> {
        if runs.is_empty() {
            return Ok(vec![]);
        }
        let (engine, process) = (self.clone(), process.clone());
        detached(async move {
            let tx = engine.begin().await?;
            let changes = projected(&tx, &process, &runs).await?;
            if act == Act::Write {
                tx.commit().await?;
            }
            Ok(changes)
        })
        .await
    }
}

impl Tx {
    /// Projects a slice again with this transaction: the runs that were tried, but for those that failed then.
    ///
    /// # Errors
    /// When one of the others fails now: then the transaction must be dropped, and whoever tries again finds out which.
    pub async fn reproject(
        &self,
        workflow: &str,
        (after, tried): (RunId, Reprojected),
    ) -> Result<Option<Reprojected>, DbErr> {
        let Some(process) = self.registry().get(workflow).cloned() else { return Ok(None) };
        let most = i64::try_from(tried.runs).unwrap_or(i64::MAX);
        let mut runs = runs_after(&**self, workflow, (after, most)).await?;
        runs.retain(|run| tried.failed.iter().all(|(failed, _)| failed != run));
        let changes = if runs.is_empty() { vec![] } else { projected(self, &process, &runs).await? };
        Ok(Some(Reprojected { changes, ..tried }))
    }
}

/// Projects these runs again, and says what came out otherwise.
async fn projected(tx: &Tx, process: &Arc<dyn Process>, runs: &[RunId]) -> Result<Vec<RowChange>, DbErr> {
    let changed = locked(tx, process, runs).await?;
    let before = shown(tx, process, runs).await?;
    process.project(tx, changed).await.map_err(in_the_way)?;
    let after = shown(tx, process, runs).await?;
    Ok(differences(before, after))
}

fn in_the_way(error: Unprojected) -> DbErr {
    match error {
        Unprojected::Said(ProjectError::Storage(error)) => error,
        Unprojected::Said(ProjectError::Taken(conflict)) => DbErr::Custom(conflict.to_string()),
        Unprojected::Poison(why) => DbErr::Custom(why),
    }
}

/// Locks the runs in id order, so that nobody moves them meanwhile, and reads what their projection needs.
async fn locked(tx: &Tx, process: &Arc<dyn Process>, runs: &[RunId]) -> Result<Vec<RawChanged>, DbErr> {
    let lock = if tx.get_database_backend() == DbBackend::Sqlite { "" } else { " for update of r" };
    let (these, values) = among(tx.get_database_backend(), runs);
    let rows = query(&**tx, &format!("{RUN} where id in {these} order by id{lock}"), values.clone()).await?;
    let turns = format!(
        "select run, seq, at from workflow_journal where run in {these} and verdict = 0
         union all select run, seq, at from workflow_journal_archive where run in {these} and verdict = 0 order by seq"
    );
    let mut moved: BTreeMap<RunId, (i32, Timestamp)> = BTreeMap::new();
    for row in query(&**tx, &turns, values).await? {
        let run = RunId::from_uuid(row.try_get_by_index(0)?);
        moved.insert(run, (row.try_get_by_index(1)?, instant(row.try_get_by_index(2)?)));
    }
    let mut changed = Vec::with_capacity(rows.len());
    for row in &rows {
        let RunView { run, input, state, shape, .. } = run_view(row)?;
        if shape > process.reads().into() {
            return Err(DbErr::Custom(format!("{run} was written by a newer build")));
        }
        let Some((seq, at)) = moved.get(&run).copied() else {
            return Err(DbErr::Custom(format!("{run} has no turn in its journal that moved it")));
        };
        changed.push(RawChanged { run, input, state, seq, at });
    }
    Ok(changed)
}

/// SQL for what comes after `in`, and its parameter.
fn among(backend: DbBackend, runs: &[RunId]) -> (String, Vec<Value>) {
    let runs: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
    (ids_in(backend, "$1"), vec![ids(backend, &runs)])
}

async fn shown(tx: &Tx, process: &Arc<dyn Process>, runs: &[RunId]) -> Result<Shown, DbErr> {
    let mut shown = Shown::new();
    for (table, column) in process.rows() {
        let row = row_as_json(tx, table).await?;
        let (these, values) = among(tx.get_database_backend(), runs);
        let sql = format!("select t.{column}, {row} from {table} t where t.{column} in {these}");
        for row in query(&**tx, &sql, values).await? {
            let run = RunId::from_uuid(row.try_get_by_index(0)?);
            let text: String = row.try_get_by_index(1)?;
            let row = serde_json::from_str(&text).map_err(|error| DbErr::Type(format!("a row of {table}: {error}")))?;
            shown.entry((run, table)).or_default().push(row);
        }
    }
    Ok(shown)
}

/// SQL for a whole row as one JSON object.
async fn row_as_json(tx: &Tx, table: &str) -> Result<String, DbErr> {
    if tx.get_database_backend() != DbBackend::Sqlite {
        return Ok("to_jsonb(t)::text".to_owned());
    }
    let columns = query(&**tx, &format!("select name from pragma_table_info('{table}')"), vec![]).await?;
    let pair = |row: &sea_orm::QueryResult| {
        let name: String = row.try_get_by_index(0)?;
        Ok(format!("'{name}', case typeof(t.{name}) when 'blob' then lower(hex(t.{name})) else t.{name} end"))
    };
    let pairs: Vec<String> = columns.iter().map(pair).collect::<Result<_, DbErr>>()?;
    Ok(format!("json_object({})", pairs.join(", ")))
}

fn differences(mut before: Shown, mut after: Shown) -> Vec<RowChange> {
    let mut places: Vec<_> = before.keys().chain(after.keys()).copied().collect();
    places.sort_unstable();
    places.dedup();
    let difference = |place| {
        let (mut gone, mut new) = (before.remove(&place).unwrap_or_default(), vec![]);
        for row in after.remove(&place).unwrap_or_default() {
            match gone.iter().position(|same| *same == row) {
                Some(same) => drop(gone.swap_remove(same)),
                None => new.push(row),
            }
        }
        told(place, gone, new)
    };
    places.into_iter().flat_map(difference).collect()
}

fn told(
    (run, table): (RunId, &'static str),
    gone: Vec<Map<String, Json>>,
    new: Vec<Map<String, Json>>,
) -> Vec<RowChange> {
    if let ([before], [after]) = (&gone[..], &new[..]) {
        let only = |row: &Map<String, Json>, other: &Map<String, Json>| {
            row.iter()
                .filter(|(name, value)| other.get(*name) != Some(value))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect()
        };
        return vec![RowChange { run, table, before: Some(only(before, after)), after: Some(only(after, before)) }];
    }
    let gone = gone.into_iter().map(|row| RowChange { run, table, before: Some(row), after: None });
    gone.chain(new.into_iter().map(|row| RowChange { run, table, before: None, after: Some(row) })).collect()
}
