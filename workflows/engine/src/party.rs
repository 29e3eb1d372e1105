//! The outside parties: which queues are calls to whom, how fast, and how much failure we put up with before we leave one alone.

use crate::Queue;
use std::time::Duration;

/// An outside party. What holds one of its effects back (a rate, a fault of our configuration, an outage) holds back all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Party {
    /// Its name, for ever.
    pub name: &'static str,
    /// The queues whose effects are calls to it.
    pub queues: &'static [Queue],
    /// How it is called.
    pub limits: Limits,
}

impl Party {
    /// A party behind these queues, called as fast as there is room.
    #[must_use]
    pub fn new(name: &'static str, queues: &'static [Queue]) -> Self {
        Self { name, queues, limits: Limits::default() }
    }

    /// With other limits.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// How a party is called.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// At most this fast, in the whole cluster; `None` sets no limit.
    pub rate: Option<Rate>,
    /// When it is left alone.
    pub patience: Patience,
}

/// A rate on the lease clock. Calls of a limited party are always claimed from the database, under a lock on its bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls per second, over any longer time.
    pub per_second: f64,
    /// Calls at once, when there were none for a while; at least one.
    pub burst: u32,
}

/// How many failures in a row open a party's circuit, and for how long.
///
/// Failures are transient and unknown outcomes. While the circuit is open nothing is called; then one call is let through, and its
/// outcome closes the circuit or opens it for twice as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Failures with no answer between them.
    pub failures: i32,
    /// The failures have to come within this time.
    pub within: Duration,
    /// How long the circuit stays open the first time.
    pub rest: Duration,
    /// The longest that it stays open.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            failures: 20,
            within: Duration::from_secs(60),
            rest: Duration::from_secs(5),
            longest: Duration::from_secs(60),
        }
    }
}
