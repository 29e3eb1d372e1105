//! Proof of what happened: the journal's chain verified from the table alone, and every step decided again by this build's code.

use crate::engine::Engine;
use crate::event::Origin;
use crate::registry::{Process, RawStep};
use crate::storage::{instant, statement};
use crate::turn::{GENESIS, JournalRow, Mark, digest, link};
use crate::{Conflict, RunId, RunView};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use std::sync::Arc;

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replay {
    /// Turns whose step came out as journalled.
    pub proven: usize,
    /// Turns written by another shape: listed, not judged.
    pub not_judged: Vec<i32>,
    /// What does not hold, in words, turn by turn.
    pub broken: Vec<String>,
}

impl Engine {
    /// Verifies a run's chain and decides every step again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replay(&self, run: RunId) -> Result<Option<Replay>, DbErr> {
        let Some(view) = self.run(run).await? else { return Ok(None) };
        let rows = self.rows(run).await?;
        let mut replay = Replay { broken: chain(&rows), ..Replay::default() };
        if let Some(process) = self.registry().get(&view.workflow) {
            steps(process, &view, &rows, &mut replay);
        }
        Ok(Some(replay))
    }

    /// The state after each turn of a run, decided again from its journal; `None` from the first turn on that another shape wrote or
    /// whose step comes out otherwise today.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn states(&self, run: RunId) -> Result<Vec<Option<String>>, DbErr> {
        let Some(view) = self.run(run).await? else { return Ok(vec![]) };
        let rows = self.rows(run).await?;
        let Some(process) = self.registry().get(&view.workflow) else { return Ok(vec![None; rows.len()]) };
        let mut state = Some(String::new());
        let after = |row: &JournalRow| {
            let before = state.take()?;
            let next = again(process, &view, row, &before).ok()?.unwrap_or(before);
            state = (row.shape == process.shape() && digest(&next) == row.state_digest).then_some(next);
            state.clone()
        };
        Ok(rows.iter().map(after).collect())
    }

    /// The runs of a workflow, oldest first, after a given one: for walks over everything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn runs_after(&self, workflow: &str, after: RunId, most: i64) -> Result<Vec<RunId>, DbErr> {
        let db = &self.core.db.read;
        let sql = "select id from workflow_run where workflow = $1 and id > $2 order by id limit $3";
        let values = vec![workflow.into(), after.uuid().into(), most.into()];
        let rows = db.query_all_raw(statement(db.get_database_backend(), sql, values)).await?;
        rows.iter().map(|row| Ok(RunId::from_uuid(row.try_get_by_index(0)?))).collect()
    }

    async fn rows(&self, run: RunId) -> Result<Vec<JournalRow>, DbErr> {
        let db = &self.core.db.read;
        let sql = "select key, seq, at, cast(verdict as integer), event, from_state, to_state, note, cast(shape as integer), attempts,
            last_error, actor, on_behalf_of, request_id, trace, state_digest, hash
          from (select * from workflow_journal where run = $1 union all select * from workflow_journal_archive where run = $1) j order by seq";
        let rows = db.query_all_raw(statement(db.get_database_backend(), sql, vec![run.uuid().into()])).await?;
        rows.iter().map(|row| journal_row(run, row)).collect()
    }
}

fn journal_row(run: RunId, row: &QueryResult) -> Result<JournalRow, DbErr> {
    Ok(JournalRow {
        run,
        key: row.try_get_by_index(0)?,
        seq: row.try_get_by_index(1)?,
        at: instant(row.try_get_by_index(2)?),
        mark: match row.try_get_by_index::<i32>(3)? {
            0 => Mark::Moved,
            1 => Mark::Ignored,
            _ => Mark::Unexpected,
        },
        event: row.try_get_by_index(4)?,
        from: row.try_get_by_index(5)?,
        to: row.try_get_by_index(6)?,
        note: row.try_get_by_index(7)?,
        shape: i16::try_from(row.try_get_by_index::<i32>(8)?).unwrap_or(i16::MAX),
        attempts: row.try_get_by_index(9)?,
        last_error: row.try_get_by_index(10)?,
        origin: Origin {
            actor: row.try_get_by_index(11)?,
            on_behalf_of: row.try_get_by_index(12)?,
            request_id: row.try_get_by_index(13)?,
            trace: row.try_get_by_index(14)?,
        },
        state_digest: row.try_get_by_index(15)?,
        hash: row.try_get_by_index(16)?,
    })
}

fn chain(rows: &[JournalRow]) -> Vec<String> {
    let mut broken = vec![];
    let mut head = GENESIS.to_vec();
    for (expected, row) in (0i32..).zip(rows) {
        if row.seq != expected {
            broken.push(format!("turn {expected} is missing"));
            return broken;
        }
        if link(&head, row) != row.hash {
            broken.push(format!("turn {}: the row is not what was sealed", row.seq));
        }
        head.clone_from(&row.hash);
    }
    broken
}

fn steps(process: &Arc<dyn Process>, view: &RunView, rows: &[JournalRow], replay: &mut Replay) {
    let mut state = String::new();
    for row in rows {
        if row.shape != process.shape() {
            replay.not_judged.push(row.seq);
            continue;
        }
        match again(process, view, row, &state) {
            Ok(next) => {
                state = next.unwrap_or(state);
                if digest(&state) == row.state_digest {
                    replay.proven += 1;
                } else {
                    replay.broken.push(format!("turn {}: leads to another state than {}", row.seq, row.to));
                }
            }
            Err(why) => replay.broken.push(format!("turn {}: {why}", row.seq)),
        }
    }
    if replay.not_judged.is_empty() && replay.broken.is_empty() && state != view.state {
        replay.broken.push("the run's state is not the one its journal leads to".to_owned());
    }
}

/// Decides a turn again; the state it leads to, or `None` when it stays.
fn again(process: &Arc<dyn Process>, view: &RunView, row: &JournalRow, state: &str) -> Result<Option<String>, String> {
    if row.key == "start" {
        return Ok(process.start(&view.input, row.at)?.state);
    }
    let conflict = row.note.as_deref().and_then(|note| serde_json::from_str::<Conflict>(note).ok());
    let event = match &conflict {
        None => Some(row.event.clone()),
        Some(conflict) => process.contested(&row.event, conflict)?,
    };
    let decided = event.map(|event| process.on(&view.input, state, &event, row.at)).transpose()?;
    match (decided, row.mark) {
        (Some(Ok(RawStep { state, .. })), Mark::Moved | Mark::Ignored) => Ok(state),
        (Some(Err(_)) | None, Mark::Unexpected) => Ok(None),
        _ => Err("the step comes out otherwise today".to_owned()),
    }
}
