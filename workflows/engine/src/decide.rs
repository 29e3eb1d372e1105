//! What a group of inputs means, decided in memory between load and write: verdicts, one batch of rows, and the runs that changed.
//!
//! Nothing here waits, reads a clock or knows a database: the same rows and inputs give the same decision, in the product as in the
//! simulation.

use crate::apply::Failure;
use crate::brake::Known;
use crate::event::{Input, Verdict, What};
use crate::faults::planted;
use crate::hands::{Fused, Hands, Lease, Room};
use crate::process::RawChanged;
use crate::registry::Registry;
use crate::storage::{Ask, Batch, Loaded, Queued, schema::kind};
use crate::turn::{Draft, JournalRow, Mark, NewWork, RunRow, Spoiled};
use crate::{Moved, News, RunId, Timestamp, WorkId};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What a process decides with: the workflows that its build knows, and the room it has for new work.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) hands: &'a Hands,
    /// The brakes, if we know them as they are in the rows.
    pub(crate) brakes: Option<&'a Known>,
}

/// A decided group: what to write, and what to do once that is committed.
pub(crate) struct Decided {
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) batch: Batch,
    /// The runs whose rows for people must follow, by workflow.
    pub(crate) changed: BTreeMap<&'static str, Vec<RawChanged>>,
    /// What the step said it takes; then a projection may meet a conflict.
    pub(crate) takes: Option<&'static str>,
    pub(crate) leases: Vec<Lease>,
    /// Queues with work that this process did not take itself.
    pub(crate) ring: BTreeSet<&'static str>,
    /// What the commit will have made true.
    pub(crate) news: Vec<News>,
    /// The runs that will soon come back, and until when none of their timers is due.
    pub(crate) soon: HashMap<RunId, Timestamp>,
}

impl Desk<'_> {
    /// Takes the inputs in, in order.
    ///
    /// `again` says that an earlier commit of the same inputs may have succeeded without our hearing of it: then an event that is in
    /// the journal already was ours.
    pub(crate) fn decide(self, loaded: Loaded, inputs: &[Input], again: bool) -> Result<Decided, Failure> {
        let mut group = Group::new(self, loaded, again);
        group.seen_here.reserve(inputs.len());
        let mut verdicts = Vec::with_capacity(inputs.len());
        for input in inputs {
            verdicts.push(group.take(input).map_err(Failure::Spoiled)?);
        }
        if inputs.len() > 1 {
            // All of them at once: for each that were found by itself, the rest would be decided once more.
            let takers: BTreeSet<_> = group.drafts.values().filter(|d| d.takes.is_some()).map(|d| d.row.id).collect();
            if !takers.is_empty() {
                return Err(Failure::NotAlone(takers));
            }
        }
        Ok(group.decided(verdicts))
    }

    /// A place for work that may be leased by the commit that queues it: it is due, no limit counts it, nothing holds it back, and
    /// nothing more urgent was left behind.
    fn room(self, work: &NewWork, now: Timestamp) -> Option<Room> {
        let brakes = self.brakes.filter(|_| work.due <= now && work.lane.is_none())?;
        let party = self.registry.party_of(work.queue);
        let free = party.is_none_or(|party| party.limits.rate.is_none())
            && brakes.lets(work.queue, &work.workflow, party.map(|party| party.name))
            && self.hands.is_next(work.queue, work.priority);
        free.then(|| self.hands.room(work.queue)).flatten()
    }
}

impl Ask {
    /// Everything that deciding these inputs needs to know.
    pub(crate) fn about(inputs: &[Input], again: bool) -> Self {
        let runs: BTreeSet<RunId> = inputs.iter().map(|i| i.run).collect();
        let keys = inputs.iter().filter_map(|input| match &input.what {
            What::Event { key, .. } if again || input.fence.is_none() => Some((input.run, key.to_string())),
            _ => None,
        });
        Self {
            runs: runs.into_iter().collect(),
            fences: inputs.iter().filter_map(|i| i.fence.map(|f| f.work)).collect(),
            keys: keys.collect(),
        }
    }
}

/// The runs of one group while it is decided.
struct Group<'a> {
    desk: Desk<'a>,
    loaded: Loaded,
    again: bool,
    drafts: BTreeMap<RunId, Box<Draft>>,
    /// Fenced work that is done although its run did not move (an event that came before, a child that exists).
    settled: Vec<WorkId>,
    seen_here: HashSet<(RunId, String)>,
    news: Vec<News>,
}

impl<'a> Group<'a> {
    fn new(desk: Desk<'a>, loaded: Loaded, again: bool) -> Self {
        Self { desk, loaded, again, drafts: BTreeMap::new(), settled: vec![], seen_here: HashSet::new(), news: vec![] }
    }

