//! Claiming: on the bell, on the poll, and as soon as a queue that was full has room again.

use crate::keep::Complaint;
use engine::{Claimed, Engine};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// A queue that was full is claimed for again when one part in this many of its room is free.
const PART: usize = 3;

/// Which queues had no room left when we last claimed: there may be more waiting for them than we know.
#[derive(Default)]
pub(crate) struct Backlog {
    queues: BTreeMap<&'static str, Line>,
    room: Notify,
}

struct Line {
    size: usize,
    full: AtomicBool,
}

impl Backlog {
    pub(crate) fn new(queues: impl Iterator<Item = (&'static str, usize)>) -> Self {
        let line = |(queue, size)| (queue, Line { size, full: AtomicBool::new(false) });
        Self { queues: queues.map(line).collect(), room: Notify::new() }
    }

    /// Notes after a claim which queues may have more than there was room for, or may have once something of theirs is done; `true` when
    /// one of the former has room again already.
    ///
    /// The flag is set before the room is read, and [`Backlog::finished`] is called after room was given back: one of the two sees
    /// the other.
    fn note(&self, Claimed { more, counted, .. }: &Claimed, free: impl Fn(&str) -> usize) -> bool {
        let mut again = false;
        for (queue, line) in &self.queues {
            line.full.store(more.contains(queue) || counted.contains(queue), Ordering::SeqCst);
            again |= more.contains(queue) && free(queue) * PART >= line.size && free(queue) > 0;
        }
        again
    }

    /// Work of this queue is done. A third of its room at a time is claimed again: one claim for many leases, while the
    /// other two are carried out and written.
    pub(crate) fn finished(&self, queue: &str, free: usize) {
        if let Some(line) = self.queues.get(queue)
            && free * PART >= line.size
            && line.full.swap(false, Ordering::SeqCst)
        {
            self.room.notify_one();
        }
    }
}

/// Claims for ever.
pub(crate) async fn claim(engine: Engine, backlog: Arc<Backlog>, poll: Duration) {
    let mut complaint = Complaint::about("claiming work");
    loop {
        if let Some(claimed) = complaint.heed(engine.claim_due().await)
            && backlog.note(&claimed, |queue| engine.hands().free(queue))
        {
            continue;
        }
        tokio::select! {
            () = engine.rung() => {}
            () = backlog.room.notified() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn found<const M: usize, const N: usize>(more: [&'static str; M], counted: [&'static str; N]) -> Claimed {
        Claimed { count: 0, more: more.into(), counted: counted.into() }
    }

    fn told(backlog: &Backlog) -> bool {
        backlog.room.notified().now_or_never().is_some()
    }

    #[test]
    fn a_full_queue_is_claimed_for_again_when_a_third_of_it_is_free() {
        let backlog = Backlog::new([("a", 8), ("b", 1)].into_iter());
        let (neither, a, b) = (found([], []), found(["a"], []), found(["b"], []));
        backlog.finished("a", 8);
        assert!(!told(&backlog), "nothing was left behind: nothing can be waiting");
        assert!(!backlog.note(&a, |_| 0));
        backlog.finished("a", 2);
        assert!(!told(&backlog));
        backlog.finished("a", 3);
        assert!(told(&backlog));
        backlog.finished("a", 4);
        assert!(!told(&backlog), "once is enough");
        assert!(!backlog.note(&b, |_| 0));
        backlog.finished("b", 1);
        assert!(told(&backlog));
        assert!(!backlog.note(&neither, |_| 8));
    }

    #[test]
    fn room_that_came_back_during_the_claim_is_claimed_for_at_once() {
        let backlog = Backlog::new([("a", 8)].into_iter());
        assert!(!backlog.note(&found(["a"], []), |_| 2));
        assert!(backlog.note(&found(["a"], []), |_| 3));
    }

    #[test]
    fn a_queue_that_is_counted_is_claimed_for_again_when_something_of_it_is_done() {
        let backlog = Backlog::new([("a", 8)].into_iter());
        assert!(
            !backlog.note(&found([], ["a"]), |_| 6),
            "all that it may have is in hands: to ask again would find nothing"
        );
        backlog.finished("a", 7);
        assert!(told(&backlog));
    }
}
