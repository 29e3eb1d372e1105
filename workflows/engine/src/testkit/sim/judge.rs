//! The judgement: what was written down while the seed ran, held against the tables and the outside party's books at its end.

use super::log::short;
use super::market::{RATE, Stall, State};
use super::wardens::Rounds;
use super::world::World;
use crate::attempt::MOST_DEATHS;
use crate::event::{EventKey, Fence, Input, What};
use crate::replay;
use crate::storage::Batch;
use crate::storage::schema::kind;
use crate::turn::{JournalRow, Mark, NewWork, RunRow};
use crate::{Replay, RunId, RunView, Spawn, Target, Tell, Timestamp, WorkId, Workflow};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Work as it was queued: when it was meant to happen, or whom it was for.
#[derive(Clone, Debug)]
enum Queued {
    Effect,
    Timer { due: i64 },
    Spawn { run: RunId },
    Tell { run: RunId },
}

/// What a batch would add, kept until its commit is through.
pub(super) struct Noted {
    queued: Vec<(WorkId, Queued)>,
}

/// What an onlooker who sees everything has written down.
#[derive(Default)]
pub(super) struct Oracle {
    pub(super) wrong: Vec<String>,
    /// Leases that were lost by their holder's silence.
    pub(super) lost: HashSet<Fence>,
    /// What an operator holds back.
    pub(super) held_back: BTreeSet<Target>,
    /// How often a party's rate or circuit let nobody claim, and how often its circuit opened.
    pub(super) throttled: u32,
    pub(super) openings: u32,
    /// When calls to the post were claimed.
    calls: Vec<i64>,
    /// Deaths of whoever held a piece of work, since it began or an operator had it tried again.
    deaths: HashMap<WorkId, i32>,
    /// How often work was put aside for its deaths.
    pub(super) crashed: u32,
    pub(super) rounds: Rounds,
    /// How often runs were put away, and brought back.
    pub(super) archived: u32,
    pub(super) restored: u32,
    /// Commits of which something was decided from memory, and those that found it changed.
    pub(super) recalled: u32,
    pub(super) outdated: u32,
    /// What the archive has forgotten, and how much that is.
    pub(super) purged: u32,
    pub(super) forgotten: Vec<(RunRow, Vec<JournalRow>)>,
    beats: HashMap<Uuid, i64>,
    queued: BTreeMap<WorkId, Queued>,
    holders: BTreeMap<u32, RunId>,
    started: BTreeSet<RunId>,
    promised: BTreeSet<(RunId, String)>,
}

impl Oracle {
    pub(super) fn heard(&mut self, process: Uuid, now: i64) {
        self.beats.insert(process, now);
    }

    /// Nobody completes what is not in his hands any more.
    pub(super) fn accepted_late(&mut self, completed: Vec<WorkId>) {
        for work in completed {
            self.wrong.push(format!("a late completion of {work} is accepted"));
        }
    }

    /// A rescue may free only what a silent process holds.
    pub(super) fn freed(&mut self, holder: Uuid, fence: Fence, silent_since: i64) {
        if self.beats.get(&holder).is_some_and(|beat| *beat > silent_since) {
            self.wrong.push(format!("the lease of {} is taken from a process that is alive", fence.work));
        }
        self.lost.insert(fence);
        *self.deaths.entry(fence.work).or_default() += 1;
    }

    /// Nothing but a death is held against work, and every death is.
    pub(super) fn has_seen(&mut self, work: WorkId, counted: i32) {
        let seen = self.deaths(work);
        if seen != counted {
            self.wrong.push(format!("{counted} deaths are held against {work}, which has seen {seen}"));
        }
    }

    fn deaths(&self, work: WorkId) -> i32 {
        self.deaths.get(&work).copied().unwrap_or_default()
    }

    /// Nothing is put aside for its deaths before they are too many.
    pub(super) fn set_aside(&mut self, work: WorkId) {
        self.crashed += 1;
        if self.deaths(work) < MOST_DEATHS {
            self.wrong.push(format!("{work} is put aside after {} deaths", self.deaths(work)));
        }
    }

    /// Nothing is tried once they are.
    pub(super) fn tried(&mut self, work: WorkId) {
        if self.deaths(work) >= MOST_DEATHS {
            self.wrong.push(format!("{work} is tried after {} deaths", self.deaths(work)));
        }
    }

    /// An operator has work tried again: it begins anew.
    pub(super) fn retried(&mut self, work: WorkId) {
        self.deaths.remove(&work);
    }

