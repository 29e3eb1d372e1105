//! The one commit: load and lock, decide, write, project. One run or sixty, the same way; the caller owns the transaction.

use crate::databases::{Trouble, trouble};
use crate::engine::Core;
use crate::event::{Input, Verdict, What};
use crate::faults::planted;
use crate::hands::{Fused, Lease, Room};
use crate::registry::RawChanged;
use crate::storage::{self, Ask, Batch, Loaded, Queued};
use crate::turn::{Draft, Mark, Spoiled};
use crate::{Conflict, Moved, ProjectError, RunId, Tx};
use sea_orm::DbErr;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Why a group could not be committed as it is.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The storage said no.
    Storage(DbErr),
    /// The author's code failed on one run.
    Spoiled(Spoiled),
    /// This run's step takes something scarce: it has to be committed alone.
    NotAlone(RunId),
    /// What the step wants is taken.
    Taken(Conflict),
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Storage(error)
    }
}

/// A decided group: verdicts for the callers, leases for the hands once the commit is through.
pub(crate) struct Applied {
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) leases: Vec<Lease>,
    /// Queues with work that this process did not take itself.
    pub(crate) ring: BTreeSet<&'static str>,
    /// The workflows whose runs kept a fact that found no place, once per fact.
    pub(crate) unexpected: Vec<&'static str>,
}

/// Takes the inputs in, in order, within the caller's transaction.
///
/// `again` says that an earlier commit of the same inputs may have succeeded without our hearing of it: then an event that is in
/// the journal already was ours.
pub(crate) async fn apply(core: &Core, tx: &Tx, inputs: &[Input], again: bool) -> Result<Applied, Failure> {
    let loaded = storage::load(&**tx, &ask(inputs, again)).await?;
    core.clock.note(loaded.now.timestamp_micros() - loaded.real);
    let mut group = Group::new(core, loaded, again);
    let mut verdicts = Vec::with_capacity(inputs.len());
    for input in inputs {
        verdicts.push(group.take(input).map_err(Failure::Spoiled)?);
    }
    if let Some(draft) = group.drafts.values().find(|d| d.takes.is_some())
        && inputs.len() > 1
    {
        return Err(Failure::NotAlone(draft.row.id));
    }
    let unexpected = std::mem::take(&mut group.unexpected);
    let (leases, ring) = group.write(tx).await?;
    Ok(Applied { verdicts, leases, ring, unexpected })
}

fn ask(inputs: &[Input], again: bool) -> Ask {
    let runs: BTreeSet<RunId> = inputs.iter().map(|i| i.run).collect();
    let keys = inputs.iter().filter_map(|input| match &input.what {
        What::Event { key, .. } if again || input.fence.is_none() => Some((input.run, key.to_string())),
        _ => None,
    });
    Ask {
        runs: runs.into_iter().collect(),
        fences: inputs.iter().filter_map(|i| i.fence.map(|f| f.work)).collect(),
        keys: keys.collect(),
    }
}

/// The runs of one group while it is decided.
struct Group<'a> {
    core: &'a Core,
    loaded: Loaded,
    again: bool,
    drafts: BTreeMap<RunId, Draft>,
    /// Fenced work that is done although its run did not move (an event that came before, a child that exists).
    settled: Vec<crate::WorkId>,
    seen_here: HashSet<(RunId, String)>,
    unexpected: Vec<&'static str>,
}

impl<'a> Group<'a> {
    fn new(core: &'a Core, loaded: Loaded, again: bool) -> Self {
        Self {
            core,
            loaded,
            again,
            drafts: BTreeMap::new(),
            settled: vec![],
            seen_here: HashSet::new(),
            unexpected: vec![],
        }
    }

