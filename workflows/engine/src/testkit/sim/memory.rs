//! The storage of the simulation: the rows and promises of the SQL one, in memory.
//!
//! What it shares with `engine::storage` is the vocabulary ([`Ask`], [`Loaded`], [`Batch`]); what it has to
//! repeat is what the databases promise: a transaction holds its runs and work rows from load to commit, a commit is all or nothing,
//! unique keys hold at commit, a claim passes over locked rows, a look taken before waiting for a lock does not see what came between.

use super::archive::Archived;
use super::market::State;
use super::wardens::{Tick, Ticks};
use crate::event::Fence;
use crate::faults::planted;
use crate::process::RawChanged;
use crate::recall::Granted;
use crate::storage::brakes::BrakeRow;
use crate::storage::schema::{LEASED, PARKED, kind};
use crate::storage::{Ask, Batch, FenceRow, Loaded, instant};
use crate::turn::{DueTimer, JournalRow, NewWork, RunRow};
use crate::{Conflict, Posted, RunId, Scope, Target, WorkId};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// A transaction that stands still for this long is ended by the server.
const IDLE_LIMIT: i64 = 15_000_000;

/// A row of `workflow_work`.
#[derive(Clone, Debug)]
pub(super) struct WorkRow {
    pub(super) new: NewWork,
    pub(super) not_before: i64,
    pub(super) attempt: i32,
    pub(super) failures: i32,
    pub(super) deaths: i32,
    pub(super) holder: Option<Uuid>,
    pub(super) first_claimed_at: Option<i64>,
    pub(super) outcome: Option<String>,
    pub(super) error_class: Option<String>,
    pub(super) last_error: Option<String>,
}

/// A transaction between load and commit.
#[derive(Debug)]
struct Open {
    tx: u64,
    since: i64,
    runs: Vec<RunId>,
    work: Vec<WorkId>,
    /// Runs that it has brought back from the archive.
    restored: Vec<RunId>,
    /// The row of a schedule's instant that it has written.
    tick: Option<Tick>,
}

/// What a transaction saw before it had to wait.
#[derive(Debug, Default)]
pub(super) struct Glimpse {
    runs: HashSet<RunId>,
    seen: HashSet<(RunId, String)>,
}

/// Why a commit did not happen.
#[derive(Debug)]
pub(super) enum Refused {
    /// The server has ended the transaction.
    Gone,
    /// A unique key is taken.
    Unique,
    /// A pitch is taken.
    Taken(Conflict),
    /// What was decided from memory is not so.
    Outdated,
}

/// All tables.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) runs: BTreeMap<RunId, RunRow>,
    pub(super) journal: BTreeMap<RunId, Vec<JournalRow>>,
    pub(super) work: BTreeMap<WorkId, WorkRow>,
    pub(super) facts: Vec<Posted>,
    /// Work that was taken back before anybody had claimed it.
    pub(super) withdrawn: BTreeSet<WorkId>,
    pub(super) brakes: BTreeMap<Target, BrakeRow>,
    /// The number of the last change of a brake.
    pub(super) changes: i32,
    pub(super) due: BTreeSet<(i64, WorkId)>,
    pub(super) ticks: Ticks,
    pub(super) archive: BTreeMap<RunId, Archived>,
    /// When a run took something in last.
    pub(super) touched: BTreeMap<RunId, i64>,
    names: HashSet<(String, String)>,
    pitches: BTreeMap<u32, RunId>,
    beats: BTreeMap<Uuid, i64>,
    open: Vec<Open>,
    txs: u64,
}

impl Memory {
    /// Loads and locks; `None` while somebody else holds what is wanted. `glimpse` is kept from the first try to the last.
    pub(super) fn begin(&mut self, ask: &Ask, now: i64, glimpse: &mut Option<Glimpse>) -> Option<(u64, Loaded)> {
        let glimpse = glimpse.get_or_insert_with(|| self.glimpse(ask));
        self.end_idle(now);
        let timers: Vec<WorkId> = ask.runs.iter().flat_map(|run| self.due_timers(*run, now)).collect();
        let wanted = |work: &WorkId| ask.fences.contains(work) || timers.contains(work);
        if self.open.iter().any(|o| o.runs.iter().any(|r| ask.runs.contains(r)) || o.work.iter().any(wanted)) {
            return None;
        }
        let glimpse = std::mem::take(glimpse);
        let loaded = self.load(ask, glimpse, now);
        let runs = loaded.runs.keys().copied().collect();
        let work = loaded.fences.keys().copied().chain(timers).collect();
        Some((self.open(now, runs, work), loaded))
    }

