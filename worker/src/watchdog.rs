//! Ends a process whose code no longer yields: a loop without an `await` holds a thread for ever, and no time limit can reach it.
//!
//! Two things are watched from a plain thread: the runtime as a whole (a task that ticks) and every execution (how long its present
//! poll has lasted). The thread counts its own looks instead of reading a clock, so a process that was stopped and continued, or a
//! machine that slept, is not mistaken for a stuck one. The process is aborted, not unwound: its leases are rescued by others. Before
//! that, what has not yielded is named, in the log and to the engine, which has to see it only a few times more.

use crate::heart::Confidant;
use engine::Fence;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// No poll is going on.
const IDLE: u64 = 0;

/// What does not yield.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stuck {
    pub(crate) part: Part,
    /// The work whose present poll has lasted at least half as long as it may: what holds the threads.
    pub(crate) works: Vec<Fence>,
}

/// Where it is seen that something does not yield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// No thread of the runtime takes up new work.
    Runtime,
    /// One execution has not come back from a single poll.
    Execution,
}

/// The state that the watched write and the thread reads.
#[derive(Default)]
pub(crate) struct Watch {
    /// The thread's looks so far: the watchdog's clock.
    looks: AtomicU64,
    /// The look at which the runtime was last seen alive.
    pulse: AtomicU64,
    polls: Mutex<Polls>,
}

/// A place for each execution, used again by the next: there is no list to go through when one of a thousand ends.
#[derive(Default)]
struct Polls {
    /// When the present poll of whoever has the place began; [`IDLE`] while he waits, or nobody has it.
    since: Vec<Arc<AtomicU64>>,
    /// Who has the place, or had it last.
    who: Vec<Fence>,
    /// Places that nobody has.
    free: Vec<usize>,
}

impl Polls {
    fn take(&mut self, who: Fence) -> (usize, Arc<AtomicU64>) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.since.push(Arc::new(AtomicU64::new(IDLE)));
            self.who.push(who);
            self.since.len() - 1
        });
        self.who[place] = who;
        (place, Arc::clone(&self.since[place]))
    }

    /// Whose present poll has lasted for more than so many looks.
    fn lasting(&self, now: u64, looks: u64) -> impl Iterator<Item = Fence> {
        self.since.iter().zip(&self.who).filter_map(move |(since, who)| match since.load(Ordering::Acquire) {
            IDLE => None,
            // Stored one higher than the look, so that the first look is not "idle".
            since => (now.saturating_sub(since - 1) > looks).then_some(*who),
        })
    }
}

impl Watch {
    /// Runs a future under watch, where it is: taken over, it would lie in this one twice.
    pub(crate) async fn over<F: Future>(&self, who: Fence, future: Pin<&mut F>) -> F::Output {
        let (place, since) = self.polls().take(who);
        let _entry = Entry { watch: self, place, since: &since };
        Watched { looks: &self.looks, since: &since, future }.await
    }

    fn polls(&self) -> std::sync::MutexGuard<'_, Polls> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says for ever that the runtime is alive.
    pub(crate) async fn tick(self: Arc<Self>) {
        loop {
            self.pulse.store(self.looks.load(Ordering::Acquire), Ordering::Release);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// One look: what has been stuck for more than `most` looks.
    fn look(&self, most: u64) -> Option<Stuck> {
        let now = self.looks.fetch_add(1, Ordering::AcqRel) + 1;
        let polls = self.polls();
        let part = if now.saturating_sub(self.pulse.load(Ordering::Acquire)) > most {
            Part::Runtime
        } else {
            polls.lasting(now, most).next().map(|_| Part::Execution)?
        };
        Some(Stuck { part, works: polls.lasting(now, most / 2).collect() })
    }
}

/// An execution in its place; it leaves when it ends, panics or is dropped.
struct Entry<'a> {
    watch: &'a Watch,
    place: usize,
    since: &'a AtomicU64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.since.store(IDLE, Ordering::Release);
        self.watch.polls().free.push(self.place);
    }
}

struct Watched<'a, F> {
    looks: &'a AtomicU64,
    since: &'a AtomicU64,
    future: Pin<&'a mut F>,
}

impl<F: Future> Future for Watched<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.since.store(self.looks.load(Ordering::Acquire) + 1, Ordering::Release);
        let outcome = self.future.as_mut().poll(cx);
        self.since.store(IDLE, Ordering::Release);
        outcome
    }
}

/// The thread; dropping this ends it.
pub(crate) struct Watchdog {
    _alive: Arc<()>,
}

/// Starts the thread: when something has been stuck for `limit`, `end` is called, once.
pub(crate) fn watchdog(
    watch: Arc<Watch>,
    limit: Duration,
    end: impl FnOnce(Stuck) + Send + 'static,
) -> std::io::Result<Watchdog> {
    let alive = Arc::new(());
    let owner = Arc::downgrade(&alive);
    let most = u64::try_from(limit.as_millis() / LOOK.as_millis()).unwrap_or(u64::MAX).max(2);
    // Ticks may not have begun yet.
    watch.pulse.store(watch.looks.load(Ordering::Acquire), Ordering::Release);
    thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        while owner.strong_count() > 0 {
            thread::park_timeout(LOOK);
            if let Some(stuck) = watch.look(most) {
                return end(stuck);
            }
        }
    })?;
    Ok(Watchdog { _alive: alive })
}

