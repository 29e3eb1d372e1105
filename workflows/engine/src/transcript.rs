//! The whole story of a run: every turn with what it queued, what became of that, and what it posted.
//!
//! Work that is done leaves no row behind, so what a turn queued is decided again from the journal ([`walk`]); what became of it is
//! told by later turns, by the work that still waits, and by the runs that were started.

use crate::engine::Engine;
use crate::listing::readable;
use crate::operate::turn_view;
use crate::process::RawStep;
use crate::replay::{Again, Judgement, walk};
use crate::salvage::{Damaged, Salvage, of_turn, of_work};
use crate::step::variant;
use crate::storage::single::query;
use crate::storage::{instant, work_id};
use crate::{RunId, RunView, Timestamp, TurnView, WorkId, WorkView};
use sea_orm::{DbErr, QueryResult};
use std::collections::BTreeMap;

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
    /// What cannot be read of all this, or contradicts itself.
    pub damaged: Vec<Damaged>,
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
    /// What would tell cannot be read.
    Unreadable,
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
    /// Tells a run's whole story, as far as it can be read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn transcript(&self, run: RunId) -> Result<Option<Transcript>, DbErr> {
        let (row, mut salvage) = (self.run_row(run).await?, Salvage::default());
        let Some(mut view) = row.map(|row| salvage.run(run, &row)) else { return Ok(None) };
        let mut journal = salvage.rows(&self.journal_rows(run).await?, of_turn("turn"), turn_view);
        journal.retain(|turn| turn.seq <= view.seq);
        if view.seq == i32::MAX {
            view.seq = journal.last().map_or(0, |turn| turn.seq);
        }
        let missing = missing(&journal, view.seq);
        if let Some(seq) = missing
            && !salvage.names(format!("turn {seq}"))
        {
            salvage.note(format!("turn {seq}"), "it is missing");
        }
        let waiting = salvage.rows(&self.work_rows(run).await?, of_work("work"), readable);
        let mut postings = salvage.rows(&self.posting_rows(run).await?, of_turn("a posting of turn"), posting);
        let tries = salvage.rows(&self.try_rows(run).await?, of_work("a try at"), tried);
        let mut decided = self.decided(&view, &mut salvage).await;
        let mut turns = Vec::with_capacity(journal.len());
        for turn in &journal {
            let (state, step) = decided.remove(&turn.seq).map_or((None, None), |again| (again.state, again.step));
            let mut queued = step.map(|step| queued(run, turn.seq, step));
            for one in queued.iter_mut().flatten() {
                one.became = match self.fate(one, (&journal, &waiting), &mut salvage).await {
                    Became::TakenBack if missing.is_some() => Became::Unreadable,
                    became => became,
                };
            }
            let (own, rest) = postings.into_iter().partition(|posting| posting.seq == turn.seq);
            postings = rest;
            turns.push(TurnStory { turn: turn.clone(), state, queued, postings: own });
        }
        Ok(Some(Transcript { run: view, turns, waiting, tries, damaged: salvage.0 }))
    }

    /// Every turn decided again, as far as this build can tell.
    async fn decided(&self, view: &RunView, salvage: &mut Salvage) -> BTreeMap<i32, Again> {
        let Some(process) = self.registry().get(&view.workflow) else { return BTreeMap::new() };
        let turns = match self.rows(view).await {
            Ok(rows) => walk(process, view, &rows),
            Err(why) => {
                salvage.note("what was queued", why);
                vec![]
            }
        };
        let broken = turns.iter().filter_map(|turn| match &turn.judgement {
            Judgement::Broken(why) => Some(why),
            Judgement::Proven | Judgement::NotJudged => None,
        });
        broken.for_each(|why| salvage.note("the journal", why));
        let last = turns.last().filter(|turn| turn.seq == view.seq).and_then(|turn| turn.state.as_ref());
        if last.is_some_and(|state| *state != view.state) {
            salvage.note("the run's state", "it is not the one that its journal leads to");
        }
        turns.into_iter().map(|turn| (turn.seq, turn)).collect()
    }

    async fn posting_rows(&self, run: RunId) -> Result<Vec<QueryResult>, DbErr> {
        let sql = "select seq, kind, body, at, position from event_log where run = $1 order by seq, n";
        query(&self.core.db.read, sql, vec![run.uuid().into()]).await
    }

    /// The tries at a run's work that failed, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tries(&self, run: RunId) -> Result<Vec<TryView>, DbErr> {
        self.try_rows(run).await?.iter().map(tried).collect()
    }

    async fn try_rows(&self, run: RunId) -> Result<Vec<QueryResult>, DbErr> {
        let sql =
            "select run, seq, n, attempt, at, class, why from workflow_try where run = $1 order by at, seq, n, attempt";
        query(&self.core.db.read, sql, vec![run.uuid().into()]).await
    }

    /// Finds out what became of a piece of work.
    async fn fate(
        &self,
        one: &QueuedWork,
        (journal, waiting): (&[TurnView], &[WorkView]),
        salvage: &mut Salvage,
    ) -> Became {
        let pending = waiting.iter().find(|view| view.work == one.work);
        match (pending, one.to) {
            (Some(WorkView { standing, attempt, last_error, .. }), _) => {
                Became::Pending { standing, attempts: *attempt, last_error: last_error.clone() }
            }
            (None, _) if salvage.names(format!("work {}", one.work)) => Became::Unreadable,
            (None, Some(to)) if one.kind == "spawn" => match self.run(to).await {
                Ok(started) => Became::Delivered { state: started.map(|child| child.state_name) },
                Err(why) => {
                    salvage.note(to, why);
                    Became::Unreadable
                }
            },
            (None, Some(_)) => Became::Delivered { state: None },
            (None, None) => journal
                .iter()
                .find(|turn| concludes(&turn.key, one.work))
                .map_or(Became::TakenBack, |turn| Became::Turn { seq: turn.seq, attempts: turn.attempts }),
        }
    }
}

fn posting(row: &QueryResult) -> Result<Posting, DbErr> {
    Ok(Posting {
        seq: row.try_get_by_index(0)?,
        kind: row.try_get_by_index(1)?,
        body: row.try_get_by_index(2)?,
        at: instant(row.try_get_by_index(3)?),
        position: row.try_get_by_index(4)?,
    })
}

fn tried(row: &QueryResult) -> Result<TryView, DbErr> {
    Ok(TryView {
        work: work_id(row, 0)?,
        attempt: row.try_get_by_index(3)?,
        at: instant(row.try_get_by_index(4)?),
        class: row.try_get_by_index(5)?,
        why: row.try_get_by_index(6)?,
    })
}

/// The first turn that a journal up to this one lacks.
fn missing(journal: &[TurnView], last: i32) -> Option<i32> {
    (0..=last).find(|seq| journal.binary_search_by_key(seq, |turn| turn.seq).is_err())
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
