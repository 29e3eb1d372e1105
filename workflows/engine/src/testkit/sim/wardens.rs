//! Schedules: three wardens walk their rounds, each with its own answer to rounds that were missed while everybody stood still or an
//! operator had the gate closed.
//!
//! When a round is due is the product's to say. What must hold is reckoned anew here, from how far apart the rounds are.

use super::market::Round;
use super::memory::Memory;
use super::process::Process;
use super::world::{SECOND, World};
use super::writing::{Item, Owner};
use crate::event::{Input, What};
use crate::step::encode;
use crate::storage::instant;
use crate::{CatchUp, Fire, RunId, Schedule, Workflow};
use chrono_tz::Tz;
use futures::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// A warden and an instant at which one of its rounds begins.
pub(super) type Tick = (usize, i64);

/// The rounds: how far apart in seconds, and what becomes of missed ones.
const ROUNDS: [(&str, i64, CatchUp); WARDENS] = [
    ("*/20 * * * * *", 20, CatchUp::Once),
    ("*/30 * * * * *", 30, CatchUp::All),
    ("*/15 * * * * *", 15, CatchUp::Skip),
];
const WARDENS: usize = 3;
/// After that long a round is a missed one.
const MISSED_AFTER: i64 = 60 * SECOND;
/// Nobody walks any more from here on.
const SEASON: i64 = 150 * SECOND;
/// A round that was due begins within so long once everything has healed.
const PATIENCE: i64 = 20 * SECOND;

/// As the product reads them; the work of a tick is done by the simulation.
static SCHEDULES: LazyLock<[Schedule; WARDENS]> = LazyLock::new(|| {
    ROUNDS.map(|(cron, _, missed)| {
        let fire: Fire = Arc::new(|_, _| async { Ok(()) }.boxed());
        Schedule::parse("warden", cron, Tz::UTC, fire).expect("a cron expression").catch_up(missed)
    })
});

fn apart(warden: usize) -> i64 {
    ROUNDS[warden].1 * SECOND
}

/// The rows of the schedules.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    fired: BTreeMap<usize, BTreeSet<i64>>,
    /// From where on the rounds of each warden count.
    since: BTreeMap<usize, i64>,
    /// An operator has paused them all.
    pub(super) closed: bool,
}

/// What becomes of the row of an instant.
pub(super) enum Row {
    Free,
    /// Somebody has written it and not committed yet.
    Waits,
    /// It is there, or a later one is, or the schedule is paused.
    Passed,
}

impl Ticks {
    fn last(&self, warden: usize) -> Option<i64> {
        let fired = self.fired.get(&warden).and_then(BTreeSet::last).copied();
        fired.max(self.since.get(&warden).copied())
    }

    fn has_passed(&self, (warden, at): Tick) -> bool {
        self.closed || self.fired.get(&warden).and_then(BTreeSet::last).is_some_and(|last| *last >= at)
    }

    pub(super) fn insert(&mut self, (warden, at): Tick) {
        self.fired.entry(warden).or_default().insert(at);
    }
}

impl Memory {
    /// What an insertion of this row comes to.
    pub(super) fn row_of(&self, tick: Tick) -> Row {
        if self.ticks.has_passed(tick) {
            Row::Passed
        } else if self.is_ticking(tick) {
            Row::Waits
        } else {
            Row::Free
        }
    }
}

/// What an onlooker has written down of the rounds.
#[derive(Default)]
pub(super) struct Rounds {
    pub(super) wrong: Vec<String>,
    fired: BTreeSet<Tick>,
    pub(super) missed: u32,
}

impl Rounds {
    /// A process wants to begin these rounds now.
    fn wanted(&mut self, (warden, at): Tick, now: i64) {
        let newest = now - now.rem_euclid(apart(warden));
        let fits = match ROUNDS[warden].2 {
            CatchUp::All => at <= newest && at % apart(warden) == 0,
            CatchUp::Once => at == newest,
            CatchUp::Skip => at == newest && now - at <= MISSED_AFTER,
        };
        if !fits {
            self.wrong.push(format!("warden {warden} is to begin the round of {at} at {now}"));
        }
    }

