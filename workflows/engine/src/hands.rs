//! What a process holds: room per queue, leases on their way to a worker, and the memory of them.

use crate::storage::{ClaimedRow, schema::kind};
use crate::suspicion::Suspects;
use crate::{Fence, Priority, Timestamp, WorkId};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use uuid::Uuid;

/// Work in the hands of this process: a fenced claim with everything that its execution needs.
#[derive(Debug)]
pub struct Lease {
    pub(crate) row: Box<ClaimedRow>,
    since: Instant,
    _room: Room,
}

impl Lease {
    /// Which work.
    #[must_use]
    pub const fn work(&self) -> WorkId {
        self.row.work
    }

    /// The queue it waited in.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.row.queue
    }

    /// The workflow whose turn queued it.
    #[must_use]
    pub fn workflow(&self) -> &str {
        &self.row.workflow
    }

    /// The W3C trace context of the turn that queued it.
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        self.row.trace.as_deref()
    }

    /// Whether it is a call to an outside party rather than the engine's own work.
    #[must_use]
    pub const fn is_effect(&self) -> bool {
        self.row.kind == kind::EFFECT
    }

    /// Whether a process has died that held it.
    #[must_use]
    pub fn has_seen_a_death(&self) -> bool {
        self.row.deaths > 0
    }

    /// The business clock now: a pause after a failure counts from the failure, not from the claim.
    pub(crate) fn now(&self) -> Timestamp {
        self.row.now + self.since.elapsed()
    }

    /// As if this process had had it for so much longer.
    #[cfg(any(test, feature = "testkit"))]
    pub fn grow_older(&mut self, by: Duration) {
        self.since = self.since.checked_sub(by).expect("this machine is not as young");
    }

    /// Since this process has it.
    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Which work, and which attempt at it.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence { work: self.row.work, attempt: self.row.attempt }
    }
}

/// A place in a queue's room; giving it back is dropping it.
#[derive(Debug)]
pub(crate) struct Room {
    queue: &'static str,
    _permit: OwnedSemaphorePermit,
    held: Option<(Arc<Held>, Fence)>,
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some((held, fence)) = &self.held {
            held.forget(*fence);
        }
    }
}

/// The leases that this process knows of; a lease in the database that is not here was lost on the way and can be let go.
///
/// Counted, because one claim may be known twice for a moment: a commit that is about to fail has leased work to this process which
/// somebody else has queued already and this process has claimed.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<HashMap<Fence, Known>>);

#[derive(Debug)]
struct Known {
    queue: &'static str,
    times: u32,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<Fence, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, fence: Fence, queue: &'static str) {
        self.lock().entry(fence).or_insert(Known { queue, times: 0 }).times += 1;
    }

    fn forget(&self, fence: Fence) {
        if let Entry::Occupied(mut known) = self.lock().entry(fence) {
            known.get_mut().times -= 1;
            if known.get().times == 0 {
                known.remove();
            }
        }
    }

    fn count_in(&self, queue: &str) -> usize {
        self.lock().values().filter(|known| known.queue == queue).count()
    }

    pub(crate) fn knows(&self, fence: Fence) -> bool {
        self.lock().contains_key(&fence)
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }
}

/// Less urgent than anything.
const NOTHING_LEFT: i16 = i16::MAX;

/// The hands of one process.
pub struct Hands {
    pub(crate) process: Uuid,
    pub(crate) held: Arc<Held>,
    queues: BTreeMap<&'static str, (Arc<Semaphore>, usize)>,
    /// The class of the last work that a claim filled the room of a queue with: as much as that, or more urgent, may be waiting.
    left: BTreeMap<&'static str, AtomicI16>,
    send: mpsc::UnboundedSender<Lease>,
    receive: tokio::sync::Mutex<mpsc::UnboundedReceiver<Lease>>,
    /// Who tries work that its holders may have died of holds its share of this.
    pub(crate) suspects: Suspects,
}