    fn take(&mut self, input: &Input) -> Result<Verdict, Spoiled> {
        let name = match &input.what {
            What::Event { key, .. } => Some((input.run, key.to_string())),
            _ => None,
        };
        if let Some(verdict) = self.before(input, name.as_ref()) {
            if matches!(verdict, Verdict::Duplicate) {
                self.repeated(input);
            }
            return Ok(verdict);
        }
        let verdict = match &input.what {
            What::Start { .. } => self.start(input)?,
            What::Event { .. } | What::Due => self.advance(input)?,
        };
        if matches!(verdict, Verdict::Moved(_)) {
            // Only now: what was refused, or found no run, was not taken in, and its twin in this group must not be told that it was.
            self.seen_here.extend(name);
        }
        // A claimed timer is done by firing, not by being claimed: a clock read a moment too early must not lose it.
        if let Some(fence) = input.fence
            && matches!(verdict, Verdict::Moved(_) | Verdict::Duplicate)
            && !matches!(input.what, What::Due)
        {
            self.loaded.fences.remove(&fence.work);
            self.settled.push(fence.work);
        }
        Ok(verdict)
    }

    /// Lost fences and repeated events never reach the run.
    fn before(&mut self, input: &Input, name: Option<&(RunId, String)>) -> Option<Verdict> {
        let fenced = input.fence.map(|f| self.loaded.fences.get(&f.work).is_some_and(|row| row.attempt == f.attempt));
        let seen = name.is_some_and(|name| self.loaded.seen.contains(name) || self.seen_here.contains(name))
            && !planted("no_event_key");
        match (fenced, seen) {
            (_, true) if self.again => Some(self.ours(input.run)),
            (Some(false), _) if !(planted("no_fencing") || planted("ack_before_work") || planted("no_outbox")) => {
                Some(Verdict::Stale)
            }
            (_, true) => {
                self.settled.extend(input.fence.map(|f| f.work));
                Some(Verdict::Duplicate)
            }
            _ => None,
        }
    }

    /// A run as it is by now: in the making, or as it was loaded.
    fn row(&self, run: RunId) -> Option<&RunRow> {
        self.drafts.get(&run).map(|draft| &draft.row).or_else(|| self.loaded.runs.get(&run))
    }

    /// The verdict of an earlier commit whose answer was lost.
    fn ours(&self, run: RunId) -> Verdict {
        match self.row(run) {
            Some(row) => Verdict::Moved(Moved { run, seq: row.seq, state: row.state_name.clone(), unexpected: false }),
            None => Verdict::NoSuchRun,
        }
    }

    fn start(&mut self, input: &Input) -> Result<Verdict, Spoiled> {
        let What::Start { workflow, .. } = &input.what else { unreachable!("only starts come here") };
        if self.row(input.run).is_some() {
            if self.again {
                return Ok(self.ours(input.run));
            }
            self.repeated(input);
            return Ok(Verdict::Duplicate);
        }
        let Some(process) = self.desk.registry.get(workflow) else { return Ok(Verdict::NewerShape) };
        let draft = Draft::start(process.clone(), input, self.loaded.now)?;
        let row = &draft.row;
        let moved = Moved { run: row.id, seq: row.seq, state: row.state_name.clone(), unexpected: false };
        self.drafts.insert(input.run, Box::new(draft));
        Ok(Verdict::Moved(moved))
    }

    fn advance(&mut self, input: &Input) -> Result<Verdict, Spoiled> {
        let tries = input.fence.and_then(|f| self.loaded.fences.get(&f.work)).cloned();
        if !self.drafts.contains_key(&input.run) {
            let Entry::Occupied(known) = self.loaded.runs.entry(input.run) else { return Ok(Verdict::NoSuchRun) };
            let row = known.get();
            let Some(process) = self.desk.registry.get(&row.workflow).filter(|p| p.reads() >= row.shape) else {
                return Ok(Verdict::NewerShape);
            };
            let timers = self.loaded.timers.remove(&input.run).unwrap_or_default();
            let mut draft = Box::new(Draft::of(process.clone(), known.remove(), timers));
            draft.quiet_until = self.loaded.quiet.remove(&input.run);
            self.drafts.insert(input.run, draft);
        }
        let draft = self.drafts.get_mut(&input.run).expect("it was there or just inserted");
        draft.take(input, tries.as_ref(), self.loaded.now)
    }

    fn repeated(&mut self, input: &Input) {
        let known = self.row(input.run).and_then(|run| self.desk.registry.get(&run.workflow));
        self.news.push(News::Repeated { workflow: known.map_or("unknown", |process| process.name()) });
    }