    /// A round has begun.
    pub(super) fn fired(&mut self, tick: Tick) {
        if !self.fired.insert(tick) {
            self.wrong.push(format!("warden {} begins the round of {} again", tick.0, tick.1));
        }
    }

    /// How many have begun.
    pub(super) fn begun(&self) -> u32 {
        u32::try_from(self.fired.len()).unwrap_or(u32::MAX)
    }
}

impl World {
    /// Looks for rounds that are due, unless the last look is not through.
    pub(super) fn look_for_rounds(&mut self, process: usize) {
        if self.now > SEASON || !self.processes[process].rounds.is_empty() || self.memory.ticks.closed {
            return;
        }
        for warden in 0..WARDENS {
            let Some(last) = self.memory.ticks.last(warden) else {
                self.memory.ticks.since.insert(warden, self.now);
                continue;
            };
            // Between two instants there is nothing to ask for.
            if self.now / apart(warden) == last / apart(warden) {
                continue;
            }
            for at in SCHEDULES[warden].due(instant(last), instant(self.now)) {
                let tick = (warden, at.timestamp_micros());
                self.oracle.rounds.wanted(tick, self.now);
                self.processes[process].rounds.push_back(tick);
            }
        }
        self.next_round(process);
    }

    /// One after the other, each in a transaction of its own.
    fn next_round(&mut self, process: usize) {
        let Some(tick) = self.processes[process].rounds.front().copied() else { return };
        let (workflow, key) = (Round::NAME.to_owned(), format!("{}:{}", tick.0, tick.1));
        let nobody = RunId::from_uuid(Uuid::nil());
        let what = What::Start { workflow, key: key.clone(), input: encode(&tick), parent: None };
        let input = Input::new(RunId::derive(Round::NAME, &key, nobody), what);
        self.processes[process].inbox.push(Item { input, rival: false, owner: Owner::Tick(tick) });
        self.appoint(process, 0, super::world::Happening::Write);
    }

    /// A round has begun, here or elsewhere; or nobody can say, and the next look finds out.
    pub(super) fn round_began(&mut self, process: usize, known: bool) {
        let Process { rounds, .. } = &mut self.processes[process];
        if known {
            rounds.pop_front();
        } else {
            rounds.clear();
        }
        self.next_round(process);
    }

    /// An operator closes the gate, for longer than after which a round is missed; or opens it.
    pub(super) fn gate(&mut self, closed: bool) {
        self.memory.ticks.closed = closed;
    }

    /// Every instant has its one round, by its warden's policy, and every round its run.
    pub(super) fn rounds(&mut self, wrong: &mut Vec<String>) {
        wrong.append(&mut self.oracle.rounds.wrong);
        let runs = self.memory.runs.values().filter(|row| row.workflow == Round::NAME).count();
        if runs != self.oracle.rounds.fired.len() {
            wrong.push(format!("{} rounds were begun and {runs} have a run", self.oracle.rounds.fired.len()));
        }
        let end = self.now.min(SEASON) - PATIENCE;
        for (warden, since) in self.memory.ticks.since.clone() {
            let first = since - since.rem_euclid(apart(warden)) + apart(warden);
            let due: Vec<i64> = (first..=end).step_by(usize::try_from(apart(warden)).unwrap_or(1)).collect();
            let missed: Vec<i64> =
                due.iter().copied().filter(|at| !self.oracle.rounds.fired.contains(&(warden, *at))).collect();
            self.oracle.rounds.missed += u32::try_from(missed.len()).unwrap_or(u32::MAX);
            let may_miss = ROUNDS[warden].2 != CatchUp::All;
            if (!may_miss && !missed.is_empty()) || missed.last().is_some_and(|last| Some(last) == due.last()) {
                wrong.push(format!("warden {warden} has missed the rounds of {missed:?}"));
            }
        }
    }
}
