//! How the simulation's storage hands work out: what nothing holds back, by priority and age, and lane by lane.

use super::memory::{Memory, WorkRow};
use crate::faults::planted;
use crate::recent::Kept;
use crate::storage::brakes::{BrakeRow, Read};
use crate::storage::schema::{LEASED, kind};
use crate::storage::{Claim, ClaimedRow, LANES_AT_ONCE, Take, instant};
use crate::turn::NewWork;
use crate::{Paused, Target, Timestamp, WorkId};
use std::collections::BTreeSet;
use uuid::Uuid;

fn places(room: i32) -> usize {
    usize::try_from(room).unwrap_or(0)
}

impl Memory {
    /// Whether a claim could find anything.
    pub(super) fn anything_due(&self, now: i64) -> bool {
        self.due.first().is_some_and(|(at, _)| *at <= now)
    }

    /// The first half of a claim: what is due, queue by queue and priority by priority, oldest first, as far as there is room,
    /// passing over locked rows.
    pub(super) fn choose(&self, claim: &Claim, now: i64) -> Vec<WorkId> {
        let blind = planted("no_skip_locked");
        let due: Vec<(WorkId, &WorkRow)> = self
            .due_rows(claim, now)
            .filter(|(work, row)| row.new.lane.is_none() && (blind || !self.is_locked(*work)))
            .collect();
        let mut chosen = vec![];
        for take in claim.takes.iter().filter(|take| self.is_open(take)) {
            let share = (take.room + claim.order.parts - 1) / claim.order.parts;
            let mut left = places(take.room);
            for (class, most) in claim.order.classes.into_iter().zip([share, share, take.room]) {
                let ours = |row: &WorkRow| row.new.queue == take.queue && row.new.priority.class() == class;
                let before = chosen.len();
                let next = due.iter().filter(|(_, row)| ours(row)).take(places(most).min(left));
                chosen.extend(next.map(|(work, _)| *work));
                left -= chosen.len() - before;
            }
        }
        chosen
    }

    /// What is due of the lanes of one queue that have room, beginning after lane `after`. Whoever asks has the queue's lanes locked.
    ///
    /// A row that a transaction has locked takes up its place in the lane, and none of the room.
    pub(super) fn choose_in_lanes(&self, claim: &Claim, after: &str, now: i64) -> Vec<WorkId> {
        let blind = planted("no_lane_limit");
        let mut chosen = vec![];
        for take in claim.takes.iter().filter(|take| self.is_open(take)) {
            let mut due = vec![];
            for lane in self.lanes(take.queue, after) {
                let ours = |row: &WorkRow| row.new.queue == take.queue && lane_of(row) == Some(lane);
                let busy = if blind { 0 } else { self.busy(take.queue, lane) };
                let rows = self.due_rows(claim, now).filter(|(_, row)| ours(row)).take(places(take.room));
                let fits = |(nth, (_, row)): &(usize, (WorkId, &WorkRow))| {
                    row.new.lane.as_ref().is_some_and(|lane| busy + nth < places(lane.most))
                };
                due.extend(
                    rows.enumerate()
                        .filter(fits)
                        .map(|(_, (work, row))| (row.new.priority.class(), row.not_before, work)),
                );
            }
            due.sort_unstable();
            let free = due.into_iter().map(|(.., work)| work).filter(|work| !self.is_locked(*work));
            chosen.extend(free.take(places(take.room)));
        }
        chosen
    }

    /// How many attempts are under way in a lane.
    pub(super) fn busy(&self, queue: &str, lane: &str) -> usize {
        let leased = self.leases().map(|(_, fence)| &self.work[&fence.work]);
        leased.filter(|row| row.new.queue == queue && lane_of(row) == Some(lane)).count()
    }

    /// Whether a queue has work of lanes.
    pub(super) fn has_lanes(&self, queue: &str) -> bool {
        self.work.values().any(|row| row.new.lane.is_some() && row.new.queue == queue)
    }

    /// The last lane that a claim beginning after lane `after` looks at; `None` when it sees the last one of the queue.
    pub(super) fn last_lane(&self, queue: &str, after: &str) -> Option<String> {
        self.lanes(queue, after).into_iter().nth(places(LANES_AT_ONCE) - 1).map(str::to_owned)
    }

    fn lanes(&self, queue: &str, after: &str) -> BTreeSet<&str> {
        let lanes =
            self.work.values().filter(|row| row.new.lane.is_some() && row.new.queue == queue).filter_map(lane_of);
        lanes.filter(|lane| *lane > after).collect::<BTreeSet<_>>().into_iter().take(places(LANES_AT_ONCE)).collect()
    }

