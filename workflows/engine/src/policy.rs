//! How an effect is tried: which queue, how often, how far apart, and when an unknown outcome may still be repeated.

use crate::Timestamp;
use std::time::Duration;

/// A named line of work with its own room in every process; operators watch queues, pause them, and limit how wide they are in all
/// processes together ([`Engine::limit`](crate::Engine::limit)). What one key may have at once is its [`Lane`]'s.
pub type Queue = &'static str;

/// The queue of the engine's own work: timers, spawns and tells.
pub const ENGINE_QUEUE: Queue = "engine";
/// The queue of effects that name no other.
pub const DEFAULT_QUEUE: Queue = "default";

/// Who goes first when more is due than a process has room for.
///
/// A claim fills its room from the most urgent downwards. Nobody starves: every eighth claim of a process begins with a quarter of
/// its room for each of the lower two, in turns (work of [`Priority::Low`] moves however much there is of the others).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Somebody waits in front of a screen.
    High = 0,
    /// What says nothing.
    #[default]
    Normal = 1,
    /// Bulk that may wait for everything else.
    Low = 2,
}

impl Priority {
    /// As stored.
    pub(crate) const fn class(self) -> i16 {
        self as i16
    }
}

/// Effects of one lane are tried at most `most` at once in the whole cluster: calls for one account, one host, one mailbox.
///
/// Counted are attempts with a live lease. A lane belongs to its effect's queue; within it, first come is first served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name, of ids only.
    pub key: String,
    /// Attempts at once, at least one.
    pub most: i32,
}

impl Lane {
    /// A lane for one attempt at a time.
    pub fn single(key: impl Into<String>) -> Self {
        Self::wide(key, 1)
    }

    /// A lane for this many attempts at a time.
    pub fn wide(key: impl Into<String>, most: i32) -> Self {
        Self { key: key.into(), most: most.max(1) }
    }
}

/// How one effect is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where it waits.
    pub queue: Queue,
    /// Who goes first there.
    pub priority: Priority,
    /// Tries before a definite failure gives up or parks.
    pub attempts: i32,
    /// The first pause; it doubles with every try.
    pub base: Duration,
    /// The longest pause.
    pub cap: Duration,
    /// One try's time limit; past it the outcome is unknown.
    pub time_limit: Duration,
    /// How long after the first send a repeat under the same key is de-duplicated by the outside party.
    pub safe_window: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            queue: DEFAULT_QUEUE,
            priority: Priority::Normal,
            attempts: 12,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(600),
            time_limit: Duration::from_secs(30),
            safe_window: Duration::from_secs(20 * 3600),
        }
    }
}

impl Policy {
    /// The default policy on another queue.
    #[must_use]
    pub fn on(queue: Queue) -> Self {
        Self { queue, ..Self::default() }
    }

    /// With another priority.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// With another number of attempts.
    #[must_use]
    pub const fn attempts(mut self, attempts: i32) -> Self {
        self.attempts = attempts;
        self
    }

    /// With another time limit per try.
    #[must_use]
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// With another window for repeats after an unknown outcome.
    #[must_use]
    pub const fn safe_window(mut self, window: Duration) -> Self {
        self.safe_window = window;
        self
    }

    /// When to try again after failure number `failures`: exponential with full jitter, `dice` uniform in `[0, 1)`.
    ///
    /// Full jitter spreads a herd best for the same mean load (AWS Architecture Blog, "Exponential Backoff And Jitter").
    #[must_use]
    pub fn next_try(&self, now: Timestamp, failures: i32, dice: f64) -> Timestamp {
        let doubled = self.base.as_secs_f64() * 2f64.powi(failures.saturating_sub(1).clamp(0, 40));
        let pause = doubled.min(self.cap.as_secs_f64()) * dice.clamp(0.0, 1.0);
        now + Duration::from_secs_f64(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn pauses_double_up_to_the_cap_and_are_jittered_from_zero() {
        let now = chrono::Utc.timestamp_opt(0, 0).single().expect("the epoch exists");
        let policy = Policy::default();
        let secs = |failures, dice| (policy.next_try(now, failures, dice) - now).num_milliseconds();
        assert_eq!(secs(1, 1.0), 1000);
        assert_eq!(secs(4, 1.0), 8000);
        assert_eq!(secs(4, 0.5), 4000);
        assert_eq!(secs(30, 1.0), 600_000);
        assert_eq!(secs(30, 0.0), 0);
    }
}
