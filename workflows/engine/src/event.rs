//! How an event reaches a run: under a key that makes it one event however often it comes, and with who caused it.

use crate::{Timestamp, WorkId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// The unique name of an event within its run. The same key twice is one event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventKey(String);

impl EventKey {
    /// A person's command: one per caller, route and idempotency key.
    ///
    /// The idempotency key is the client's own text, and the journal is kept for ever: 128 bits of its hash stand for it.
    #[must_use]
    pub fn request(caller: &str, route: &str, idempotency_key: &str) -> Self {
        let digest = Sha256::digest(idempotency_key);
        let hash = digest[..16].iter().fold(String::with_capacity(32), |hash, byte| format!("{hash}{byte:02x}"));
        Self(format!("req:{caller}:{route}:{hash}"))
    }

    /// An outside party's notification.
    #[must_use]
    pub fn webhook(provider: &str, event_id: &str) -> Self {
        Self(format!("wh:{provider}:{event_id}"))
    }

    /// A schedule's instant.
    #[must_use]
    pub fn tick(schedule: &str, instant: Timestamp) -> Self {
        Self(format!("tick:{schedule}:{}", instant.timestamp_micros()))
    }

    /// An operator's intervention.
    #[must_use]
    pub fn operator(id: &str) -> Self {
        Self(format!("op:{id}"))
    }

    pub(crate) fn start() -> Self {
        Self("start".to_owned())
    }

    /// The outcome of an effect, and of a park that was resolved by hand.
    pub(crate) fn outcome(work: WorkId) -> Self {
        Self(format!("fx:{}:{}", work.seq, work.n))
    }

    pub(crate) fn timer(name: &str, work: WorkId) -> Self {
        Self(format!("tm:{name}:{}:{}", work.seq, work.n))
    }

    pub(crate) fn tell(work: WorkId) -> Self {
        Self(format!("tell:{}:{}:{}", work.run.uuid().simple(), work.seq, work.n))
    }

    /// The key as stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who caused a turn. Ids only, never a name or an address: the journal is kept for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The acting user or operator.
    pub actor: Option<String>,
    /// The user in whose name somebody else acted.
    pub on_behalf_of: Option<String>,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// The W3C `traceparent` that the turn continues.
    pub trace: Option<String>,
}

impl Origin {
    /// A turn caused by this user or operator.
    #[must_use]
    pub fn actor(id: impl Into<String>) -> Self {
        Self { actor: Some(id.into()), ..Self::default() }
    }
}

/// Whether somebody waits for the answer, or it already happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A person asks: a refusal is answered and leaves no trace.
    Command,
    /// It happened: it is journalled whatever `on` says.
    Fact,
}

/// The proof that a completion comes from the latest claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The work that is completed by this input.
    pub work: WorkId,
    /// The attempt that the claim returned.
    pub attempt: i32,
}

/// One thing for one run to take in: the unit of [`apply`](crate::Tx).
#[derive(Clone, Debug)]
pub struct Input {
    /// The run.
    pub run: crate::RunId,
    /// What it takes in.
    pub what: What,
    /// Work that is done once this is committed.
    pub fence: Option<Fence>,
    /// Who caused it.
    pub origin: Origin,
    /// What stood in the way when this fact was tried before.
    pub(crate) conflict: Option<crate::Conflict>,
}

/// What an [`Input`] carries.
#[derive(Clone, Debug)]
pub enum What {
    /// Begin the run.
    Start {
        /// The workflow's name.
        workflow: String,
        /// Unique within the workflow.
        key: String,
        /// Its input, serialised.
        input: String,
        /// The run that spawned it.
        parent: Option<crate::RunId>,
    },
    /// Take in an event.
    Event {
        /// Its name within the run.
        key: EventKey,
        /// The event, serialised.
        event: String,
        /// Whether a refusal is an answer or a finding.
        manner: Manner,
    },
    /// Let the timers that are due fire; nothing else.
    Due,
}

impl Input {
    /// Something for a run to take in, caused by nobody in particular.
    #[must_use]
    pub fn new(run: crate::RunId, what: What) -> Self {
        Self { run, what, fence: None, origin: Origin::default(), conflict: None }
    }

    /// With the work that it completes.
    #[must_use]
    pub fn fenced(mut self, fence: Fence) -> Self {
        self.fence = Some(fence);
        self
    }

    /// With who caused it.
    #[must_use]
    pub fn caused_by(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Whether it begins a run at somebody's request: there is nothing of it in the database that it could be about.
    pub(crate) const fn begins(&self) -> bool {
        matches!(self.what, What::Start { .. }) && self.fence.is_none()
    }

    /// Whether nobody waits for a refusal: timers, outcomes, tells, spawns, webhooks.
    pub(crate) fn is_fact(&self) -> bool {
        !matches!(self.what, What::Event { manner: Manner::Command, .. })
            && (self.fence.is_some() || !matches!(self.what, What::Start { .. }))
    }
}

/// What became of an [`Input`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The run took it in.
    Moved(Moved),
    /// `on` refused a command; nothing was written.
    Refused(crate::Refusal),
    /// The step wanted something that was taken; nothing was written.
    Taken(crate::Conflict),
    /// This event was taken in before.
    Duplicate,
    /// The fence is lost: somebody else claimed or completed the work.
    Stale,
    /// There is no such run (yet).
    NoSuchRun,
    /// A newer build wrote this run; this one must leave it alone.
    NewerShape,
}

/// A run that took something in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The run.
    pub run: crate::RunId,
    /// Its latest turn.
    pub seq: i32,
    /// The name of the state it is in now.
    pub state: String,
    /// The fact found no place in the state and was kept as unexpected.
    pub unexpected: bool,
}

#[cfg(test)]
mod tests {
    use super::EventKey;

    #[test]
    fn a_clients_own_text_is_no_part_of_a_key_but_tells_two_keys_apart() {
        let key = |text| EventKey::request("usr_1", "POST /bookings", text).to_string();
        assert_eq!(key("Anna"), "req:usr_1:POST /bookings:bf4fccd616251b678c56b9cb7a46819b");
        assert_eq!(key("Anna"), key("Anna"));
        assert_ne!(key("Anna"), key("anna"));
    }
}
