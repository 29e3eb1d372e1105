//! Schedules: four wardens walk their rounds, each with its own answer to rounds that were missed while everybody stood still or an
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
use std::iter::successors;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// A warden and an instant at which one of its rounds begins.
pub(super) type Tick = (usize, i64);

/// When a warden walks.
struct Beat {
    cron: &'static str,
    /// The same: these seconds, and again after so many.
    first: &'static [i64],
    again: i64,
    missed: CatchUp,
}

/// The first two are kept busy by the mischief. The others sleep for long after a few rounds behind the gate: when it opens, only
/// what is made up for begins, and nothing newer hides what was forgotten.
const ROUNDS: [Beat; WARDENS] = [
    Beat { cron: "*/20 * * * * *", first: &[0], again: 20, missed: CatchUp::Once },
    Beat { cron: "*/30 * * * * *", first: &[0], again: 30, missed: CatchUp::All },
    Beat { cron: "5,10 1-59/2 * * * *", first: &[65, 70], again: 120, missed: CatchUp::Once },
    Beat { cron: "5 1-59/2 * * * *", first: &[65], again: 120, missed: CatchUp::Skip },
];
const WARDENS: usize = 4;
/// After that long a round is a missed one.
const MISSED_AFTER: i64 = 60 * SECOND;
/// Nobody walks any more from here on.
const SEASON: i64 = 210 * SECOND;
/// A round that was due begins within so long once everything has healed.
const PATIENCE: i64 = 20 * SECOND;

/// As the product reads them; the work of a tick is done by the simulation.
static SCHEDULES: LazyLock<[Schedule; WARDENS]> = LazyLock::new(|| {
    ROUNDS.map(|Beat { cron, missed, .. }| {
        let fire: Fire = Arc::new(|_, _| async { Ok(()) }.boxed());
        Schedule::parse("warden", cron, Tz::UTC, fire).expect("a cron expression").catch_up(missed)
    })
});

/// The latest instant of a warden's rounds.
fn latest(warden: usize, now: i64) -> i64 {
    let Beat { first, again, .. } = ROUNDS[warden];
    let latest = |first: &i64| now - (now - first * SECOND).rem_euclid(again * SECOND);
    first.iter().map(latest).max().expect("a warden walks")
}

/// The rows of the schedules.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    fired: BTreeMap<usize, BTreeSet<i64>>,
    /// From where on the rounds of each warden count.
    since: BTreeMap<usize, i64>,
    /// An operator has paused them all.
    pub(super) closed: bool,
    /// When he had them go on.
    opened: i64,
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
        let newest = latest(warden, now);
        let fits = match ROUNDS[warden].missed {
            CatchUp::All => at <= newest && at == latest(warden, at),
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
            if latest(warden, self.now) == latest(warden, last) {
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
        self.memory.ticks.opened = self.now;
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
            let due = successors(Some(latest(warden, end)), |at| Some(latest(warden, at - 1)));
            let due = due.take_while(|at| *at > since);
            let missed: Vec<i64> = due.filter(|at| !self.oracle.rounds.fired.contains(&(warden, *at))).collect();
            self.oracle.rounds.missed += u32::try_from(missed.len()).unwrap_or(u32::MAX);
            let lost: Vec<i64> = missed.into_iter().filter(|at| !self.may_miss((warden, *at))).collect();
            if !lost.is_empty() {
                wrong.push(format!("warden {warden} has missed the rounds of {lost:?}"));
            }
        }
    }

    /// Whether it was too late for a round, by its warden's policy, when it could be begun.
    fn may_miss(&self, (warden, at): Tick) -> bool {
        let begun_by = at.max(self.memory.ticks.opened) + PATIENCE;
        match ROUNDS[warden].missed {
            CatchUp::All => false,
            CatchUp::Once => latest(warden, begun_by) > at,
            CatchUp::Skip => begun_by - at > MISSED_AFTER,
        }
    }
}
