//! What a claimed piece of work asks for and what a try at it leads to: every decision between claim and completion, without the
//! waiting.

use crate::event::{EventKey, Manner, Verdict, What};
use crate::registry::RawAttempt;
use crate::storage::{ClaimedRow, schema::kind};
use crate::tx::TurnError;
use crate::{Fault, Found, Policy, RunId, Spawn, Tell, Timestamp, faults};
use std::time::Duration;

/// Claims without a recorded failure before we call it a crash loop: the process died each time. Work that kills its process is rare,
/// while a process that is killed from outside takes all that it holds with it: innocent work must not be parked for that.
const MOST_CRASHES: i32 = 20;
/// Deliveries to a run that does not exist (yet) before a person is asked.
const MOST_DELIVERIES: i32 = 40;

/// How a try at an effect begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Approach {
    /// An earlier try was answered but its turn failed: the answer stands.
    Answered(String),
    /// An earlier try may have happened: ask first.
    LookUp,
    /// Nothing happened yet.
    Call,
}

/// What becomes of work after a try that brought no event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The process goes on with this event.
    Conclude(String),
    /// Somebody tries again at this instant.
    Again(Timestamp),
    /// A person must look at it; the class says why.
    Park(&'static str),
}

impl ClaimedRow {
    /// What the engine's own work tells which run; `None` for effects. The error is a payload that this build cannot read.
    pub(crate) fn errand(&self) -> Result<Option<(RunId, What)>, String> {
        let unreadable = |error: serde_json::Error| error.to_string();
        Ok(match self.kind {
            kind::EFFECT => None,
            kind::TIMER => Some((self.work.run, What::Due)),
            kind::SPAWN => {
                let Spawn { workflow, run, key, input } = serde_json::from_str(&self.payload).map_err(unreadable)?;
                let parent = Some(self.work.run);
                Some((run, What::Start { workflow: workflow.into_owned(), key, input, parent }))
            }
            _ => {
                let Tell { workflow: _, run, event } = serde_json::from_str(&self.payload).map_err(unreadable)?;
                Some((run, What::Event { key: EventKey::tell(self.work), event, manner: Manner::Fact }))
            }
        })
    }

    /// The effect's answer as an input of its run.
    pub(crate) fn answered(&self, event: String) -> What {
        What::Event { key: EventKey::outcome(self.work), event, manner: Manner::Fact }
    }

    /// Why this effect is not tried at all: every process that held it died.
    pub(crate) fn crash_loop(&self) -> Option<String> {
        let crashes = self.attempt - 1 - self.failures;
        let looping = crashes >= MOST_CRASHES && self.kind == kind::EFFECT;
        looping.then(|| format!("its process died {crashes} times while holding it"))
    }

    /// The try as the outside party sees it, under the key that never changes.
    pub(crate) fn attempt(&self, environment: &str) -> RawAttempt {
        let mut key = format!("{environment}:{}", self.work);
        if faults::planted("new_key_per_attempt") {
            key = format!("{key}:{}", self.attempt);
        }
        RawAttempt {
            work: self.work,
            input: self.input.clone(),
            effect: self.payload.clone(),
            key,
            request: self.request.clone(),
            number: self.attempt,
            now: self.now,
        }
    }

    /// How this try begins.
    pub(crate) fn approach(&self) -> Approach {
        match &self.outcome {
            Some(event) => Approach::Answered(event.clone()),
            None if self.unknown() => Approach::LookUp,
            None => Approach::Call,
        }
    }

    /// Whether an earlier try may have happened: there was one, and it left no definite failure behind.
    fn unknown(&self) -> bool {
        self.attempt > 1 && self.error_class.as_deref() != Some("transient")
    }

    /// What the party's answer to a look-up leads to: the outcome, or `None` to call.
    pub(crate) fn looked_up(&self, found: Found<String>, policy: Policy) -> Result<Option<String>, Fault> {
        match found {
            Found::Done(event) => Ok(Some(event)),
            Found::Absent => Ok(None),
            Found::Unknown if self.repeatable(policy) => Ok(None),
            Found::Unknown => Err(Fault::unknown("the party cannot say, and a repeat is no longer safe")),
        }
    }

    /// Whether repeating under the same key is still de-duplicated by the outside party.
    fn repeatable(&self, policy: Policy) -> bool {
        let age = Duration::from_micros(u64::try_from(self.real - self.first_claimed_at).unwrap_or_default());
        age < policy.safe_window
    }

    /// The same work at a later instant: the pause after a failure counts from the failure, not from the claim.
    pub(crate) fn at(&self, now: Timestamp) -> Self {
        Self { now, ..self.clone() }
    }

    /// What follows from a failed try. `gave_up` is the event with which the process can live without an answer; `dice` jitters.
    pub(crate) fn failed(
        &self,
        fault: &Fault,
        policy: Policy,
        gave_up: impl FnOnce() -> Option<String>,
        dice: f64,
    ) -> Next {
        let spent = self.failures + 1 >= policy.attempts;
        match fault {
            Fault::Misconfigured { .. } | Fault::Poison { .. } => Next::Park(fault.class()),
            Fault::Transient { .. } if spent => gave_up().map_or(Next::Park("spent"), Next::Conclude),
            Fault::Unknown { .. } if spent => Next::Park(fault.class()),
            _ => Next::Again(self.again_at(fault, policy, dice)),
        }
    }

    fn again_at(&self, fault: &Fault, policy: Policy, dice: f64) -> Timestamp {
        let at = policy.next_try(self.now, self.failures + 1, dice);
        match fault {
            Fault::Transient { retry_after: Some(pause), .. } => at.max(self.now + *pause),
            _ => at,
        }
    }

    /// A tell may overtake the spawn of the run it is for: then it waits, and in the end a person is asked.
    pub(crate) fn undelivered(&self, dice: f64) -> (Fault, Next) {
        let policy = Policy {
            attempts: MOST_DELIVERIES,
            cap: Duration::from_secs(30),
            base: Duration::from_millis(50),
            ..Policy::default()
        };
        let fault = Fault::transient("the run that is told does not exist");
        let next = self.failed(&fault, policy, || None, dice);
        (fault, next)
    }
}

/// What became of a completion.
#[derive(Debug)]
pub(crate) enum Completed {
    /// The storage knows it, or nobody needs it any more.
    As(Verdict),
    /// The workflow's code failed on the turn: the work parks, and an outcome already obtained is kept.
    Spoiled(String),
}

impl Completed {
    /// Sorts the writer's answer; what is left over is a process that ends.
    pub(crate) fn of(answer: Result<Verdict, TurnError>) -> Result<Self, TurnError> {
        match answer {
            // A process that wants what is taken even after it was told so has no answer to it: a person must.
            Ok(Verdict::Taken(conflict)) => Ok(Self::Spoiled(conflict.to_string())),
            Ok(verdict) => Ok(Self::As(verdict)),
            Err(TurnError::Poison { why, .. }) => Ok(Self::Spoiled(why)),
            Err(TurnError::Storage(error)) => Ok(Self::Spoiled(error.to_string())),
            Err(error) => Err(error),
        }
    }
}