    /// What is due, oldest first, of workflows that the claim knows and that nothing holds back.
    fn due_rows(&self, claim: &Claim, now: i64) -> impl Iterator<Item = (WorkId, &WorkRow)> {
        let known = |row: &WorkRow| {
            let shape = self.runs.get(&row.new.work.run).map(|run| run.shape);
            let known = claim.workflows.iter().zip(&claim.shapes);
            (self.brakes.is_empty() || !self.is_paused(&Target::Workflow(row.new.workflow.clone())))
                && known.into_iter().any(|(name, most)| *name == row.new.workflow && shape.is_some_and(|s| s <= *most))
        };
        let due = self.due.iter().take_while(move |(at, _)| *at <= now);
        due.map(|(_, work)| (*work, &self.work[work])).filter(move |(_, row)| known(row))
    }

    /// Whether nothing holds a queue or its party back.
    fn is_open(&self, take: &Take) -> bool {
        let paused = |brake: &BrakeRow| brake.paused.is_some() && !planted("no_brakes");
        let counts = |brake: &BrakeRow| !take.probe && (brake.most.is_some() || brake.breaker.open_until.is_some());
        let is_on = |target: &Target| match target {
            Target::Queue(name) => name == take.queue,
            Target::Party(name) => name == take.party,
            Target::Workflow(_) => false,
        };
        !self.brakes.iter().any(|(target, brake)| is_on(target) && (paused(brake) || counts(brake)))
    }

    fn is_paused(&self, target: &Target) -> bool {
        self.brakes.get(target).is_some_and(|brake| brake.paused.is_some()) && !planted("no_brakes")
    }

    /// An operator holds something back, or lets it go on; `false` when that changes nothing.
    pub(super) fn brake(&mut self, target: &Target, paused: Option<Paused>) -> bool {
        let row = self.brakes.entry(target.clone()).or_insert_with(|| BrakeRow::released(target.clone()));
        let changes = row.paused.is_some() != paused.is_some();
        if changes {
            row.paused = paused;
            self.changes += 1;
        }
        changes
    }

    /// The brakes as a process reads them.
    pub(super) fn read_brakes(&self, now: i64) -> Read {
        Read { version: self.changes, now, rows: self.brakes.values().cloned().collect() }
    }

    /// The second half: takes what was chosen. Nothing comes between the halves while rows are locked by choosing them.
    pub(super) fn take(&mut self, chosen: &[WorkId], holder: Uuid, now: i64) -> Vec<ClaimedRow> {
        chosen.iter().filter_map(|work| self.take_one(*work, holder, now)).collect()
    }

    fn take_one(&mut self, work: WorkId, holder: Uuid, now: i64) -> Option<ClaimedRow> {
        self.stand(work, LEASED);
        let seen = self.seen(work).map(Box::new);
        let row = self.work.get_mut(&work)?;
        row.attempt += 1;
        row.holder = Some(holder);
        let first_claimed_at = *row.first_claimed_at.get_or_insert(now);
        let NewWork { kind, workflow, queue, priority, payload, request, due, trace, .. } = row.new.clone();
        Some(ClaimedRow {
            work,
            kind,
            workflow,
            queue: queue.to_owned(),
            priority: priority.class(),
            payload,
            request,
            outcome: row.outcome.clone(),
            attempt: row.attempt,
            failures: row.failures,
            deaths: row.deaths,
            first_claimed_at,
            error_class: row.error_class.clone(),
            trace,
            input: self.runs.get(&work.run)?.input.clone(),
            now: instant(now),
            real: now,
            due,
            seen,
        })
    }

    /// The run of work that is about to be claimed, where whoever completes it is spared a load.
    fn seen(&self, work: WorkId) -> Option<Kept> {
        let (row, run) = (self.work.get(&work)?, self.runs.get(&work.run)?);
        let of_kind = |kind| self.work_of(work.run).filter(move |(_, row)| row.new.kind == kind);
        let is_alone = row.new.kind == kind::EFFECT && of_kind(kind::EFFECT).count() == 1;
        let quiet_until = of_kind(kind::TIMER).map(|(_, row)| row.new.due).min().unwrap_or(Timestamp::MAX_UTC);
        (is_alone && row.attempt == 0 && !run.finished).then(|| Kept { row: run.clone(), quiet_until })
    }
}

fn lane_of(row: &WorkRow) -> Option<&str> {
    row.new.lane.as_ref().map(|lane| lane.key.as_str())
}