    fn decided(mut self, verdicts: Vec<Verdict>) -> Decided {
        let Loaded { now, real, .. } = self.loaded;
        let holder = self.desk.hands.process;
        let batch = Batch { now: now.timestamp_micros(), real, holder, done: self.settled, ..Batch::default() };
        let mut decided = Decided {
            verdicts,
            batch,
            changed: BTreeMap::new(),
            takes: self.drafts.values().find_map(|d| d.takes),
            leases: vec![],
            ring: BTreeSet::new(),
            news: self.news,
            soon: HashMap::new(),
        };
        decided.batch.expect(self.drafts.len());
        for draft in std::mem::take(&mut self.drafts).into_values() {
            decided.gather(*draft, self.desk, (now, real));
        }
        decided
    }
}

impl Decided {
    fn tell(&mut self, draft: &Draft) {
        let workflow = draft.process.name();
        if draft.born {
            self.news.push(News::Started { workflow });
        }
        self.news.extend(draft.journal.iter().map(|turn| News::Turned { workflow, verdict: turn.mark.as_str() }));
        if let (true, Some(last)) = (draft.ended, draft.journal.last()) {
            let (state, lasted) =
                (draft.row.state_name.clone(), (last.at - draft.row.begun).to_std().unwrap_or_default());
            self.news.push(News::Finished { workflow, state, lasted });
        }
    }

    /// Gathers what a draft left behind, claiming new work at once where this process has room for it.
    fn gather(&mut self, mut draft: Draft, desk: Desk<'_>, (now, real): (Timestamp, i64)) {
        self.tell(&draft);
        let quiet_until = draft.quiet_until().filter(|_| !draft.row.finished);
        let mut comes_back = !draft.born;
        // Only of a run that begins is it known here what else is under way: nothing.
        let alone = quiet_until.filter(|_| draft.born && draft.calls() == 1);
        for work in draft.added.drain(..) {
            let room = desk.room(&work, now);
            let leased = room.is_some();
            comes_back |= leased;
            if let Some(room) = room {
                let fused = Fused { input: draft.row.input.clone(), now, real };
                self.leases.push(desk.hands.lease(fused.row(&work), room));
            } else if work.due <= now {
                self.ring.insert(work.queue);
            }
            if leased && planted("no_outbox") {
                continue;
            }
            let quiet_until = alone.filter(|_| work.kind == kind::EFFECT);
            self.batch.queued.push(Queued { work, leased, quiet_until });
        }
        self.soon.extend(quiet_until.filter(|_| comes_back).map(|until| (draft.row.id, until)));
        // The turn that led here, not one that was ignored since: a re-projection finds the same one in the journal.
        if let Some(&JournalRow { seq, at, .. }) = draft.journal.iter().rev().find(|j| j.mark == Mark::Moved) {
            let row = &draft.row;
            let raw = RawChanged { run: row.id, input: row.input.clone(), state: row.state.clone(), seq, at };
            self.changed.entry(draft.process.name()).or_default().push(raw);
        }
        self.batch.gather(draft);
    }
}

impl Batch {
    /// Whether nothing moved and nothing was done.
    pub(crate) fn is_empty(&self) -> bool {
        self.journal.is_empty() && self.done.is_empty()
    }

    /// Whether no table gets or loses more than one row by a set of this.
    pub(crate) fn is_lone(&self) -> bool {
        let Self { born, moved, journal, done, left, ended, replaced, withdrawn, queued, facts, .. } = self;
        let runs = [born.len(), moved.len(), left.len(), ended.len(), journal.len()];
        let works = [done.len(), replaced.len(), withdrawn.len(), queued.len(), facts.len()];
        runs.into_iter().chain(works).all(|rows| rows <= 1)
    }

    /// Makes room for so many runs that move: most groups are completions, of work that leads to more.
    fn expect(&mut self, runs: usize) {
        self.moved.reserve(runs);
        self.journal.reserve(runs);
        self.done.reserve(runs);
    }

    fn gather(&mut self, mut draft: Draft) {
        let run = draft.row.id;
        if draft.left && !draft.born && draft.quiet_until != Some(Timestamp::MAX_UTC) {
            self.left.push(run);
            if draft.row.finished {
                self.ended.push(run);
            }
        }
        if draft.born {
            self.born.push(draft.row);
        } else if !draft.journal.is_empty() {
            self.moved.push(draft.row);
        }
        self.journal.append(&mut draft.journal);
        self.done.append(&mut draft.done);
        self.replaced.extend(draft.replaced.drain(..).map(|name| (run, name)));
        self.withdrawn.extend(draft.withdrawn.drain(..).map(|payload| (run, payload)));
        self.facts.append(&mut draft.facts);
    }
}
