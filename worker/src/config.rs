//! What of a worker can be configured: the `[worker]` section, and `[redis]`, the wire that it works without.

use crate::settings::Pace;
use crate::wire::{Wire, WireError};
use engine::config::hidden;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// The `[worker]` section: how much a worker executes at once, by queue, and how patient it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Timers, and runs that start and tell each other.
    pub engine: usize,
    /// Calls to the payment gateway.
    pub payments: usize,
    /// Letters.
    pub mail: usize,
    /// Photographs; each takes a processor while it lasts.
    pub photos: usize,
    /// Effects whose policy names no queue.
    pub others: usize,
    /// The longest that due work waits when no bell was heard, in milliseconds.
    pub poll_ms: u64,
    /// How long running work may take to finish at the end, in seconds.
    pub drain_seconds: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self { engine: 1024, payments: 32, mail: 16, photos: 2, others: 16, poll_ms: 300, drain_seconds: 20 }
    }
}

impl Worker {
    /// The room in each queue. Work of any other is never claimed.
    #[must_use]
    pub const fn rooms(&self) -> [(&'static str, usize); 5] {
        [
            (engine::ENGINE_QUEUE, self.engine),
            ("payments", self.payments),
            ("mail", self.mail),
            ("photos", self.photos),
            (engine::DEFAULT_QUEUE, self.others),
        ]
    }

    /// How long work may take to finish at the end.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// How often the worker looks.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace { poll: Duration::from_millis(self.poll_ms), drain: self.drain(), ..Pace::default() }
    }
}

/// The `[redis]` section: the wire between processes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// `redis://…`; empty does without: everything goes on, slower between processes.
    #[serde(serialize_with = "hidden")]
    pub url: SecretString,
}

impl Redis {
    /// The keys whose values are never repeated.
    pub const SECRETS: &[&str] = &["url"];

    /// The wire, when there is one. `environment` and `process` as in [`Wire::open`].
    ///
    /// # Errors
    /// When the address cannot be read.
    pub fn wire(&self, environment: &str, process: Uuid) -> Result<Option<Wire>, WireError> {
        let url = self.url.expose_secret();
        if url.is_empty() { Ok(None) } else { Wire::open(url, environment, process).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_section_is_the_default_pace() {
        assert_eq!(Worker::default().pace(), Pace::default());
    }

    #[test]
    fn without_an_address_there_is_no_wire() {
        assert!(Redis::default().wire("test", Uuid::nil()).unwrap().is_none());
        let wrong = Redis { url: SecretString::from("http://redis") };
        assert!(wrong.wire("test", Uuid::nil()).is_err());
    }

    #[test]
    fn there_is_room_for_an_effect_that_names_no_queue() {
        let queue = engine::Policy::default().queue;
        assert!(Worker::default().rooms().iter().any(|(name, room)| *name == queue && *room > 0));
    }
}
