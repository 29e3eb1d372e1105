//! What this process knows of the brakes: read before a claim, never waited for by a commit.

use super::Target;
use crate::storage::brakes::{BrakeRow, Read};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The brakes as last read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The number of the last change at that time.
    version: i32,
    read_at: Option<Instant>,
    queues: BTreeSet<String>,
    /// Queues that are only so wide in all processes together.
    limited: BTreeSet<String>,
    workflows: BTreeSet<String>,
    /// Parties that are not as they should be: paused, open, or failing.
    parties: BTreeMap<String, Standing>,
    /// Queues in which there is work of lanes.
    laned: BTreeSet<String>,
}

/// A party that has a row.
#[derive(Clone, Copy, Debug)]
struct Standing {
    paused: bool,
    open: bool,
    clean: bool,
}

impl Standing {
    fn of(row: &BrakeRow) -> Self {
        Self { paused: row.paused.is_some(), open: row.breaker.open_until.is_some(), clean: row.breaker.is_clean() }
    }
}

impl Known {
    pub(crate) fn of(read: Read, laned: BTreeSet<String>, at: Instant) -> Self {
        let mut known = Self { version: read.version, read_at: Some(at), laned, ..Self::default() };
        for row in read.rows {
            if let (Target::Queue(name), Some(_)) = (&row.target, row.most) {
                known.limited.insert(name.clone());
            }
            match &row.target {
                Target::Queue(name) if row.paused.is_some() => _ = known.queues.insert(name.clone()),
                Target::Workflow(name) if row.paused.is_some() => _ = known.workflows.insert(name.clone()),
                Target::Party(name) => _ = known.parties.insert(name.clone(), Standing::of(&row)),
                Target::Queue(_) | Target::Workflow(_) => {}
            }
        }
        known
    }

    /// Whether nothing holds back or counts new work of this queue, workflow and party.
    pub(crate) fn lets(&self, queue: &str, workflow: &str, party: Option<&str>) -> bool {
        let stands = |party: &str| self.parties.get(party).is_some_and(|standing| standing.paused || standing.open);
        !self.queues.contains(queue)
            && !self.is_limited(queue)
            && !self.workflows.contains(workflow)
            && !party.is_some_and(stands)
    }

    /// Whether the database's last change of a brake is known.
    pub(crate) fn is_current(&self, version: i32) -> bool {
        self.version == version
    }

    /// Whether a party's circuit is not closed.
    pub(crate) fn is_open(&self, party: &str) -> bool {
        self.parties.get(party).is_some_and(|standing| standing.open)
    }

    /// Whether nothing failed lately, as far as we know.
    pub(crate) fn is_clean(&self, party: &str) -> bool {
        self.parties.get(party).is_none_or(|standing| standing.clean)
    }

    /// Whether a queue is only so wide in all processes together.
    pub(crate) fn is_limited(&self, queue: &str) -> bool {
        self.limited.contains(queue)
    }

    /// Whether a piece of work of this queue gives something back when it is done that others wait for.
    pub(crate) fn counts(&self, queue: &str) -> bool {
        self.is_limited(queue) || self.has_lanes(queue)
    }

    /// Whether a queue has work of lanes.
    pub(crate) fn has_lanes(&self, queue: &str) -> bool {
        self.laned.contains(queue)
    }
}

/// The latest knowledge, shared by everybody in the process.
#[derive(Debug)]
pub(crate) struct Brakes {
    known: RwLock<Arc<Known>>,
    /// The number of the last change that a commit was told of, known or not.
    heard: AtomicI32,
    outdated: AtomicBool,
    /// Knowledge older than this is refreshed before a claim.
    fresh: Duration,
}

impl Brakes {
    pub(crate) fn new(fresh: Duration) -> Self {
        Self { known: RwLock::default(), heard: AtomicI32::new(0), outdated: AtomicBool::new(true), fresh }
    }

    pub(crate) fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of the last change of a brake, as far as this process has heard.
    pub(crate) fn heard(&self) -> i32 {
        self.heard.load(Ordering::Relaxed)
    }

    /// What is known, if the database's last change of a brake is in it; otherwise the next claim reads first.
    pub(crate) fn current(&self, version: i32) -> Option<Arc<Known>> {
        self.heard.store(version, Ordering::Relaxed);
        let known = self.known();
        if !known.is_current(version) {
            self.outdated();
            return None;
        }
        Some(known)
    }

    /// Something has changed: the next claim reads first.
    pub(crate) fn outdated(&self) {
        self.outdated.store(true, Ordering::Release);
    }

    /// Whether the next claim has to read; whoever is told so reads.
    pub(crate) fn must_read(&self) -> bool {
        let old = || self.known().read_at.is_none_or(|at| at.elapsed() >= self.fresh);
        self.outdated.swap(false, Ordering::AcqRel) || old()
    }

    pub(crate) fn learn(&self, known: Known) {
        self.heard.store(known.version, Ordering::Relaxed);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }

    /// What was just written about a party is known at once, so that the answer after a failure is noted.
    pub(crate) fn note(&self, row: &BrakeRow) {
        let Target::Party(name) = &row.target else { return };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut with = Known::clone(&known);
        with.parties.insert(name.clone(), Standing::of(row));
        *known = Arc::new(with);
    }
}
