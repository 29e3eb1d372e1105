//! One run in the making: it takes in due timers and inputs one after the other and keeps what must be written in the end.

use super::{DueTimer, GENESIS, JournalRow, Mark, NewWork, RunRow, digest, link};
use crate::event::{EventKey, Input, Manner, What};
use crate::process::{Process, RawStep};
use crate::step::{encode, variant};
use crate::storage::{FenceRow, schema::kind};
use crate::{
    Conflict, ENGINE_QUEUE, Moved, Origin, Posted, Priority, Refusal, RunId, Scope, Timestamp, Verdict, WorkId,
};
use std::sync::Arc;
use std::time::Duration;

/// Timers that set timers that are already due: past this many in one turn it is a mistake, not patience.
const MOST_TIMERS_AT_ONCE: usize = 1000;
/// The largest event, state or effect; bigger things live in the object store and travel by key.
const PAYLOAD_LIMIT: usize = 64 * 1024;

/// The author's code failed on this run; with the timer it failed on, if it was one.
#[derive(Debug)]
pub(crate) struct Spoiled {
    pub(crate) run: RunId,
    pub(crate) timer: Option<WorkId>,
    pub(crate) why: String,
}

/// A run between load and write.
pub(crate) struct Draft {
    pub(crate) process: Arc<dyn Process>,
    pub(crate) row: RunRow,
    pub(crate) born: bool,
    timers: Vec<DueTimer>,
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) added: Vec<NewWork>,
    pub(crate) done: Vec<WorkId>,
    pub(crate) facts: Vec<Posted>,
    pub(crate) withdrawn: Vec<String>,
    pub(crate) replaced: Vec<String>,
    /// The run came to its end here; a finished one that takes another fact does not end again.
    pub(crate) ended: bool,
    /// The state's own timers in the database must go.
    pub(crate) left: bool,
    pub(crate) takes: Option<&'static str>,
    /// None of the timers that the database has is due before then, if that is known: at the end of time, it has none.
    pub(crate) quiet_until: Option<Timestamp>,
}

/// What a turn was caused by, for its journal row.
struct Cause<'a> {
    key: String,
    event: &'a str,
    origin: &'a Origin,
    tries: Option<&'a FenceRow>,
    note: Option<String>,
}

impl Draft {
    pub(crate) fn of(process: Arc<dyn Process>, row: RunRow, timers: Vec<DueTimer>) -> Self {
        Self {
            process,
            row,
            born: false,
            timers,
            journal: vec![],
            added: vec![],
            done: vec![],
            facts: vec![],
            withdrawn: vec![],
            replaced: vec![],
            ended: false,
            left: false,
            takes: None,
            quiet_until: None,
        }
    }

    /// Begins a run that is not in the database yet.
    pub(crate) fn start(process: Arc<dyn Process>, input: &Input, now: Timestamp) -> Result<Self, Spoiled> {
        let What::Start { workflow, key, input: terms, parent } = &input.what else {
            unreachable!("only a start begins a run")
        };
        let row = RunRow {
            id: input.run,
            workflow: workflow.clone(),
            key: key.clone(),
            parent: *parent,
            input: terms.clone(),
            state: String::new(),
            state_name: String::new(),
            shape: process.shape(),
            seq: -1,
            finished: false,
            unexpected: 0,
            head: GENESIS.to_vec(),
            begun: now,
        };
        let mut draft = Self::of(process, row, vec![]);
        (draft.born, draft.quiet_until) = (true, Some(Timestamp::MAX_UTC));
        let step = draft.process.start(terms, now).map_err(|why| draft.spoiled(None, why))?;
        let cause = Cause {
            key: EventKey::start().to_string(),
            event: "\"start\"",
            origin: &input.origin,
            tries: None,
            note: None,
        };
        draft.turn(step, &cause, now).map_err(|why| draft.spoiled(None, why))?;
        Ok(draft)
    }

    /// Until when none of its timers will be due once this is written, if that is known.
    pub(crate) fn quiet_until(&self) -> Option<Timestamp> {
        // One that is set for the end of time is a timer all the same.
        let in_ages = Timestamp::MAX_UTC - Duration::from_secs(1);
        let fresh = self.added.iter().filter(|w| w.kind == kind::TIMER).map(|w| w.due.min(in_ages));
        fresh.chain(self.quiet_until).min().filter(|_| self.quiet_until.is_some())
    }

    /// How many calls to outside parties it adds.
    pub(crate) fn calls(&self) -> usize {
        self.added.iter().filter(|w| w.kind == kind::EFFECT).count()
    }