impl Hands {
    /// Hands with this much room per queue; none at all for a process that only queues work.
    #[must_use]
    pub fn new(process: Uuid, rooms: &[(&'static str, usize)]) -> Self {
        let (send, receive) = mpsc::unbounded_channel();
        let queues = rooms.iter().map(|(queue, size)| (*queue, (Arc::new(Semaphore::new(*size)), *size))).collect();
        let left = rooms.iter().map(|(queue, _)| (*queue, AtomicI16::new(NOTHING_LEFT))).collect();
        let receive = tokio::sync::Mutex::new(receive);
        Self { process, held: Arc::default(), queues, left, send, receive, suspects: Suspects::default() }
    }

    /// A place in this queue's room, if there is one free right now.
    pub(crate) fn room(&self, queue: &str) -> Option<Room> {
        let (queue, (semaphore, _)) = self.queues.get_key_value(queue)?;
        let permit = Arc::clone(semaphore).try_acquire_owned().ok()?;
        Some(Room { queue, _permit: permit, held: None })
    }

    /// How much each queue could take now.
    pub(crate) fn rooms(&self) -> Vec<(&'static str, i32)> {
        let free = |queue| i32::try_from(self.free(queue)).unwrap_or(i32::MAX);
        self.queues.keys().map(|queue| (*queue, free(queue))).filter(|(_, free)| *free > 0).collect()
    }

    /// Queues with their room, for metrics and for setting up workers.
    pub fn queues(&self) -> impl Iterator<Item = (&'static str, usize)> + '_ {
        self.queues.iter().map(|(queue, (_, size))| (*queue, *size))
    }

    /// Turns a claim into a lease. From here on the process remembers it.
    pub(crate) fn lease(&self, row: ClaimedRow, mut room: Room) -> Lease {
        let fence = Fence { work: row.work, attempt: row.attempt };
        self.held.remember(fence, room.queue);
        room.held = Some((Arc::clone(&self.held), fence));
        Lease { row: Box::new(row), since: Instant::now(), _room: room }
    }

    /// Takes nothing more: from here on what is due is for others, and room once given back is gone.
    pub fn close(&self) {
        for (semaphore, _) in self.queues.values() {
            semaphore.close();
        }
    }

    /// Whether nothing new is taken any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queues.values().any(|(semaphore, _)| semaphore.is_closed())
    }

    /// How much this queue could take now; none once the hands are closed.
    #[must_use]
    pub fn free(&self, queue: &str) -> usize {
        self.queues.get(queue).filter(|(s, _)| !s.is_closed()).map_or(0, |(s, _)| s.available_permits())
    }

    /// Notes what a claim left behind in a queue: work of this class and of more urgent ones, or nothing.
    pub(crate) fn left_behind(&self, queue: &str, class: Option<i16>) {
        if let Some(left) = self.left.get(queue) {
            left.store(class.unwrap_or(NOTHING_LEFT), Ordering::Relaxed);
        }
    }

    /// Whether work of this priority overtakes nothing more urgent that waits in the database.
    pub(crate) fn is_next(&self, queue: &str, priority: Priority) -> bool {
        self.left.get(queue).is_none_or(|left| priority.class() <= left.load(Ordering::Relaxed))
    }

    /// Sends a lease on its way to whoever calls [`Hands::next`].
    pub(crate) fn deliver(&self, lease: Lease) {
        // The receiver lives as long as these hands.
        let _ = self.send.send(lease);
    }

    /// The next lease to execute. One task per process asks.
    pub async fn next(&self) -> Option<Lease> {
        self.receive.lock().await.recv().await
    }

    /// The next leases to execute, as many as are waiting, at most so many. One task per process asks.
    pub async fn next_few(&self, into: &mut Vec<Lease>, most: usize) -> usize {
        self.receive.lock().await.recv_many(into, most).await
    }

    /// The next lease if one is waiting.
    pub(crate) async fn ready(&self) -> Option<Lease> {
        self.receive.lock().await.try_recv().ok()
    }

    /// Places that are taken: by leases, by claims on their way, and by commits that will lease what they queue.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.queues.values().map(|(semaphore, size)| size - semaphore.available_permits().min(*size)).sum()
    }

    /// Leases in the hands of this process.
    #[must_use]
    pub fn holding(&self) -> usize {
        self.held.count()
    }

    /// Those of them that waited in this queue.
    #[must_use]
    pub fn holding_of(&self, queue: &str) -> usize {
        self.held.count_in(queue)
    }
}

/// A lease made by the commit that queued the work; the worker reads nothing.
#[derive(Debug)]
pub(crate) struct Fused {
    pub(crate) input: String,
    pub(crate) now: Timestamp,
    pub(crate) real: i64,
}

impl Fused {
    pub(crate) fn row(self, work: &crate::turn::NewWork) -> ClaimedRow {
        ClaimedRow {
            work: work.work,
            kind: work.kind,
            workflow: work.workflow.clone(),
            queue: work.queue.to_owned(),
            priority: work.priority.class(),
            payload: work.payload.clone(),
            request: work.request.clone(),
            outcome: None,
            attempt: 1,
            failures: 0,
            deaths: 0,
            first_claimed_at: self.real,
            error_class: None,
            trace: work.trace.clone(),
            input: self.input,
            now: self.now,
            real: self.real,
            due: work.due,
            seen: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunId;

    fn claimed(work: WorkId) -> ClaimedRow {
        let now = Timestamp::UNIX_EPOCH;
        let new = crate::turn::NewWork {
            work,
            kind: kind::EFFECT,
            scope: crate::Scope::State,
            workflow: "stall".to_owned(),
            queue: "default",
            priority: Priority::default(),
            lane: None,
            name: "Charge".to_owned(),
            payload: "\"Charge\"".to_owned(),
            request: None,
            due: now,
            trace: None,
        };
        Fused { input: String::new(), now, real: 0 }.row(&new)
    }

    #[test]
    fn a_lease_is_known_until_its_last_holder_lets_go() {
        let hands = Hands::new(Uuid::nil(), &[("default", 2)]);
        let work = WorkId { run: RunId::from_uuid(Uuid::nil()), seq: 0, n: 0 };
        let lease = || hands.lease(claimed(work), hands.room("default").expect("there is room"));
        let (of_a_failing_commit, real) = (lease(), lease());
        drop(of_a_failing_commit);
        assert!(hands.held.knows(real.fence()));
        assert_eq!((hands.holding_of("default"), hands.holding_of("engine")), (1, 0));
        let fence = real.fence();
        drop(real);
        assert!(!hands.held.knows(fence));
    }
}
