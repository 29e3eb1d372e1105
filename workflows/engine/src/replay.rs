//! Proof of what happened: the journal's chain verified from the table alone, and every step decided again by this build's code.

use crate::engine::Engine;
use crate::event::Origin;
use crate::process::{Process, RawStep};
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
    /// Turns written by another shape, and those after a state that this build cannot tell: listed, not judged.
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
        let rows = self.rows(&view).await?;
        Ok(Some(prove(self.registry().get(&view.workflow), &view, &rows)))
    }

    /// The state after each turn of a run, decided again from its journal; `None` from the first turn on that leads to another state
    /// today than the one whose digest was journalled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn states(&self, run: RunId) -> Result<Vec<Option<String>>, DbErr> {
        let Some(view) = self.run(run).await? else { return Ok(vec![]) };
        let rows = self.rows(&view).await?;
        let Some(process) = self.registry().get(&view.workflow) else { return Ok(vec![None; rows.len()]) };
        Ok(walk(process, &view, &rows).into_iter().map(|turn| turn.state).collect())
    }

    /// The runs of a workflow, oldest first, after a given one: for walks over everything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn runs_after(&self, workflow: &str, after: RunId, most: i64) -> Result<Vec<RunId>, DbErr> {
        runs_after(&self.core.db.read, workflow, (after, most)).await
    }

    /// The journal of a run up to its state as it was seen: turns that were taken since are not part of it.
    pub(crate) async fn rows(&self, view: &RunView) -> Result<Vec<JournalRow>, DbErr> {
        let db = &self.core.db.read;
        let sql = "select key, seq, at, cast(verdict as integer), event, from_state, to_state, note, cast(shape as integer), attempts,
            last_error, actor, on_behalf_of, request_id, trace, state_digest, hash
          from (select * from workflow_journal where run = $1 union all select * from workflow_journal_archive where run = $1) j
          where seq <= $2 order by seq";
        let values = vec![view.run.uuid().into(), view.seq.into()];
        let rows = db.query_all_raw(statement(db.get_database_backend(), sql, values)).await?;
        rows.iter().map(|row| journal_row(view.run, row)).collect()
    }
}

/// The runs of a workflow, oldest first, after a given one.
pub(crate) async fn runs_after(
    db: &impl ConnectionTrait,
    workflow: &str,
    (after, most): (RunId, i64),
) -> Result<Vec<RunId>, DbErr> {
    let sql = "select id from workflow_run where workflow = $1 and id > $2 order by id limit $3";
    let values = vec![workflow.into(), after.uuid().into(), most.into()];
    let rows = db.query_all_raw(statement(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Ok(RunId::from_uuid(row.try_get_by_index(0)?))).collect()
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

/// Verifies a journal and decides every step again.
pub(crate) fn prove(process: Option<&Arc<dyn Process>>, view: &RunView, rows: &[JournalRow]) -> Replay {
    let mut replay = Replay { broken: chain(view, rows), ..Replay::default() };
    match process {
        Some(process) => replay.judge(walk(process, view, rows)),
        None => replay.not_judged = rows.iter().map(|row| row.seq).collect(),
    }
    replay
}

/// What the tables alone tell: no turn is missing or changed, and the last one led to the state that the run is in.
fn chain(view: &RunView, rows: &[JournalRow]) -> Vec<String> {
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
    match rows.last() {
        Some(last) if last.seq == view.seq && last.state_digest == digest(&view.state) => {}
        Some(last) if last.seq == view.seq => {
            broken.push("the run's state is not the one its journal leads to".to_owned());
        }
        _ => broken.push(format!("turn {} is missing", view.seq)),
    }
    broken
}

impl Replay {
    fn judge(&mut self, turns: Vec<Again>) {
        for turn in turns {
            match turn.judgement {
                Judgement::Proven => self.proven += 1,
                Judgement::NotJudged => self.not_judged.push(turn.seq),
                Judgement::Broken(why) => self.broken.push(why),
            }
        }
    }
}

/// What this build makes of a journalled turn.
pub(crate) struct Again {
    pub(crate) seq: i32,
    /// The state that it leads to, as far as this build can tell.
    pub(crate) state: Option<String>,
    /// The step, when it comes out as journalled.
    pub(crate) step: Option<RawStep>,
    pub(crate) judgement: Judgement,
}

pub(crate) enum Judgement {
    Proven,
    NotJudged,
    Broken(String),
}

/// Decides the turns again, each from the state that the one before it led to.
///
/// A turn of another shape is not judged: today's code may mean something else by it. But when it leads to the state whose digest
/// was journalled, that state is known, and the turns after it are judged from there.
pub(crate) fn walk(process: &Arc<dyn Process>, view: &RunView, rows: &[JournalRow]) -> Vec<Again> {
    let mut before = Some(String::new());
    let turn = |row: &JournalRow| {
        let not_judged = Again { seq: row.seq, state: None, step: None, judgement: Judgement::NotJudged };
        let Some(state) = before.take() else { return not_judged };
        let ours = row.shape == process.shape();
        let decided = again(process, view, row, &state).and_then(|step| {
            let next = step.state.clone().unwrap_or(state);
            if digest(&next) == row.state_digest {
                Ok((step, next))
            } else {
                Err(format!("leads to another state than {}", row.to))
            }
        });
        match decided {
            Ok((step, next)) => {
                before = Some(next.clone());
                let judgement = if ours { Judgement::Proven } else { Judgement::NotJudged };
                Again { state: Some(next), step: Some(step), judgement, ..not_judged }
            }
            Err(why) if ours => {
                Again { judgement: Judgement::Broken(format!("turn {}: {why}", row.seq)), ..not_judged }
            }
            Err(_) => not_judged,
        }
    };
    rows.iter().map(turn).collect()
}

/// Decides a turn again; a fact without a place makes an empty step.
fn again(process: &Arc<dyn Process>, view: &RunView, row: &JournalRow, state: &str) -> Result<RawStep, String> {
    if row.key == "start" {
        return process.start(&view.input, row.at);
    }
    let conflict = row.note.as_deref().and_then(|note| serde_json::from_str::<Conflict>(note).ok());
    let event = match &conflict {
        None => Some(row.event.clone()),
        Some(conflict) => process.contested(&row.event, conflict)?,
    };
    let decided = event.map(|event| process.on(&view.input, state, &event, row.at)).transpose()?;
    match (decided, row.mark) {
        (Some(Ok(step)), Mark::Moved | Mark::Ignored) => Ok(step),
        (Some(Err(_)) | None, Mark::Unexpected) => Ok(RawStep::default()),
        _ => Err("the step comes out otherwise today".to_owned()),
    }
}