    /// Opens a transaction that has locked this.
    pub(super) fn open(&mut self, since: i64, runs: Vec<RunId>, work: Vec<WorkId>) -> u64 {
        self.txs += 1;
        self.open.push(Open { tx: self.txs, since, runs, work, restored: vec![], tick: None });
        self.txs
    }

    /// What a transaction that has its locks sees; what exists at all it has seen in a glimpse before it waited for them.
    pub(super) fn load(&self, ask: &Ask, glimpse: Glimpse, now: i64) -> Loaded {
        let mut loaded = Loaded {
            now: instant(now),
            real: now,
            brakes: self.changes,
            runs: HashMap::with_capacity(ask.runs.len()),
            timers: HashMap::new(),
            fences: HashMap::with_capacity(ask.fences.len()),
            seen: glimpse.seen,
            quiet: HashMap::new(),
        };
        for run in ask.runs.iter().filter(|run| glimpse.runs.contains(run)) {
            loaded.runs.extend(self.runs.get(run).map(|row| (*run, row.clone())));
        }
        for work in &ask.fences {
            let fence = |row: &WorkRow| FenceRow { attempt: row.attempt, last_error: row.last_error.clone() };
            loaded.fences.extend(self.work.get(work).map(|row| (*work, fence(row))));
        }
        for work in ask.runs.iter().flat_map(|run| self.due_timers(*run, now)) {
            let NewWork { payload, due, scope, .. } = &self.work[&work].new;
            let timer = DueTimer { work, payload: payload.clone(), due: *due, scope: *scope };
            loaded.timers.entry(work.run).or_default().push(timer);
        }
        loaded
    }

    pub(super) fn glimpse(&self, ask: &Ask) -> Glimpse {
        let runs = ask.runs.iter().filter(|run| self.runs.contains_key(run)).copied().collect();
        let seen = ask.keys.iter().filter(|(run, key)| self.journalled(*run, key)).cloned().collect();
        Glimpse { runs, seen }
    }

