//! How a worker is set up, and how often it looks.

use crate::metrics::Metrics;
use crate::plain::Chores;
use crate::wire::Wire;
use std::sync::Arc;
use std::time::Duration;

/// What a worker runs with, apart from the engine.
pub struct Settings {
    /// The wire to Redis; without one everything goes on, found by the poll.
    pub wire: Option<Wire>,
    /// The plain jobs, after their schedules were given to the engine's registry.
    pub chores: Option<Chores>,
    /// Who counts.
    pub metrics: Option<Arc<Metrics>>,
    /// No other process can have the storage open: whatever is leased at the start was leased by the dead.
    pub alone: bool,
    /// How often it looks.
    pub pace: Pace,
}

impl Settings {
    /// A worker with nothing but its database.
    #[must_use]
    pub fn new() -> Self {
        Self { wire: None, chores: None, metrics: None, alone: false, pace: Pace::default() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// How often each part of a worker looks, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The longest that due work waits when no bell was heard.
    pub poll: Duration,
    /// Between two heartbeats; far below the engine's limit for a rescue.
    pub beat: Duration,
    /// Between two looks for leases of dead processes: what a heartbeat may be late, and this, is how long a death keeps work waiting.
    pub rescue: Duration,
    /// Between two looks for leases in this process's name that it knows nothing of.
    pub reclaim: Duration,
    /// Between two looks at the schedules.
    pub tick: Duration,
    /// Between two sealings when there was nothing to seal.
    pub seal: Duration,
    /// How long running work may take to finish once the worker is asked to stop.
    pub drain: Duration,
    /// How long code may run without yielding before the process is ended; `None` never ends it.
    pub stuck: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(300),
            beat: Duration::from_secs(1),
            rescue: Duration::from_millis(750),
            reclaim: Duration::from_millis(1500),
            tick: Duration::from_millis(250),
            seal: Duration::from_millis(200),
            drain: Duration::from_secs(20),
            stuck: Some(Duration::from_secs(30)),
        }
    }
}
