//! Carrying out a lease: the call to an outside party, or the engine's own delivery; then the one completion that its fence allows.

use crate::engine::Engine;
use crate::event::{EventKey, Input, Manner, Origin, Verdict, What};
use crate::hands::Lease;
use crate::observe::{Ended, Tried};
use crate::registry::{Process, RawAttempt};
use crate::step::variant;
use crate::storage::{ClaimedRow, schema::kind};
use crate::tx::TurnError;
use crate::{Fault, Found, Policy, Spawn, Tell, faults, operate};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Claims without a recorded failure before we call it a crash loop: the process died each time. Work that kills its process is rare,
/// while a process that is killed from outside takes all that it holds with it: innocent work must not be parked for that.
const MOST_CRASHES: i32 = 20;
/// Deliveries to a run that does not exist (yet) before a person is asked.
const MOST_DELIVERIES: i32 = 40;

impl Engine {
    /// Executes a lease to its end. Whatever happens is in the database afterwards, or the lease is let go and somebody tries again.
    pub async fn execute(&self, lease: Lease) {
        let work = lease.work();
        let done = AssertUnwindSafe(self.carry_out(&lease)).catch_unwind().await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(work = %work, error = %error, "work could not be concluded; it will be claimed again");
            }
            Err(_) => tracing::error!(work = %work, "executing work panicked outside the workflow's code"),
        }
    }

    async fn carry_out(&self, lease: &Lease) -> Result<(), TurnError> {
        let row = &lease.row;
        match row.kind {
            kind::EFFECT => self.effect(lease).await,
            kind::TIMER => {
                // Should it not be due after all, the lease is forgotten here and reclaimed by the sweeper.
                self.complete_or_park(lease, row.work.run, What::Due).await.map(drop)
            }
            kind::SPAWN => {
                let spawn: Spawn = self.own(lease).await?;
                let Spawn { workflow, run, key, input } = spawn;
                let what = What::Start { workflow: workflow.into_owned(), key, input, parent: Some(row.work.run) };
                self.deliver(lease, run, what).await
            }
            _ => {
                let tell: Tell = self.own(lease).await?;
                let what = What::Event { key: EventKey::tell(row.work), event: tell.event, manner: Manner::Fact };
                self.deliver(lease, tell.run, what).await
            }
        }
    }

    /// Reads the engine's own payload; a build that cannot read it leaves the work to one that can.
    async fn own<T: serde::de::DeserializeOwned>(&self, lease: &Lease) -> Result<T, TurnError> {
        match serde_json::from_str(&lease.row.payload) {
            Ok(value) => Ok(value),
            Err(error) => {
                self.park(lease, "poison", &error.to_string()).await?;
                Err(TurnError::Poison { run: lease.row.work.run, why: error.to_string() })
            }
        }
    }

    async fn deliver(&self, lease: &Lease, run: crate::RunId, what: What) -> Result<(), TurnError> {
        match self.complete_or_park(lease, run, what).await? {
            // A tell may overtake the spawn of the run it is for: it waits.
            Some(Verdict::NoSuchRun | Verdict::NewerShape) => {
                let policy = Policy {
                    attempts: MOST_DELIVERIES,
                    cap: Duration::from_secs(30),
                    base: Duration::from_millis(50),
                    ..Policy::default()
                };
                self.retry_or_park(lease, policy, &Fault::transient("the run that is told does not exist")).await
            }
            _ => Ok(()),
        }
    }

    /// Completes the work, parking it when the workflow's code fails on the turn.
    async fn complete_or_park(
        &self,
        lease: &Lease,
        run: crate::RunId,
        what: What,
    ) -> Result<Option<Verdict>, TurnError> {
        let origin = Origin { trace: lease.row.trace.clone(), ..Origin::default() };
        let input = Input::new(run, what.clone()).fenced(lease.fence()).caused_by(origin);
        match self.submit(input).await {
            // A process that wants what is taken even after it was told so has no answer to it: a person must.
            Ok(Verdict::Taken(conflict)) => self.spoiled(lease, &what, &conflict.to_string()).await.map(|()| None),
            Ok(verdict) => Ok(Some(verdict)),
            Err(TurnError::Poison { why, .. }) => self.spoiled(lease, &what, &why).await.map(|()| None),
            Err(TurnError::Storage(error)) => self.spoiled(lease, &what, &error.to_string()).await.map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// The turn failed: an outcome already obtained is saved, so that a retry never calls out again.
    async fn spoiled(&self, lease: &Lease, what: &What, why: &str) -> Result<(), TurnError> {
        tracing::error!(work = %lease.work(), error = why, "a turn failed in the workflow's code; its work is parked");
        if let What::Event { event, .. } = what
            && lease.is_effect()
        {
            operate::save_outcome(&self.core.db.write, lease.fence(), event).await?;
        }
        self.park(lease, "poison", why).await
    }

    async fn effect(&self, lease: &Lease) -> Result<(), TurnError> {
        let row = &lease.row;
        let Some(process) = self.core.registry.get(&row.workflow).cloned() else { return self.release(lease).await };
        if self.refuse_crash_loop(lease).await? {
            return Ok(());
        }
        let policy = match process.policy(&row.payload) {
            Ok(policy) => policy,
            Err(why) => return self.park(lease, "poison", &why).await,
        };
        let began = Instant::now();
        let tried = self.tried(&process, row, policy).await;
        let ended = match tried {
            Ok(event) => self.conclude(lease, event).await?,
            Err(fault) => self.failed(lease, &process, policy, &fault).await?,
        };
        let waited = (row.now - row.due).to_std().unwrap_or_default();
        let (queue, workflow, effect) = (row.queue.as_str(), row.workflow.as_str(), variant(&row.payload));
        self.core.observer.tried(&Tried { queue, workflow, effect, ended, waited, took: began.elapsed() });
        Ok(())
    }

    /// One try: a saved outcome, an answer found by looking up, or the call itself.
    async fn tried(&self, process: &Arc<dyn Process>, row: &ClaimedRow, policy: Policy) -> Result<String, Fault> {
        if let Some(outcome) = &row.outcome {
            return Ok(outcome.clone());
        }
        let attempt = self.attempt(row);
        let call = async {
            if unknown(row) {
                match process.look_up(attempt.clone()).await? {
                    Found::Done(event) => return Ok(event),
                    Found::Absent => {}
                    Found::Unknown if repeatable(row, policy) => {}
                    Found::Unknown => {
                        return Err(Fault::unknown("the party cannot say, and a repeat is no longer safe"));
                    }
                }
            }
            faults::point("before_perform");
            process.perform(attempt).await
        };
        let answer = tokio::time::timeout(policy.time_limit, call).await;
        faults::point("after_perform");
        answer.unwrap_or_else(|_| Err(Fault::unknown(format!("no answer within {:?}", policy.time_limit))))
    }

    fn attempt(&self, row: &ClaimedRow) -> RawAttempt {
        let mut key = format!("{}:{}", self.core.environment, row.work);
        if faults::planted("new_key_per_attempt") {
            key = format!("{key}:{}", row.attempt);
        }
        RawAttempt {
            work: row.work,
            input: row.input.clone(),
            effect: row.payload.clone(),
            key,
            request: row.request.clone(),
            number: row.attempt,
            now: row.now,
        }
    }

    async fn conclude(&self, lease: &Lease, event: String) -> Result<Ended, TurnError> {
        let what = What::Event { key: EventKey::outcome(lease.work()), event, manner: Manner::Fact };
        Ok(match self.complete_or_park(lease, lease.work().run, what).await? {
            Some(Verdict::Stale) => Ended::Refused,
            Some(_) => Ended::Done,
            None => Ended::Parked("poison"),
        })
    }

    async fn failed(
        &self,
        lease: &Lease,
        process: &Arc<dyn Process>,
        policy: Policy,
        fault: &Fault,
    ) -> Result<Ended, TurnError> {
        let spent = lease.row.failures + 1 >= policy.attempts;
        match fault {
            Fault::Misconfigured { .. } | Fault::Poison { .. } => {
                tracing::error!(work = %lease.work(), error = %fault, "work is parked until a person mends it");
                self.park(lease, fault.class(), &fault.to_string()).await?;
                Ok(Ended::Parked(fault.class()))
            }
            Fault::Transient { .. } if spent => match process.gave_up(&lease.row.payload) {
                Ok(Some(event)) => self.conclude(lease, event).await,
                _ => self.park(lease, "spent", &fault.to_string()).await.map(|()| Ended::Parked("spent")),
            },
            Fault::Unknown { .. } if spent => {
                tracing::error!(work = %lease.work(), error = %fault, "the outcome stays unknown; the work is parked");
                self.park(lease, fault.class(), &fault.to_string()).await.map(|()| Ended::Parked(fault.class()))
            }
            _ => self.retry_or_park(lease, policy, fault).await.map(|()| Ended::Retried(fault.class())),
        }
    }

    async fn retry_or_park(&self, lease: &Lease, policy: Policy, fault: &Fault) -> Result<(), TurnError> {
        let row = &lease.row;
        if row.failures + 1 >= policy.attempts {
            return self.park(lease, "spent", &fault.to_string()).await;
        }
        let mut at = policy.next_try(row.now, row.failures + 1, rand::random());
        if let Fault::Transient { retry_after: Some(pause), .. } = fault {
            at = at.max(row.now + *pause);
        }
        operate::put_back(&self.core.db.write, lease.fence(), at, fault).await?;
        Ok(())
    }

    async fn park(&self, lease: &Lease, class: &str, why: &str) -> Result<(), TurnError> {
        operate::park_fenced(&self.core.db.write, lease.fence(), class, why).await?;
        Ok(())
    }

    async fn release(&self, lease: &Lease) -> Result<(), TurnError> {
        operate::release(&self.core.db.write, lease.fence()).await?;
        Ok(())
    }

    /// Parks work whose every claim ended with the death of its process.
    async fn refuse_crash_loop(&self, lease: &Lease) -> Result<bool, TurnError> {
        let crashes = lease.row.attempt - 1 - lease.row.failures;
        if crashes < MOST_CRASHES || !lease.is_effect() {
            return Ok(false);
        }
        self.park(lease, "crashed", &format!("its process died {crashes} times while holding it")).await?;
        Ok(true)
    }
}

/// Whether an earlier try may have happened: there was one, and it left no definite failure behind.
fn unknown(row: &ClaimedRow) -> bool {
    row.attempt > 1 && row.error_class.as_deref() != Some("transient")
}

/// Whether repeating under the same key is still de-duplicated by the outside party.
fn repeatable(row: &ClaimedRow, policy: Policy) -> bool {
    let age = Duration::from_micros(u64::try_from(row.real - row.first_claimed_at).unwrap_or_default());
    age < policy.safe_window
}
