//! The whole story of a run: every turn with what it queued, what became of that, and what it posted.
//!
//! Work that is done leaves no row behind, so what a turn queued is decided again from the journal ([`walk`]); what became of it is
//! told by later turns, by the work that still waits, and by the runs that were started.

use crate::engine::Engine;
use crate::process::RawStep;
use crate::replay::walk;
use crate::step::variant;
use crate::storage::single::query;
use crate::storage::{instant, work_id};
use crate::{RunId, RunView, Timestamp, TurnView, WorkId, WorkView};
use sea_orm::{DbErr, QueryResult};

/// A run, told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Transcript {
    /// The run as it is.
    pub run: RunView,
    /// Its turns, first to last.
    pub turns: Vec<TurnStory>,
    /// What it still has to do.
    pub waiting: Vec<WorkView>,
    /// The tries at its work that failed, oldest first.
    pub tries: Vec<TryView>,
}

/// A try that failed, or the death of a process that held the work.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TryView {
    /// At which work.
    pub work: WorkId,
    /// The claim that it came with: the first is 1.
    pub attempt: i32,
    /// When it failed, on the business clock.
    pub at: Timestamp,
    /// The class of the failure; `crashed` for a death.
    pub class: String,
    /// The failure, in words.
    pub why: String,
}

/// A turn with everything that went with it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TurnStory {
    /// As journalled.
    #[serde(flatten)]
    pub turn: TurnView,
    /// The state that it led to; `None` when this build cannot tell.
    pub state: Option<String>,
    /// What it queued; `None` when this build cannot tell.
    pub queued: Option<Vec<QueuedWork>>,
    /// What it posted.
    pub postings: Vec<Posting>,
}

/// Work that a turn queued.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct QueuedWork {
    /// Which work.
    pub work: WorkId,
    /// `effect`, `timer`, `spawn` or `tell`.
    pub kind: &'static str,
    /// The effect's or timer's name, the workflow that was started, the workflow and event of a tell.
    pub name: String,
    /// Its payload, serialised: the effect, the timer, the child's input, the event that was told.
    pub payload: String,
    /// For a timer: the instant it waits for.
    pub due: Option<Timestamp>,
    /// For a spawn or a tell: the run that was started or told.
    pub to: Option<RunId>,
    /// What became of it.
    pub became: Became,
}

/// What became of work.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Became {
    /// It answered, or fired, in this turn.
    Turn {
        /// The turn.
        seq: i32,
        /// The tries that it took.
        attempts: i32,
    },
    /// It was delivered; a started run is in this state now.
    Delivered {
        /// The state, where there is a run to look at.
        state: Option<String>,
    },
    /// It still waits, is in hands, or is parked.
    Pending {
        /// `waiting`, `leased` or `parked`.
        standing: &'static str,
        /// Claims so far.
        attempts: i32,
        /// The last failure.
        last_error: Option<String>,
    },
    /// It was taken back before anybody claimed it, or disarmed.
    TakenBack,
}

/// A fact as it stands in the event log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Posting {
    /// The turn that posted it.
    #[serde(skip)]
    pub seq: i32,
    /// Its kind.
    pub kind: String,
    /// The record, serialised.
    pub body: String,
    /// The instant of its turn.
    pub at: Timestamp,
    /// Its place in the sealed log; `None` while it is not sealed yet.
    pub position: Option<i64>,
}

impl Transcript {
    /// The run as it was at an instant: the turns until then and the state that they had led to, which is empty where this build cannot
    /// tell. What became of their work is told as it is today; what still waits today is left out.
    #[must_use]
    pub fn until(mut self, at: Timestamp) -> Self {
        self.turns.retain(|story| story.turn.at <= at);
        self.tries.retain(|tried| tried.at <= at);
        self.waiting.clear();
        let Self { run, turns, .. } = &mut self;
        if let Some(TurnStory { turn, state, .. }) = turns.last() {
            run.finished &= turn.to == run.state_name;
            run.state_name.clone_from(&turn.to);
            run.state = state.clone().unwrap_or_default();
            (run.seq, run.updated_at) = (turn.seq, turn.at);
            run.archived = run.archived.filter(|archived| *archived <= at);
        }
        let unexpected = turns.iter().filter(|story| story.turn.verdict == "unexpected").count();
        run.unexpected = i32::try_from(unexpected).unwrap_or(i32::MAX);
        self
    }
}