    /// Nothing is begun while an operator holds it back.
    pub(super) fn may_begin(&mut self, work: &NewWork) {
        let held = |target: &Target| match target {
            Target::Queue(name) => name == work.queue,
            Target::Workflow(name) => *name == work.workflow,
            Target::Party(_) => false,
        };
        if let Some(target) = self.held_back.iter().find(|target| held(target)) {
            self.wrong.push(format!("{} is begun while {target} is held back", work.work));
        }
    }

    /// No more calls to a party than its rate allows over any time, none before its circuit's rest is over, and then one.
    pub(super) fn called_for(&mut self, now: i64, calls: i32, until: Option<i64>) {
        if let Some(until) = until
            && (now < until || calls > 1)
        {
            self.wrong.push(format!("{calls} calls are claimed at {now} while the circuit rests until {until}"));
        }
        self.calls.extend((0..calls).map(|_| now));
        for (earlier, since) in self.calls.iter().enumerate() {
            let within = self.calls.len() - earlier;
            let most = f64::from(RATE.burst) + RATE.per_second * ((now - since) as f64 / 1e6);
            if within as f64 > most + 1e-6 {
                self.wrong.push(format!("{within} calls are claimed in {} µs", now - since));
            }
        }
    }

    /// A client was told yes.
    pub(super) fn promised(&mut self, input: &Input) {
        match &input.what {
            What::Start { .. } => drop(self.started.insert(input.run)),
            What::Event { key, .. } => drop(self.promised.insert((input.run, key.to_string()))),
            What::Due => {}
        }
    }

    pub(super) fn note(&self, batch: &Batch) -> Noted {
        let queued = batch.queued.iter().map(|queued| {
            let work = &queued.work;
            let read = "the engine reads what it wrote";
            let what = match work.kind {
                kind::EFFECT => Queued::Effect,
                kind::TIMER => Queued::Timer { due: work.due.timestamp_micros() },
                kind::SPAWN => Queued::Spawn { run: serde_json::from_str::<Spawn>(&work.payload).expect(read).run },
                _ => Queued::Tell { run: serde_json::from_str::<Tell>(&work.payload).expect(read).run },
            };
            (work.work, what)
        });
        Noted { queued: queued.collect() }
    }

    pub(super) fn committed(&mut self, noted: Noted, stalls: &[(RunId, u32, State)]) {
        for (work, what) in noted.queued {
            if self.queued.insert(work, what).is_some() {
                self.wrong.push(format!("{work} was queued twice"));
            }
        }
        for (run, pitch, state) in stalls {
            match self.holders.get(pitch) {
                Some(other) if other != run && state.holds() => {
                    self.wrong.push(format!("pitch {pitch} is held by {} and {}", short(*other), short(*run)));
                }
                Some(holder) if holder == run && !state.holds() => drop(self.holders.remove(pitch)),
                None if state.holds() => drop(self.holders.insert(*pitch, *run)),
                _ => {}
            }
        }
    }
}

impl World {
    /// Everything that does not hold, in words.
    pub(super) fn judge(&mut self) -> Vec<String> {
        let mut wrong = std::mem::take(&mut self.oracle.wrong);
        wrong.append(&mut self.party.books().wrong);
        self.archive(&mut wrong);
        self.rounds(&mut wrong);
        self.promises(&mut wrong);
        self.ends(&mut wrong);
        self.journals(&mut wrong);
        self.errands(&mut wrong);
        self.money(&mut wrong);
        wrong
    }

    /// Whatever was put away was over, with nothing left to do. From here on everything is read as if it had stayed where it was.
    fn archive(&mut self, wrong: &mut Vec<String>) {
        for work in self.memory.work.keys().filter(|work| self.memory.is_archived(**work)) {
            wrong.push(format!("{work} is left of a run that was put away"));
        }
        self.memory.unfold(std::mem::take(&mut self.oracle.forgotten));
    }

    /// What somebody was told yes to is there, once.
    fn promises(&self, wrong: &mut Vec<String>) {
        for run in &self.oracle.started {
            if !self.memory.runs.contains_key(run) {
                wrong.push(format!("the start of {} was acknowledged and is lost", short(*run)));
            }
        }
        for (run, key) in &self.oracle.promised {
            if !self.memory.journalled(*run, key) {
                wrong.push(format!("{key} of {} was acknowledged and is lost", short(*run)));
            }
        }
    }