    fn take(&mut self, input: &Input) -> Result<Verdict, Spoiled> {
        if let Some(verdict) = self.before(input) {
            return Ok(verdict);
        }
        let verdict = match &input.what {
            What::Start { .. } => self.start(input)?,
            What::Event { .. } | What::Due => self.advance(input)?,
        };
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
    fn before(&mut self, input: &Input) -> Option<Verdict> {
        let fenced = input.fence.map(|f| self.loaded.fences.get(&f.work).is_some_and(|row| row.attempt == f.attempt));
        let seen = match &input.what {
            What::Event { key, .. } => {
                let name = (input.run, key.to_string());
                self.loaded.seen.contains(&name) || !self.seen_here.insert(name)
            }
            _ => false,
        };
        match (fenced, seen) {
            (_, true) if self.again => Some(self.ours(input.run)),
            (Some(false), _) if !planted("no_fencing") => Some(Verdict::Stale),
            (_, true) => {
                self.settled.extend(input.fence.map(|f| f.work));
                Some(Verdict::Duplicate)
            }
            _ => None,
        }
    }

    /// The verdict of an earlier commit whose answer was lost.
    fn ours(&self, run: RunId) -> Verdict {
        match self.loaded.runs.get(&run) {
            Some(row) => Verdict::Moved(Moved { run, seq: row.seq, state: row.state_name.clone(), unexpected: false }),
            None => Verdict::NoSuchRun,
        }
    }

    fn start(&mut self, input: &Input) -> Result<Verdict, Spoiled> {
        let What::Start { workflow, .. } = &input.what else { unreachable!("only starts come here") };
        if self.drafts.contains_key(&input.run) || self.loaded.runs.contains_key(&input.run) {
            return Ok(if self.again { self.ours(input.run) } else { Verdict::Duplicate });
        }
        let Some(process) = self.core.registry.get(workflow) else { return Ok(Verdict::NewerShape) };
        let draft = Draft::start(process.clone(), input, self.loaded.now)?;
        let row = &draft.row;
        let moved = Moved { run: row.id, seq: row.seq, state: row.state_name.clone(), unexpected: false };
        self.drafts.insert(input.run, draft);
        Ok(Verdict::Moved(moved))
    }

    fn advance(&mut self, input: &Input) -> Result<Verdict, Spoiled> {
        let tries = input.fence.and_then(|f| self.loaded.fences.get(&f.work)).cloned();
        if !self.drafts.contains_key(&input.run) {
            let Some(row) = self.loaded.runs.get(&input.run) else { return Ok(Verdict::NoSuchRun) };
            let Some(process) = self.core.registry.get(&row.workflow).filter(|p| p.shape() >= row.shape) else {
                return Ok(Verdict::NewerShape);
            };
            let timers = self.loaded.timers.remove(&input.run).unwrap_or_default();
            self.drafts.insert(input.run, Draft::of(process.clone(), row.clone(), timers));
        }
        let draft = self.drafts.get_mut(&input.run).expect("it was there or just inserted");
        let verdict = draft.take(input, tries.as_ref(), self.loaded.now)?;
        if let Verdict::Moved(moved) = &verdict
            && moved.unexpected
        {
            let workflow = self.core.registry.get(&draft.row.workflow).map_or("unknown", |process| process.name());
            tracing::error!(run.id = %moved.run, workflow, state = moved.state, "a fact found no place in its run; it is kept and the run is flagged");
            self.unexpected.push(workflow);
        }
        Ok(verdict)
    }

    async fn write(mut self, tx: &Tx) -> Result<(Vec<Lease>, BTreeSet<&'static str>), Failure> {
        let mut drafts = std::mem::take(&mut self.drafts);
        let (mut batch, claimed, ring) = self.batch(&mut drafts);
        batch.done.append(&mut self.settled);
        let nothing = batch.journal.is_empty() && batch.done.is_empty();
        if !nothing {
            storage::write(&**tx, &batch).await?;
        }
        if !batch.facts.is_empty() {
            self.core.registry.poster.post(tx, &batch.facts).await?;
        }
        self.project(tx, &drafts).await?;
        Ok((claimed, ring))
    }

    /// Gathers what the drafts left behind, claiming new work at once where this process has room for it.
    fn batch(&self, drafts: &mut BTreeMap<RunId, Draft>) -> (Batch, Vec<Lease>, BTreeSet<&'static str>) {
        let Loaded { now, real, .. } = self.loaded;
        let hands = &self.core.hands;
        let mut batch = Batch { now: now.timestamp_micros(), real, holder: hands.process, ..Batch::default() };
        let (mut leases, mut ring) = (vec![], BTreeSet::new());
        for draft in drafts.values_mut() {
            for work in std::mem::take(&mut draft.added) {
                let room: Option<Room> = (work.due <= now).then(|| hands.room(work.queue)).flatten();
                let leased = room.is_some();
                if let Some(room) = room {
                    let fused = Fused { input: draft.row.input.clone(), now, real };
                    leases.push(hands.lease(fused.row(&work), room));
                } else if work.due <= now {
                    ring.insert(work.queue);
                }
                batch.queued.push(Queued { work, leased });
            }
            batch.gather(draft);
        }
        (batch, leases, ring)
    }

    async fn project(&self, tx: &Tx, drafts: &BTreeMap<RunId, Draft>) -> Result<(), Failure> {
        let mut changed: BTreeMap<&str, Vec<RawChanged>> = BTreeMap::new();
        for draft in drafts.values().filter(|d| d.journal.iter().any(|j| j.mark == Mark::Moved)) {
            let row = &draft.row;
            let at = draft.journal.last().map_or(self.loaded.now, |j| j.at);
            let raw = RawChanged { run: row.id, input: row.input.clone(), state: row.state.clone(), seq: row.seq, at };
            changed.entry(&row.workflow).or_default().push(raw);
        }
        for (workflow, changed) in changed {
            let process = self.core.registry.get(workflow).expect("a draft exists only for a known workflow");
            process.project(tx, changed).await.map_err(|error| contested(error, drafts))?;
        }
        Ok(())
    }
}

impl Batch {
    fn gather(&mut self, draft: &mut Draft) {
        let run = draft.row.id;
        if draft.born {
            self.born.push(draft.row.clone());
        } else if !draft.journal.is_empty() {
            self.moved.push(draft.row.clone());
        }
        if draft.left && !draft.born {
            self.left.push(run);
            if draft.row.finished {
                self.ended.push(run);
            }
        }
        self.journal.append(&mut draft.journal.clone());
        self.done.append(&mut draft.done);
        self.replaced.extend(draft.replaced.drain(..).map(|name| (run, name)));
        self.withdrawn.extend(draft.withdrawn.drain(..).map(|payload| (run, payload)));
        self.facts.append(&mut draft.facts);
    }
}

/// A projection's failure: a conflict, when the step said that one is possible.
fn contested(error: ProjectError<DbErr>, drafts: &BTreeMap<RunId, Draft>) -> Failure {
    let takes = drafts.values().find_map(|d| d.takes);
    match (error, takes) {
        (ProjectError::Taken(conflict), Some(_)) => Failure::Taken(conflict),
        (ProjectError::Storage(error), Some(wanted)) if trouble(&error) == Trouble::Unique => {
            Failure::Taken(Conflict::over(wanted, "its key is held by somebody else"))
        }
        (ProjectError::Storage(error), _) => Failure::Storage(error),
        (ProjectError::Taken(conflict), None) => {
            Failure::Storage(DbErr::Custom(format!("{conflict}, although the step takes nothing")))
        }
    }
}