impl Engine {
    /// Tells a run's whole story.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn transcript(&self, run: RunId) -> Result<Option<Transcript>, DbErr> {
        let Some(view) = self.run(run).await? else { return Ok(None) };
        let journal: Vec<TurnView> = self.journal(run).await?.into_iter().filter(|t| t.seq <= view.seq).collect();
        let waiting = self.work_of(run).await?;
        let (mut postings, tries) = (self.postings(run).await?, self.tries(run).await?);
        let mut decided = match self.registry().get(&view.workflow) {
            Some(process) => walk(process, &view, &self.rows(&view).await?),
            None => vec![],
        }
        .into_iter();
        let mut turns = Vec::with_capacity(journal.len());
        for turn in &journal {
            let again = decided.next().filter(|again| again.seq == turn.seq);
            let (state, step) = again.map_or((None, None), |again| (again.state, again.step));
            let queued = match step {
                Some(step) => Some(self.fates(queued(run, turn.seq, step), (&journal, &waiting)).await?),
                None => None,
            };
            let (own, rest) = postings.into_iter().partition(|posting| posting.seq == turn.seq);
            postings = rest;
            turns.push(TurnStory { turn: turn.clone(), state, queued, postings: own });
        }
        Ok(Some(Transcript { run: view, turns, waiting, tries }))
    }

    async fn postings(&self, run: RunId) -> Result<Vec<Posting>, DbErr> {
        let sql = "select seq, kind, body, at, position from event_log where run = $1 order by seq, n";
        let posting = |row: &QueryResult| {
            Ok(Posting {
                seq: row.try_get_by_index(0)?,
                kind: row.try_get_by_index(1)?,
                body: row.try_get_by_index(2)?,
                at: instant(row.try_get_by_index(3)?),
                position: row.try_get_by_index(4)?,
            })
        };
        query(&self.core.db.read, sql, vec![run.uuid().into()]).await?.iter().map(posting).collect()
    }

    /// The tries at a run's work that failed, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tries(&self, run: RunId) -> Result<Vec<TryView>, DbErr> {
        let sql =
            "select run, seq, n, attempt, at, class, why from workflow_try where run = $1 order by at, seq, n, attempt";
        let tried = |row: &QueryResult| {
            Ok(TryView {
                work: work_id(row, 0)?,
                attempt: row.try_get_by_index(3)?,
                at: instant(row.try_get_by_index(4)?),
                class: row.try_get_by_index(5)?,
                why: row.try_get_by_index(6)?,
            })
        };
        query(&self.core.db.read, sql, vec![run.uuid().into()]).await?.iter().map(tried).collect()
    }

    /// Finds out what became of each piece of work.
    async fn fates(
        &self,
        mut queued: Vec<QueuedWork>,
        (journal, waiting): (&[TurnView], &[WorkView]),
    ) -> Result<Vec<QueuedWork>, DbErr> {
        for one in &mut queued {
            let pending = waiting.iter().find(|view| view.work == one.work);
            one.became = match (pending, one.to) {
                (Some(WorkView { standing, attempt, last_error, .. }), _) => {
                    Became::Pending { standing, attempts: *attempt, last_error: last_error.clone() }
                }
                (None, Some(to)) => {
                    let started = if one.kind == "spawn" { self.run(to).await? } else { None };
                    Became::Delivered { state: started.map(|child| child.state_name) }
                }
                (None, None) => journal
                    .iter()
                    .find(|turn| concludes(&turn.key, one.work))
                    .map_or(Became::TakenBack, |turn| Became::Turn { seq: turn.seq, attempts: turn.attempts }),
            };
        }
        Ok(queued)
    }
}

/// Whether the turn of this key is the outcome of the work: `fx:seq:n`, `tm:name:seq:n`.
fn concludes(key: &str, work: WorkId) -> bool {
    let WorkId { seq, n, .. } = work;
    (key.starts_with("fx:") || key.starts_with("tm:")) && key.ends_with(&format!(":{seq}:{n}"))
}

/// What a step queued, numbered as the turn numbered it.
fn queued(run: RunId, seq: i32, step: RawStep) -> Vec<QueuedWork> {
    let RawStep { effects, timers, spawns, tells, .. } = step;
    let of = |kind, name: String, payload: String| QueuedWork {
        work: WorkId { run, seq, n: 0 },
        kind,
        name,
        payload,
        due: None,
        to: None,
        became: Became::TakenBack,
    };
    let effects = effects.into_iter().map(|e| of("effect", variant(&e.payload).to_owned(), e.payload));
    let timers = timers
        .into_iter()
        .map(|t| QueuedWork { due: Some(t.at), ..of("timer", variant(&t.payload).to_owned(), t.payload) });
    let spawns =
        spawns.into_iter().map(|s| QueuedWork { to: Some(s.run), ..of("spawn", s.workflow.into_owned(), s.input) });
    let tells = tells.into_iter().map(|t| {
        let name = format!("{}.{}", t.workflow, variant(&t.event));
        QueuedWork { to: Some(t.run), ..of("tell", name, t.event) }
    });
    let all = effects.chain(timers).chain(spawns).chain(tells);
    (0i32..).zip(all).map(|(n, one)| QueuedWork { work: WorkId { n, ..one.work }, ..one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_told_by_its_key() {
        let work = WorkId { run: RunId::from_uuid(uuid::Uuid::from_u128(1)), seq: 2, n: 0 };
        assert!(concludes("fx:2:0", work) && concludes("tm:HoldExpired:2:0", work));
        assert!(!concludes("fx:12:0", work) && !concludes("tell:00:2:0", work) && !concludes("req:a:b:2:0", work));
    }
}