    fn due_timers(&self, run: RunId, now: i64) -> impl Iterator<Item = WorkId> + '_ {
        let due = move |row: &WorkRow| {
            row.new.kind == kind::TIMER && row.not_before < PARKED && row.new.due.timestamp_micros() <= now
        };
        self.work_of(run).filter(move |(_, row)| due(row)).map(|(work, _)| *work)
    }

    pub(super) fn work_of(&self, run: RunId) -> impl Iterator<Item = (&WorkId, &WorkRow)> {
        self.work.range(WorkId { run, seq: 0, n: 0 }..=WorkId { run, seq: i32::MAX, n: i32::MAX })
    }

    /// Whether an event of this key is in the run's journal.
    pub(super) fn journalled(&self, run: RunId, key: &str) -> bool {
        self.journal.get(&run).is_some_and(|rows| rows.iter().any(|row| row.key == key))
    }

    /// Whether this claim is the latest.
    pub(super) fn holds(&self, fence: Fence) -> bool {
        self.work.get(&fence.work).is_some_and(|row| row.attempt == fence.attempt)
    }

    /// Takes back whatever a transaction has done.
    pub(super) fn rollback(&mut self, tx: u64) {
        let at = self.open.iter().position(|open| open.tx == tx);
        for run in at.map(|at| self.open.remove(at).restored).unwrap_or_default() {
            self.stash(run);
        }
    }

    /// The server ends transactions that stand still for too long.
    fn end_idle(&mut self, now: i64) {
        let idle: Vec<u64> = self.open.iter().filter(|o| now - o.since >= IDLE_LIMIT).map(|o| o.tx).collect();
        idle.into_iter().for_each(|tx| self.rollback(tx));
    }

    /// Ends a transaction by its commit; the runs that it had locked, unless the server has ended it.
    pub(super) fn close(&mut self, tx: u64) -> Option<Vec<RunId>> {
        let at = self.open.iter().position(|open| open.tx == tx)?;
        let Open { runs, tick, .. } = self.open.remove(at);
        tick.into_iter().for_each(|tick| self.ticks.insert(tick));
        Some(runs)
    }

    /// Writes the row of a schedule's instant within a transaction.
    pub(super) fn tick(&mut self, tx: u64, tick: Tick) {
        let open = self.open.iter_mut().find(|open| open.tx == tx);
        open.into_iter().for_each(|open| open.tick = Some(tick));
    }

    /// Whether a transaction has written this row.
    pub(super) fn is_ticking(&self, tick: Tick) -> bool {
        self.open.iter().any(|open| open.tick == Some(tick))
    }

    /// Remembers what a transaction has brought back.
    pub(super) fn restored(&mut self, tx: u64, runs: &[RunId]) {
        let open = self.open.iter_mut().find(|open| open.tx == tx);
        open.into_iter().for_each(|open| open.restored.extend(runs));
    }

    /// Whether a transaction has brought a run back and not committed yet: others do not see it.
    pub(super) fn is_restoring(&self) -> bool {
        self.open.iter().any(|open| !open.restored.is_empty())
    }

    /// Whether a transaction has this run.
    pub(super) fn is_run_locked(&self, run: RunId) -> bool {
        self.open.iter().any(|open| open.runs.contains(&run))
    }

    /// A key that nobody has any more is free.
    pub(super) fn forget_name(&mut self, row: &RunRow) {
        self.names.remove(&(row.workflow.clone(), row.key.clone()));
    }

    /// Commits all or nothing; what the databases refuse is refused here.
    pub(super) fn commit(
        &mut self,
        tx: u64,
        batch: Batch,
        granted: Option<&Granted>,
        stalls: &[(RunId, u32, State)],
    ) -> Result<(), Refused> {
        if self.open.iter().all(|open| open.tx != tx) {
            return Err(Refused::Gone);
        }
        if granted.is_some_and(|granted| !self.grants(tx, &batch, granted)) {
            self.rollback(tx);
            return Err(Refused::Outdated);
        }
        let fits = self.unique(&batch).and_then(|()| self.project(stalls));
        if fits.is_err() {
            self.rollback(tx);
            return fits;
        }
        self.close(tx);
        self.write(batch);
        Ok(())
    }

    /// Whether the rows are as a process remembers them. One that somebody else has locked is taken for changed: the databases wait for
    /// him, and mostly that is how they find it then.
    fn grants(&self, tx: u64, batch: &Batch, granted: &Granted) -> bool {
        let others = || self.open.iter().filter(|open| open.tx != tx);
        let same = |(run, head): (&RunId, &Vec<u8>)| {
            let free = others().all(|open| !open.runs.contains(run));
            free && (planted("no_recall_check") || self.runs.get(run).is_some_and(|row| row.head == *head))
        };
        let first = |work: &WorkId| {
            let free = others().all(|open| !open.work.contains(work));
            let untried = |row: &WorkRow| planted("no_fencing") || (row.attempt == 1 && row.last_error.is_none());
            free && self.work.get(work).is_some_and(untried)
        };
        let absent = |row: &RunRow| !self.runs.contains_key(&row.id) && !self.is_named(row);
        granted.heads.iter().all(same) && batch.done.iter().all(first) && batch.born.iter().all(absent)
    }

    fn is_named(&self, row: &RunRow) -> bool {
        self.names.contains(&(row.workflow.clone(), row.key.clone()))
    }

    fn unique(&self, batch: &Batch) -> Result<(), Refused> {
        let born = batch.born.iter().any(|row| self.runs.contains_key(&row.id) || self.is_named(row));
        let told = !planted("no_event_key") && batch.journal.iter().any(|row| self.journalled(row.run, &row.key));
        let queued =
            batch.queued.iter().any(|q| self.work.contains_key(&q.work.work) && !batch.done.contains(&q.work.work));
        let place = |fact: &Posted| (fact.run, fact.seq, fact.n);
        let posted = batch.facts.iter().any(|fact| self.facts.iter().any(|old| place(old) == place(fact)));
        if born || told || queued || posted { Err(Refused::Unique) } else { Ok(()) }
    }

    /// The projection of the stalls: one row per pitch, unique.
    fn project(&mut self, stalls: &[(RunId, u32, State)]) -> Result<(), Refused> {
        for (run, pitch, state) in stalls {
            match self.pitches.get(pitch) {
                Some(other) if other != run && state.holds() => {
                    return Err(Refused::Taken(Conflict::over("pitch", format!("pitch {pitch} is {other}'s"))));
                }
                Some(holder) if holder == run && !state.holds() => drop(self.pitches.remove(pitch)),
                None if state.holds() => drop(self.pitches.insert(*pitch, *run)),
                _ => {}
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: Batch) {
        let Batch { now, real, holder, born, moved, journal, done, left, ended, replaced, withdrawn, queued, facts } =
            batch;
        for work in done {
            self.delete(work);
        }
        for run in left {
            let all = ended.contains(&run);
            self.delete_of(run, |row| row.new.kind == kind::TIMER && (all || row.new.scope == Scope::State));
        }
        for (run, name) in replaced {
            self.delete_of(run, |row| row.new.kind == kind::TIMER && row.new.name == name);
        }
        for (run, payload) in withdrawn {
            let gone = self
                .delete_of(run, |row| row.new.kind == kind::EFFECT && row.attempt == 0 && row.new.payload == payload);
            self.withdrawn.extend(gone);
        }
        self.touched.extend(born.iter().chain(&moved).map(|row| (row.id, now)));
        for row in born {
            self.names.insert((row.workflow.clone(), row.key.clone()));
            self.runs.insert(row.id, row);
        }
        self.runs.extend(moved.into_iter().map(|row| (row.id, row)));
        for queued in queued {
            let (work, leased) = (queued.work, queued.leased);
            let not_before = if leased { LEASED } else { work.due.timestamp_micros() };
            self.due.insert((not_before, work.work));
            let row = WorkRow {
                not_before,
                attempt: i32::from(leased),
                failures: 0,
                deaths: 0,
                holder: leased.then_some(holder),
                first_claimed_at: leased.then_some(real),
                outcome: None,
                error_class: None,
                last_error: None,
                new: work,
            };
            self.work.insert(row.new.work, row);
        }
        for row in journal {
            self.journal.entry(row.run).or_default().push(row);
        }
        self.facts.extend(facts);
    }

    fn delete(&mut self, work: WorkId) {
        if let Some(row) = self.work.remove(&work) {
            self.due.remove(&(row.not_before, work));
        }
    }

    fn delete_of(&mut self, run: RunId, gone: impl Fn(&WorkRow) -> bool) -> Vec<WorkId> {
        let gone: Vec<WorkId> = self.work_of(run).filter(|(_, row)| gone(row)).map(|(work, _)| *work).collect();
        for work in &gone {
            self.delete(*work);
        }
        gone
    }

    /// Moves a row in the index of what is due.
    pub(super) fn stand(&mut self, work: WorkId, not_before: i64) {
        if let Some(row) = self.work.get_mut(&work) {
            self.due.remove(&(row.not_before, work));
            row.not_before = not_before;
            self.due.insert((not_before, work));
        }
    }

    /// Gives work back for a later try, or parks it; a lost fence changes nothing.
    pub(super) fn give_back(&mut self, fence: Fence, not_before: i64, (class, why): (&str, &str)) -> bool {
        self.change(fence, not_before, |row| {
            row.failures += 1;
            row.error_class = Some(class.to_owned());
            row.last_error = Some(why.to_owned());
        })
    }

    /// Gives a lease back for later, without a mark.
    pub(super) fn defer(&mut self, fence: Fence, not_before: i64) -> bool {
        self.change(fence, not_before, |_| {})
    }

    /// What this claim says of its work: it is in nobody's hands from now on.
    fn change(&mut self, fence: Fence, not_before: i64, mark: impl FnOnce(&mut WorkRow)) -> bool {
        if !self.holds(fence) {
            return false;
        }
        self.stand(fence.work, not_before);
        if let Some(row) = self.work.get_mut(&fence.work) {
            row.holder = None;
            mark(row);
        }
        true
    }

    /// Puts work aside; whoever holds it loses it.
    pub(super) fn park(&mut self, work: WorkId, (class, why): (&str, &str)) -> bool {
        self.stand(work, PARKED);
        let Some(row) = self.work.get_mut(&work) else { return false };
        row.holder = None;
        row.attempt += 1;
        row.error_class = Some(class.to_owned());
        row.last_error = Some(why.to_owned());
        true
    }

    pub(super) fn save_outcome(&mut self, fence: Fence, event: &str) -> bool {
        let row = self.work.get_mut(&fence.work).filter(|row| row.attempt == fence.attempt);
        row.map(|row| row.outcome = Some(event.to_owned())).is_some()
    }

    pub(super) fn beat(&mut self, process: Uuid, now: i64) {
        self.beats.insert(process, now);
    }

    /// Frees the leases of processes whose heartbeat is older than the limit; rows that a transaction has locked are passed over.
    pub(super) fn rescue(&mut self, now: i64, limit: i64) -> Vec<(Uuid, Fence)> {
        let silent =
            |holder: Uuid| planted("no_lease_check") || self.beats.get(&holder).is_none_or(|beat| *beat <= now - limit);
        let freed: Vec<_> =
            self.leases().filter(|(holder, fence)| silent(*holder) && !self.is_locked(fence.work)).collect();
        for (_, fence) in &freed {
            self.bury(*fence, now);
        }
        freed
    }

    /// Whether a transaction has this row.
    pub(super) fn is_locked(&self, work: WorkId) -> bool {
        self.open.iter().any(|open| open.work.contains(&work))
    }

    /// The leases in a process's name.
    pub(super) fn leases(&self) -> impl Iterator<Item = (Uuid, Fence)> + '_ {
        let leased = self.due.range((LEASED, WorkId { run: RunId::from_uuid(Uuid::nil()), seq: 0, n: 0 })..);
        leased.take_while(|(at, _)| *at == LEASED).filter_map(|(_, work)| {
            let row = &self.work[work];
            Some((row.holder?, Fence { work: *work, attempt: row.attempt }))
        })
    }

    /// Whether a lease still stands.
    pub(super) fn leased(&self, fence: Fence) -> bool {
        self.holds(fence) && self.work.get(&fence.work).is_some_and(|row| row.not_before == LEASED)
    }

    /// Gives a lease back untouched.
    pub(super) fn free(&mut self, fence: Fence, now: i64) -> bool {
        let stands = self.leased(fence);
        if stands {
            self.stand(fence.work, now);
            if let Some(row) = self.work.get_mut(&fence.work) {
                row.holder = None;
            }
        }
        stands
    }

    /// Takes a lease out of the hands of somebody who died.
    pub(super) fn bury(&mut self, fence: Fence, now: i64) -> bool {
        let stands = self.free(fence, now);
        if let Some(row) = self.work.get_mut(&fence.work).filter(|_| stands) {
            row.deaths += i32::from(!planted("no_death_count"));
        }
        stands
    }

    /// A process hands over everything that is in its name, and is gone.
    pub(super) fn let_go(&mut self, process: Uuid, now: i64) -> usize {
        let mine: Vec<Fence> = self.leases().filter(|(holder, _)| *holder == process).map(|(_, fence)| fence).collect();
        self.beats.remove(&process);
        mine.into_iter().filter(|fence| self.free(*fence, now)).count()
    }

    /// An operator has parked work tried again.
    pub(super) fn retry(&mut self, work: WorkId, now: i64) -> bool {
        let parked = self.work.get(&work).is_some_and(|row| row.not_before == PARKED);
        if parked {
            self.stand(work, now);
            if let Some(row) = self.work.get_mut(&work) {
                (row.failures, row.deaths) = (0, 0);
            }
        }
        parked
    }

    /// An operator has everything that is parked tried again.
    pub(super) fn retry_parked(&mut self, now: i64) -> Vec<WorkId> {
        let parked: Vec<WorkId> =
            self.due.iter().rev().take_while(|(at, _)| *at == PARKED).map(|(_, work)| *work).collect();
        parked.into_iter().filter(|work| self.retry(*work, now)).collect()
    }

    /// Whether work waits for a person, for this reason.
    pub(super) fn is_parked_for(&self, work: WorkId, class: &str) -> bool {
        let row = self.work.get(&work).filter(|row| row.not_before == PARKED);
        row.is_some_and(|row| row.error_class.as_deref() == Some(class))
    }
}

impl WorkRow {
    pub(super) fn kind(&self) -> i16 {
        self.new.kind
    }
}

/// The stalls among the runs that changed, as their projection reads them.
pub(super) fn stalls(changed: &[RawChanged]) -> Vec<(RunId, u32, State)> {
    changed
        .iter()
        .filter_map(|raw| {
            let terms: super::market::Terms = serde_json::from_str(&raw.input).ok()?;
            Some((raw.run, terms.pitch, serde_json::from_str(&raw.state).ok()?))
        })
        .collect()
}