    /// Lets every due timer fire, in order, each at the instant it was meant for.
    pub(crate) fn fire_due(&mut self, now: Timestamp) -> Result<(), Spoiled> {
        for _ in 0..MOST_TIMERS_AT_ONCE {
            let Some(timer) = self.next_due(now) else { return Ok(()) };
            let work = timer.work;
            self.fire(&timer).map_err(|why| self.spoiled(Some(work), why))?;
        }
        Err(self.spoiled(None, format!("more than {MOST_TIMERS_AT_ONCE} timers fired in one turn")))
    }

    /// The earliest due timer: loaded ones, and those that an earlier turn of this group set in the past.
    fn next_due(&mut self, now: Timestamp) -> Option<DueTimer> {
        let fresh = self.added.iter().filter(|w| w.kind == kind::TIMER && w.due <= now);
        let fresh = fresh.map(|w| DueTimer { work: w.work, payload: w.payload.clone(), due: w.due, scope: w.scope });
        let next = self.timers.iter().cloned().chain(fresh).min_by_key(|t| (t.due, t.work))?;
        // One that this very group has set is not in the database, and nothing of it is done there.
        self.done.extend(self.timers.extract_if(.., |t| t.work == next.work).map(|t| t.work));
        self.added.retain(|w| w.work != next.work);
        Some(next)
    }

    fn fire(&mut self, timer: &DueTimer) -> Result<(), String> {
        let event = self.process.elapsed(&timer.payload)?;
        let key = EventKey::timer(variant(&timer.payload), timer.work).to_string();
        let cause = Cause { key, event: &event, origin: &Origin::default(), tries: None, note: None };
        match self.process.on(&self.row.input, &self.row.state, &event, timer.due)? {
            Ok(step) => self.turn(step, &cause, timer.due),
            Err(refusal) => self.unexpected(&refusal, &cause, timer.due),
        }
    }

    /// Takes in one input after the timers. `Err` means the author's code failed; a refusal is a verdict.
    pub(crate) fn take(&mut self, input: &Input, tries: Option<&FenceRow>, now: Timestamp) -> Result<Verdict, Spoiled> {
        self.fire_due(now)?;
        self.event(input, tries, now).map_err(|why| self.spoiled(None, why))
    }

    fn event(&mut self, input: &Input, tries: Option<&FenceRow>, now: Timestamp) -> Result<Verdict, String> {
        let What::Event { key, event, manner } = &input.what else { return Ok(self.moved(false)) };
        let note = input.conflict.as_ref().map(encode);
        let mut cause = Cause { key: key.to_string(), event, origin: &input.origin, tries, note };
        let decided = match self.reconsidered(event, input.conflict.as_ref())? {
            Some(event) => self.process.on(&self.row.input, &self.row.state, &event, now)?,
            None => Err(Refusal::new("contested", "what this fact leads to is already taken")),
        };
        match (decided, manner) {
            (Ok(step), _) => {
                cause.note = cause.note.or_else(|| step.ignored.map(str::to_owned));
                self.turn(step, &cause, now)?;
                Ok(self.moved(false))
            }
            (Err(refusal), Manner::Command) => Ok(Verdict::Refused(refusal)),
            (Err(refusal), Manner::Fact) => {
                self.unexpected(&refusal, &cause, now)?;
                Ok(self.moved(true))
            }
        }
    }

    /// The event itself, or what it becomes after a conflict.
    fn reconsidered(&self, event: &str, conflict: Option<&Conflict>) -> Result<Option<String>, String> {
        match conflict {
            None => Ok(Some(event.to_owned())),
            Some(conflict) => self.process.contested(event, conflict),
        }
    }

    fn moved(&self, unexpected: bool) -> Verdict {
        Verdict::Moved(Moved { run: self.row.id, seq: self.row.seq, state: self.row.state_name.clone(), unexpected })
    }

    fn spoiled(&self, timer: Option<WorkId>, why: String) -> Spoiled {
        Spoiled { run: self.row.id, timer, why }
    }

    /// A fact without a place: it is journalled, the run is flagged, the state stays.
    fn unexpected(&mut self, refusal: &Refusal, cause: &Cause<'_>, at: Timestamp) -> Result<(), String> {
        self.row.unexpected += 1;
        self.row.seq += 1;
        let name = self.row.state_name.clone();
        self.journal(Mark::Unexpected, cause, (name, Some(refusal.to_string())), at)
    }

    /// Carries out a step: the run moves and everything that goes with it is noted for the write.
    fn turn(&mut self, step: RawStep, cause: &Cause<'_>, at: Timestamp) -> Result<(), String> {
        self.row.seq += 1;
        self.row.shape = self.row.shape.max(self.process.shape());
        let from = self.row.state_name.clone();
        if let Some(state) = step.state {
            self.enter(state, step.is_final);
        }
        self.work(step.effects, step.timers, cause.origin, at)?;
        self.relay(step.spawns, step.tells, cause.origin, at);
        self.post(step.facts, at);
        self.withdrawn.extend(step.withdrawn);
        self.takes = self.takes.or(step.takes);
        let mark = if step.ignored.is_some() { Mark::Ignored } else { Mark::Moved };
        self.journal(mark, cause, (from, cause.note.clone()), at)
    }