/// What the product does with a stuck process: it names the work, and ends.
pub(crate) fn abort(stuck: &Stuck, heart: &Confidant) {
    let Stuck { part, works } = stuck;
    let names: Vec<_> = works.iter().map(|fence| fence.work.to_string()).collect();
    tracing::error!(?part, works = ?names, "code does not yield; the process is ended so that others can take its work");
    if !works.is_empty() && !heart.confess(works.clone()) {
        tracing::warn!("what does not yield could not be written down; this death counts like any other");
    }
    // Logs may be buffered, and nobody unwinds after this.
    eprintln!("innkeeper: {part:?} does not yield; aborting. In hand: {names:?}");
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::pin::pin;

    /// The attempt `n` at some work.
    fn who(n: i32) -> Fence {
        let run = engine::RunId::from_uuid(uuid::Uuid::nil());
        Fence { work: engine::WorkId { run, seq: 1, n: 0 }, attempt: n }
    }

    fn stuck(part: Part, works: &[i32]) -> Option<Stuck> {
        Some(Stuck { part, works: works.iter().copied().map(who).collect() })
    }

    fn looks(watch: &Watch, times: u64) -> Option<Stuck> {
        (0..times).find_map(|_| watch.look(4))
    }

    #[test]
    fn a_runtime_that_ticks_is_left_alone_and_one_that_does_not_is_stuck() {
        let watch = Watch::default();
        assert_eq!(looks(&watch, 4), None);
        watch.pulse.store(watch.looks.load(Ordering::Acquire), Ordering::Release);
        assert_eq!(looks(&watch, 4), None);
        assert_eq!(looks(&watch, 1), stuck(Part::Runtime, &[]));
    }

    #[test]
    fn one_poll_that_does_not_come_back_is_stuck_and_a_long_wait_is_not() {
        let watch = Watch { pulse: AtomicU64::new(u64::MAX), ..Watch::default() };
        let never = pin!(std::future::pending::<()>());
        let mut waits = pin!(watch.over(who(1), never));
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(looks(&watch, 50), None, "it waits, but it yields");
        let seen = watch.over(who(2), pin!(async { looks(&watch, 50) })).now_or_never().expect("it does not wait");
        assert_eq!(seen, stuck(Part::Execution, &[2]));
        assert_eq!(looks(&watch, 50), None, "it came back");
    }

    #[test]
    fn a_place_is_used_again_and_nobody_is_stuck_in_one_that_was_left_by_a_panic() {
        let watch = Watch { pulse: AtomicU64::new(u64::MAX), ..Watch::default() };
        let mut planted = pin!(async { panic!("a planted panic") });
        let panics = std::panic::AssertUnwindSafe(watch.over(who(1), planted.as_mut())).catch_unwind().now_or_never();
        assert!(panics.expect("it does not wait").is_err());
        assert_eq!(looks(&watch, 50), None, "whoever panicked has left");
        for _ in 0..3 {
            watch.over(who(2), pin!(async {})).now_or_never().expect("it does not wait");
        }
        let (one, other) = (pin!(std::future::pending::<()>()), pin!(std::future::pending::<()>()));
        let (mut one, mut other) = (pin!(watch.over(who(1), one)), pin!(watch.over(who(2), other)));
        assert!(one.as_mut().now_or_never().is_none() && other.as_mut().now_or_never().is_none());
        assert_eq!(watch.polls().since.len(), 2, "as many places as were taken at once");
    }

    #[test]
    fn whoever_holds_a_thread_is_named_and_who_came_late_or_waits_is_not() {
        let watch = Watch::default();
        let pending = pin!(std::future::pending::<()>());
        let mut waits = pin!(watch.over(who(1), pending));
        assert!(waits.as_mut().now_or_never().is_none());
        let late = || watch.over(who(3), pin!(async { looks(&watch, 2) })).now_or_never().flatten();
        let mut holds = pin!(async { looks(&watch, 3).or_else(late) });
        let seen = watch.over(who(2), holds.as_mut()).now_or_never().expect("it does not wait");
        assert_eq!(seen, stuck(Part::Runtime, &[2]));
    }

    #[test]
    fn the_thread_notices_by_itself() {
        let (send, receive) = std::sync::mpsc::channel();
        let _dog = watchdog(Arc::default(), Duration::from_millis(1), move |stuck| send.send(stuck).unwrap()).unwrap();
        assert_eq!(receive.recv_timeout(Duration::from_secs(20)), Ok(stuck(Part::Runtime, &[]).unwrap()));
    }
}