    /// Every run has ended, and no work is left.
    fn ends(&self, wrong: &mut Vec<String>) {
        for row in self.memory.runs.values().filter(|row| !row.finished) {
            wrong.push(format!("{} {} is left in {}", row.workflow, short(row.id), row.state_name));
        }
        for (work, row) in &self.memory.work {
            wrong.push(format!("{work} of kind {} is left, try {}", row.kind(), row.attempt));
        }
        if self.oracle.crashed == 0 {
            wrong.push("what kills its process was never put aside".to_owned());
        }
    }

    /// Every journal is a chain that replays; each event is in it once; time does not run backwards in it.
    fn journals(&self, wrong: &mut Vec<String>) {
        for (run, rows) in &self.memory.journal {
            let mut keys = HashSet::new();
            for row in rows {
                if !keys.insert(&row.key) {
                    wrong.push(format!("{} took {} in twice", short(*run), row.key));
                }
            }
            if let Some(pair) = rows.windows(2).find(|pair| pair[1].at < pair[0].at) {
                wrong.push(format!(
                    "{} took {} in before {}, which was due first",
                    short(*run),
                    pair[0].key,
                    pair[1].key
                ));
            }
            for why in self.replay(*run, rows).broken {
                wrong.push(format!("{} does not replay: {why}", short(*run)));
            }
        }
    }

    fn replay(&self, run: RunId, rows: &[JournalRow]) -> Replay {
        let row = &self.memory.runs[&run];
        let view = RunView {
            run,
            workflow: row.workflow.clone(),
            key: row.key.clone(),
            parent: row.parent,
            input: row.input.clone(),
            state: row.state.clone(),
            state_name: row.state_name.clone(),
            seq: row.seq,
            finished: row.finished,
            unexpected: row.unexpected,
            archived: None,
            shape: row.shape.into(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        replay::prove(self.registry.get(&row.workflow), &view, rows)
    }

    /// Every piece of work that was committed came to its one end.
    fn errands(&self, wrong: &mut Vec<String>) {
        let mut letters = 0;
        for (work, what) in &self.oracle.queued {
            match what {
                Queued::Effect => {
                    let answered = self.memory.journalled(work.run, EventKey::outcome(*work).as_str());
                    if answered == self.memory.withdrawn.contains(work) {
                        wrong.push(format!(
                            "effect {work} was {}",
                            if answered { "withdrawn and answered" } else { "lost" }
                        ));
                    }
                }
                Queued::Timer { due } => self.fired(*work, *due, wrong),
                Queued::Spawn { run } => {
                    letters += 1;
                    if self.memory.runs.get(run).is_none_or(|row| row.parent != Some(work.run)) {
                        wrong.push(format!("{} was spawned by {work} and is not there", short(*run)));
                    }
                }
                Queued::Tell { run } => {
                    if !self.memory.journalled(*run, EventKey::tell(*work).as_str()) {
                        wrong.push(format!("{} never heard {work}", short(*run)));
                    }
                }
            }
        }
        let born = self.memory.runs.values().filter(|row| row.parent.is_some()).count();
        if born != letters {
            wrong.push(format!("{letters} letters were to be written and {born} were"));
        }
    }

    /// A timer that fired did so at its own instant.
    fn fired(&self, work: WorkId, due: i64, wrong: &mut Vec<String>) {
        let end = format!(":{}:{}", work.seq, work.n);
        let rows = self.memory.journal.get(&work.run).into_iter().flatten();
        let fired = rows.filter(|row| row.key.starts_with("tm:") && row.key.ends_with(&end));
        for row in fired.filter(|row| row.at.timestamp_micros() != due) {
            wrong.push(format!(
                "{} of {} fired at {} instead of {due}",
                row.key,
                short(work.run),
                row.at.timestamp_micros()
            ));
        }
    }

    /// The outside party's books say what the stalls' states say, and so do the facts.
    fn money(&self, wrong: &mut Vec<String>) {
        let books = self.party.books();
        for row in self.memory.runs.values().filter(|row| row.workflow == Stall::NAME) {
            let state: State = serde_json::from_str(&row.state).expect("the engine reads what it wrote");
            let kept = books.fees(row.id);
            if kept != state.fees() {
                wrong.push(format!("{} is {} and the party keeps {kept} fees", short(row.id), row.state_name));
            }
            let opened = self.memory.journal[&row.id]
                .iter()
                .filter(|turn| turn.mark == Mark::Moved && turn.to == "Open" && turn.from != "Open");
            let facts = self.memory.facts.iter().filter(|fact| fact.run == row.id && fact.kind == "opened");
            if opened.count() != facts.count() {
                wrong.push(format!("{} did not post one fact per opening", short(row.id)));
            }
        }
    }
}