    /// Moves to a state: leaving a variant disarms its timers, finishing disarms them all.
    fn enter(&mut self, state: String, is_final: bool) {
        let name = variant(&state).to_owned();
        if name != self.row.state_name || is_final {
            self.left = true;
            let stays = |scope: Scope| scope == Scope::Run && !is_final;
            self.timers.retain(|t| stays(t.scope));
            self.added.retain(|w| w.kind != kind::TIMER || stays(w.scope));
        }
        self.row.state = state;
        self.row.state_name = name;
        self.ended |= is_final && !self.row.finished;
        self.row.finished = is_final;
    }

    fn work(
        &mut self,
        effects: Vec<crate::process::RawEffect>,
        timers: Vec<crate::process::RawTimer>,
        origin: &Origin,
        at: Timestamp,
    ) -> Result<(), String> {
        for effect in effects {
            if effect.payload.len() > PAYLOAD_LIMIT {
                return Err(format!("effect {} is larger than {PAYLOAD_LIMIT} bytes", variant(&effect.payload)));
            }
            let mut work = self.next_work(kind::EFFECT, effect.payload, at);
            work.queue = effect.queue;
            work.priority = effect.priority;
            work.lane = effect.lane.filter(|lane| !lane.key.is_empty());
            work.request = effect.request;
            self.queue(work, origin);
        }
        for timer in timers {
            let name = variant(&timer.payload).to_owned();
            self.timers.retain(|t| variant(&t.payload) != name);
            self.added.retain(|w| w.kind != kind::TIMER || w.name != name);
            self.replaced.push(name);
            let mut work = self.next_work(kind::TIMER, timer.payload, timer.at);
            work.scope = timer.scope;
            self.queue(work, origin);
        }
        Ok(())
    }

    fn relay(&mut self, spawns: Vec<crate::Spawn>, tells: Vec<crate::Tell>, origin: &Origin, at: Timestamp) {
        for spawn in spawns {
            let mut work = self.next_work(kind::SPAWN, encode(&spawn), at);
            work.name = spawn.workflow.into_owned();
            self.queue(work, origin);
        }
        for tell in tells {
            let mut work = self.next_work(kind::TELL, encode(&tell), at);
            work.name = format!("{}.{}", tell.workflow, variant(&tell.event));
            self.queue(work, origin);
        }
    }

    /// The turn's next piece of work, numbered in the order of the step.
    fn next_work(&self, kind: i16, payload: String, due: Timestamp) -> NewWork {
        let n = self.added.iter().filter(|w| w.work.seq == self.row.seq).map(|w| w.work.n + 1).max().unwrap_or(0);
        NewWork {
            work: WorkId { run: self.row.id, seq: self.row.seq, n },
            kind,
            scope: Scope::State,
            workflow: self.row.workflow.clone(),
            queue: ENGINE_QUEUE,
            priority: Priority::Normal,
            lane: None,
            name: variant(&payload).to_owned(),
            payload,
            request: None,
            due,
            trace: None,
        }
    }

    fn queue(&mut self, mut work: NewWork, origin: &Origin) {
        work.trace.clone_from(&origin.trace);
        self.added.push(work);
    }

    fn post(&mut self, facts: Vec<crate::Fact>, at: Timestamp) {
        for (n, fact) in (0i32..).zip(facts) {
            let (run, seq) = (self.row.id, self.row.seq);
            self.facts.push(Posted { run, seq, n, at, kind: fact.kind.into_owned(), body: fact.body });
        }
    }

    fn journal(
        &mut self,
        mark: Mark,
        cause: &Cause<'_>,
        (from, note): (String, Option<String>),
        at: Timestamp,
    ) -> Result<(), String> {
        if cause.event.len() > PAYLOAD_LIMIT || self.row.state.len() > PAYLOAD_LIMIT {
            return Err(format!("event or state is larger than {PAYLOAD_LIMIT} bytes"));
        }
        let mut row = JournalRow {
            run: self.row.id,
            key: cause.key.clone(),
            seq: self.row.seq,
            at,
            mark,
            event: cause.event.to_owned(),
            from,
            to: self.row.state_name.clone(),
            note,
            // Of whoever takes this turn: the run keeps the highest of all.
            shape: self.process.shape(),
            attempts: cause.tries.map_or(0, |t| t.attempt),
            last_error: cause.tries.and_then(|t| t.last_error.clone()),
            origin: cause.origin.clone(),
            state_digest: digest(&self.row.state),
            hash: vec![],
        };
        row.hash = link(&self.row.head, &row);
        self.row.head.clone_from(&row.hash);
        self.journal.push(row);
        Ok(())
    }
}
