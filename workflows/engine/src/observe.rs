//! What the engine reports while it works, for metrics; the worker turns it into Prometheus series.

use crate::WorkId;
use std::time::Duration;

/// How a try at an effect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It answered with an event.
    Done,
    /// It will be tried again.
    Retried(&'static str),
    /// It waits for a person.
    Parked(&'static str),
    /// Somebody else had claimed it: the answer was refused.
    Refused,
}

/// Something that a commit made true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A run began.
    Started {
        /// Its workflow.
        workflow: &'static str,
    },
    /// A run took a turn: `moved`, `ignored`, or `unexpected` for a fact that found no place.
    Turned {
        /// Its workflow.
        workflow: &'static str,
        /// What became of the event.
        verdict: &'static str,
    },
    /// A run came to its end.
    Finished {
        /// Its workflow.
        workflow: &'static str,
        /// The state in which it ended.
        state: String,
        /// From its first turn to its last, on the business clock: what its people waited.
        lasted: Duration,
    },
    /// An event or a start came again and changed nothing.
    Repeated {
        /// Its workflow, as far as it is known.
        workflow: &'static str,
    },
}

/// One try at an effect.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// Which effect of which run.
    pub work: WorkId,
    /// The queue it waited in.
    pub queue: &'a str,
    /// Its workflow.
    pub workflow: &'a str,
    /// Its name.
    pub effect: &'a str,
    /// How it ended.
    pub ended: Ended,
    /// From the instant it was due to its claim, on the business clock.
    pub waited: Duration,
    /// From its claim to its conclusion.
    pub took: Duration,
}

/// One call to an outside party, as it went; what its answer leads to is told with the try.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// Who was called.
    pub party: &'static str,
    /// The effect that it was called for.
    pub effect: &'a str,
    /// The class of the failure, if there was no answer.
    pub failed: Option<&'static str>,
    /// Until the answer, with the look-up before the call if there was one.
    pub took: Duration,
}

/// Receives what happens. Every method is called on the hot path and must be cheap.
pub trait Observe: Send + Sync + 'static {
    /// A commit of `turns` inputs took this long.
    fn committed(&self, _turns: usize, _took: Duration) {}
    /// A claim brought so much work, and took this long in the database.
    fn claimed(&self, _count: usize, _took: Duration) {}
    /// Somebody waited so long for a connection of this pool, up to its first answer.
    fn waited(&self, _pool: &'static str, _took: Duration) {}
    /// A commit made this true.
    fn news(&self, _news: &News) {}
    /// A try at an effect ended.
    fn tried(&self, _tried: &Tried<'_>) {}
    /// An outside party was called.
    fn called(&self, _called: &Called<'_>) {}
    /// Work was put aside for a person.
    fn parked(&self, _queue: &str, _class: &str) {}
    /// Leases of dead processes were freed.
    fn rescued(&self, _count: u64) {}
    /// Leases that this process had lost track of were freed.
    fn reclaimed(&self, _count: u64) {}
    /// A group had to be split: one of its turns failed, or some take something scarce.
    fn split(&self) {}
    /// Of a group, runs were decided from memory, and the database had them as they are remembered, or not.
    fn recalled(&self, _same: bool) {}
    /// Finished runs went to the archive.
    fn archived(&self, _workflow: &str, _runs: u64) {}
    /// The archive forgot runs.
    fn purged(&self, _workflow: &str, _runs: u64) {}
    /// Facts were sealed.
    fn sealed(&self, _count: u64) {}
}

/// Observes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;
impl Observe for Unobserved {}
