//! What a claimed piece of work asks for and what a try at it leads to: every decision between claim and completion, without the
//! waiting.

use crate::event::{EventKey, Manner, Verdict, What};
use crate::process::RawAttempt;
use crate::storage::{ClaimedRow, schema::kind};
use crate::tx::TurnError;
use crate::{Fault, Found, Policy, RunId, Spawn, Tell, Timestamp, faults};
use std::time::Duration;

/// Deaths of whoever held it before we call it a crash loop. Work that kills its process is rare, while a process that is killed from
/// outside takes all that it holds with it: innocent work must not be parked for that.
pub(crate) const MOST_DEATHS: i32 = 20;
/// What a death counts for whoever is known to have brought it about, and not only to have been in hand: the third is too many.
pub(crate) const KNOWN_DEATH: i32 = 7;
/// Deliveries to a run that does not exist (yet) before a person is asked.
const MOST_DELIVERIES: i32 = 40;

/// A lease older than this is looked at again right before a call: its process may have stood still, and the work may be in other
/// hands, or at its end. Far below the time after which a silent process's leases are rescued; what is left is a pause within the call
/// itself.
const CONFIRM_AFTER: Duration = Duration::from_secs(3);

/// Whether a lease of this age has to be confirmed before anybody outside is called.
pub(crate) fn must_be_confirmed(age: Duration) -> bool {
    age >= CONFIRM_AFTER && !faults::planted("no_fencing")
}

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

/// What a look-up leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LookedUp {
    /// The earlier try happened, with this outcome.
    Done(String),
    /// It is safe to call; `doubt` when the earlier try may still have happened.
    Call {
        /// The earlier try stays open.
        doubt: bool,
    },
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
        let silent = self.attempt - 1 - self.failures;
        let deaths = if faults::planted("claims_are_deaths") { silent } else { self.deaths };
        let looping = deaths >= MOST_DEATHS && self.kind == kind::EFFECT;
        looping
            .then(|| format!("its process died while holding it, again and again ({deaths} counted of {MOST_DEATHS})"))
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

    /// Whether an earlier try may have happened: the last one left no definite failure behind, or one left nothing behind at all.
    fn unknown(&self) -> bool {
        let silent = self.attempt - 1 > self.failures;
        self.attempt > 1 && (silent || self.error_class.as_deref() != Some("transient"))
    }

    /// What the party's answer to a look-up leads to. That it cannot be asked says nothing about the earlier try, which stays open.
    pub(crate) fn looked_up(&self, found: Result<Found<String>, Fault>, policy: Policy) -> Result<LookedUp, Fault> {
        match found {
            Ok(Found::Done(event)) => Ok(LookedUp::Done(event)),
            Ok(Found::Absent) => Ok(LookedUp::Call { doubt: false }),
            Ok(Found::Unknown) if self.repeatable(policy) => Ok(LookedUp::Call { doubt: true }),
            Ok(Found::Unknown) => Err(Fault::unknown("the party cannot say, and a repeat is no longer safe")),
            Err(fault) => Err(doubted(fault)),
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

/// A definite failure of this try, when an earlier one is still open: the outcome as a whole is unknown.
pub(crate) fn doubted(fault: Fault) -> Fault {
    match fault {
        Fault::Transient { what, .. } => Fault::Unknown { what },
        fault => fault,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WorkId;
    use uuid::Uuid;

    /// An effect at this try, with what earlier tries left behind.
    fn row(attempt: i32, failures: i32, error_class: Option<&str>) -> ClaimedRow {
        ClaimedRow {
            work: WorkId { run: RunId::from_uuid(Uuid::nil()), seq: 0, n: 0 },
            kind: kind::EFFECT,
            workflow: "stall".to_owned(),
            queue: "default".to_owned(),
            priority: 1,
            payload: "\"Charge\"".to_owned(),
            request: None,
            outcome: None,
            attempt,
            failures,
            deaths: 0,
            first_claimed_at: 0,
            error_class: error_class.map(str::to_owned),
            trace: None,
            input: String::new(),
            now: Timestamp::UNIX_EPOCH,
            real: 0,
            due: Timestamp::UNIX_EPOCH,
            seen: None,
        }
    }

    #[test]
    fn a_definite_failure_is_repeated_and_an_open_try_is_looked_up() {
        assert_eq!(row(1, 0, None).approach(), Approach::Call);
        assert_eq!(row(2, 1, Some("transient")).approach(), Approach::Call);
        assert_eq!(row(2, 1, Some("unknown")).approach(), Approach::LookUp);
        assert_eq!(row(2, 0, None).approach(), Approach::LookUp, "its process died");
    }

    #[test]
    fn a_claim_that_left_nothing_behind_is_looked_up_whatever_failed_before_it() {
        assert_eq!(row(3, 1, Some("transient")).approach(), Approach::LookUp);
    }

    #[test]
    fn a_party_that_cannot_be_asked_leaves_the_earlier_try_open() {
        let down = Err(Fault::transient("no answer"));
        let fault = row(2, 1, Some("unknown")).looked_up(down, Policy::default());
        assert_eq!(fault, Err(Fault::unknown("no answer")));
    }

    #[test]
    fn a_definite_failure_says_nothing_about_an_earlier_open_try() {
        let policy = Policy::default();
        let asked = row(2, 1, Some("unknown")).looked_up(Ok(Found::Unknown), policy);
        assert_eq!(asked, Ok(LookedUp::Call { doubt: true }));
        assert_eq!(doubted(Fault::transient("busy")), Fault::unknown("busy"));
        let gave_up = || Some("\"PaymentFailed\"".to_owned());
        let spent = row(12, 11, Some("unknown")).failed(&doubted(Fault::transient("busy")), policy, gave_up, 0.5);
        assert_eq!(spent, Next::Park("unknown"), "a process may give up only what definitely did not happen");
    }
}
