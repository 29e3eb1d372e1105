//! What a turn decides: the next state and everything that must be committed with it.

use crate::{RunId, Timestamp, Workflow};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How long a timer lives when it is not needed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Disarmed when the run leaves the state variant that set it.
    State,
    /// Kept until it fires or the run ends.
    Run,
}

/// A timer to set: when it is due the run receives `W::elapsed(timer)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Armed<T> {
    /// Which timer; setting it again replaces the earlier one of the same name.
    pub timer: T,
    /// The instant it is due, on the business clock.
    pub at: Timestamp,
    /// What disarms it.
    pub scope: Scope,
}

/// Another run to start, by the next commit after this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// The workflow's name.
    pub workflow: Cow<'static, str>,
    /// The new run's id.
    pub run: RunId,
    /// Its unique key within the workflow: the same key twice is one run.
    pub key: String,
    /// Its input, serialised.
    pub input: String,
}

/// An event for another run, delivered once, by the next commit after this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tell {
    /// The workflow's name, for the transcript.
    pub workflow: Cow<'static, str>,
    /// The run that is told.
    pub run: RunId,
    /// The event, serialised.
    pub event: String,
}

/// An append-only record of this turn: a ledger transaction, a domain event. Posted once, never re-projected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What kind of fact; the product's poster knows its kinds.
    pub kind: Cow<'static, str>,
    /// The record, serialised; no personal data.
    pub body: String,
}

impl Fact {
    /// A fact of this kind.
    #[must_use]
    pub fn new(kind: &'static str, body: &impl Serialize) -> Self {
        Self { kind: Cow::Borrowed(kind), body: encode(body) }
    }
}

/// The answer of [`Workflow::on`]: where the run goes and what goes with it. Built with verbs, in reading order.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a step does nothing until `on` returns it"]
pub struct Step<W: Workflow> {
    /// The next state; `None` keeps the present one.
    pub state: Option<W::State>,
    /// Calls to outside parties, each performed at least once under a key that never changes.
    pub effects: Vec<W::Effect>,
    /// Timers to set.
    pub timers: Vec<Armed<W::Timer>>,
    /// Effects to take back if nobody has claimed them yet.
    pub withdrawn: Vec<W::Effect>,
    /// Runs to start.
    pub spawns: Vec<Spawn>,
    /// Events for other runs.
    pub tells: Vec<Tell>,
    /// Facts of this turn.
    pub facts: Vec<Fact>,
    /// Something scarce that the projection takes under a unique key; such a step commits alone.
    pub takes: Option<&'static str>,
    /// Why an event changes nothing on purpose.
    pub ignored: Option<&'static str>,
}

impl<W: Workflow> Step<W> {
    fn empty(state: Option<W::State>) -> Self {
        Self {
            state,
            effects: vec![],
            timers: vec![],
            withdrawn: vec![],
            spawns: vec![],
            tells: vec![],
            facts: vec![],
            takes: None,
            ignored: None,
        }
    }

    /// Go to this state. Timers of the old state are disarmed unless it is the same variant.
    pub fn to(state: W::State) -> Self {
        Self::empty(Some(state))
    }

    /// Keep the present state.
    pub fn stay() -> Self {
        Self::empty(None)
    }

    /// The event is understood and deliberately changes nothing; the reason is journalled.
    pub fn ignore(reason: &'static str) -> Self {
        Self { ignored: Some(reason), ..Self::stay() }
    }

    /// Have this effect performed.
    pub fn run(mut self, effect: W::Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// Set a timer that belongs to the state.
    pub fn timer(mut self, timer: W::Timer, at: Timestamp) -> Self {
        self.timers.push(Armed { timer, at, scope: Scope::State });
        self
    }

    /// Set a timer that belongs to the run and outlives the state.
    pub fn deadline(mut self, timer: W::Timer, at: Timestamp) -> Self {
        self.timers.push(Armed { timer, at, scope: Scope::Run });
        self
    }

    /// Take an effect back if nobody has claimed it yet; a claimed one answers as usual. So does one that an earlier build queued in
    /// another shape: they are told apart by their text.
    pub fn withdraw(mut self, effect: W::Effect) -> Self {
        self.withdrawn.push(effect);
        self
    }

    /// Start another run; a run with this key that exists already is left alone.
    pub fn spawn<C: Workflow>(mut self, run: RunId, key: impl Into<String>, input: &C::Input) -> Self {
        self.spawns.push(Spawn { workflow: C::NAME.into(), run, key: key.into(), input: encode(input) });
        self
    }

    /// Send an event to another run.
    pub fn tell<C: Workflow>(mut self, run: RunId, event: &C::Event) -> Self {
        self.tells.push(Tell { workflow: C::NAME.into(), run, event: encode(event) });
        self
    }

    /// Record a fact with this turn.
    pub fn post(mut self, fact: Fact) -> Self {
        self.facts.push(fact);
        self
    }

    /// Say that the projection takes something scarce, so a conflict is a legitimate outcome.
    pub fn takes(mut self, what: &'static str) -> Self {
        self.takes = Some(what);
        self
    }

    /// Add something only when there is something to add.
    pub fn when<T>(self, some: Option<T>, then: impl FnOnce(Self, T) -> Self) -> Self {
        match some {
            Some(value) => then(self, value),
            None => self,
        }
    }
}

/// Serialises a value of the author's own types.
///
/// # Panics
/// When the type cannot be JSON (a map with non-string keys): a mistake in the type, found by the first test of its workflow.
pub(crate) fn encode(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("workflow types serialise to JSON")
}

/// The variant's name of a serialised enum: `"Expired"` and `{"Held":{…}}` both name themselves.
pub(crate) fn variant(json: &str) -> &str {
    let quoted = json.trim_start_matches(['{', ' ', '\n']).trim_start_matches('"');
    quoted.split('"').next().unwrap_or(quoted)
}

#[cfg(test)]
mod tests {
    use super::{Spawn, Tell, variant};
    use crate::testkit::golden_values;
    use crate::{Conflict, RunId, WorkId};

    /// What the engine itself stores as JSON: work of its own, and what stood in the way of a fact.
    #[test]
    fn everything_that_the_engine_ever_stored_can_be_read() {
        let run = RunId::from_uuid(uuid::Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001));
        let spawn = Spawn { workflow: "mail".into(), run, key: "welcome".into(), input: "{\"to\":1}".into() };
        golden_values(&[spawn], "golden/spawn");
        golden_values(&[Tell { workflow: "mail".into(), run, event: "\"Sent\"".into() }], "golden/tell");
        golden_values(&[Conflict::over("nights", "2026-05-01")], "golden/conflict");
        golden_values(&[WorkId { run, seq: 3, n: 1 }], "golden/work");
    }

    #[test]
    fn a_variant_names_itself_with_and_without_fields() {
        assert_eq!(variant("\"Expired\""), "Expired");
        assert_eq!(variant("{\"Held\":{\"until\":5}}"), "Held");
        assert_eq!(variant("{ \"Held\": 5}"), "Held");
    }
}
