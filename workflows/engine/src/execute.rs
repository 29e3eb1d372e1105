//! Carrying out a lease: the call to an outside party, or the engine's own delivery; then the one completion that its fence allows.

use crate::attempt::{Approach, Completed, LookedUp, Next, doubted, must_be_confirmed};
use crate::engine::Engine;
use crate::event::{Input, Origin, Verdict, What};
use crate::hands::Lease;
use crate::observe::{Called, Ended, Tried};
use crate::process::{Process, RawAttempt};
use crate::step::variant;
use crate::storage::single::lock;
use crate::storage::{ClaimedRow, lease as leases};
use crate::tx::TurnError;
use crate::{Fault, Policy, RunId, Timestamp, faults};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two tries to deliver to a run that only a newer build knows.
const NEWER_BUILD: Duration = Duration::from_secs(5);

impl Engine {
    /// Executes a lease to its end. Whatever happens is in the database afterwards, or the lease is let go and somebody tries again.
    pub async fn execute(&self, lease: Lease) {
        let work = lease.work();
        let done = match lease.is_suspect() {
            // Rare: nobody else has to carry room for it.
            true => Box::pin(AssertUnwindSafe(self.carry_out_apart(&lease)).catch_unwind()).await,
            false => AssertUnwindSafe(self.carry_out(&lease)).catch_unwind().await,
        };
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(work = %work, error = %error, "work could not be concluded; it will be claimed again");
            }
            Err(_) => {
                tracing::error!(work = %work, "executing work panicked outside the workflow's code");
                if let Err(error) = leases::bury(&self.core.db.write, lease.fence()).await {
                    tracing::warn!(work = %work, error = %error, "what panicked could not be given back; it will be reclaimed");
                }
            }
        }
    }

    pub(crate) async fn carry_out(&self, lease: &Lease) -> Result<(), TurnError> {
        match lease.row.errand() {
            Ok(None) => self.effect(lease).await,
            Ok(Some((run, what))) => self.deliver(lease, run, what).await,
            Err(why) => {
                self.park(lease, "poison", &why).await?;
                Err(TurnError::Poison { run: lease.row.work.run, why })
            }
        }
    }

    /// The engine's own work. A timer that is not due after all is forgotten here and reclaimed.
    async fn deliver(&self, lease: &Lease, run: RunId, what: What) -> Result<(), TurnError> {
        let to_another = !matches!(what, What::Due);
        match self.complete_or_park(lease, run, what).await? {
            // It waits for a build that knows the run, however long that takes: nothing has failed.
            Some(Verdict::NewerShape) if to_another => {
                leases::defer(&self.core.db.write, lease.fence(), lease.row.now + NEWER_BUILD).await?;
                Ok(())
            }
            // A tell may overtake the spawn of the run it is for: it waits.
            Some(Verdict::NoSuchRun) if to_another => {
                let (fault, next) = lease.row.undelivered(rand::random());
                self.go_on(lease, next, &fault).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Completes the work, parking it when the workflow's code fails on the turn.
    async fn complete_or_park(&self, lease: &Lease, run: RunId, what: What) -> Result<Option<Verdict>, TurnError> {
        let origin = Origin { trace: lease.row.trace.clone(), ..Origin::default() };
        let input = Input::new(run, what.clone()).fenced(lease.fence()).caused_by(origin);
        if lease.is_effect() && faults::mishap("outcome_turn") {
            return self.spoiled(lease, &what, "a mishap that was planted").await.map(|()| None);
        }
        faults::point("before_submit");
        let submitted = self.submit(input).await;
        faults::point("after_submit");
        match Completed::of(submitted)? {
            Completed::As(verdict) => Ok(Some(verdict)),
            Completed::Spoiled(why) => self.spoiled(lease, &what, &why).await.map(|()| None),
        }
    }

    /// The turn failed: an outcome already obtained is saved, so that a retry never calls out again.
    async fn spoiled(&self, lease: &Lease, what: &What, why: &str) -> Result<(), TurnError> {
        tracing::error!(work = %lease.work(), error = why, "a turn failed in the workflow's code; its work is parked");
        if let What::Event { event, .. } = what
            && lease.is_effect()
        {
            self.save_outcome(lease, event).await?;
        }
        self.park(lease, "poison", why).await
    }

    async fn effect(&self, lease: &Lease) -> Result<(), TurnError> {
        let row = &lease.row;
        let Some(process) = self.core.registry.get(&row.workflow).cloned() else { return self.release(lease).await };
        if let Some(why) = row.crash_loop() {
            return self.park(lease, "crashed", &why).await;
        }
        let policy = match process.policy(&row.payload) {
            Ok(policy) => policy,
            Err(why) => return self.park(lease, "poison", &why).await,
        };
        if faults::planted("ack_before_work") {
            leases::forget(&self.core.db.write, lease.fence()).await?;
        }
        let began = Instant::now();
        let tried = self.tried(&process, lease, policy).await;
        if row.outcome.is_none() && !matches!(tried, Ok(None)) {
            self.tell_of_party(row, tried.as_ref().err(), began.elapsed()).await;
        }
        let ended = match tried {
            Ok(Some(event)) => self.conclude(lease, event).await?,
            Ok(None) => Ended::Refused,
            Err(fault) => {
                let gave_up = || process.gave_up(&row.payload).ok().flatten();
                let next = row.at(lease.now()).failed(&fault, policy, gave_up, rand::random());
                self.go_on(lease, next, &fault).await?
            }
        };
        let waited = (row.now - row.due).to_std().unwrap_or_default();
        let (queue, workflow, effect) = (row.queue.as_str(), row.workflow.as_str(), variant(&row.payload));
        let (work, took) = (row.work, began.elapsed());
        self.core.observer.tried(&Tried { work, queue, workflow, effect, ended, waited, took });
        Ok(())
    }

    /// Whoever called a party says how that went. The call's own conclusion does not wait for a database that fails to hear it.
    async fn tell_of_party(&self, row: &ClaimedRow, fault: Option<&Fault>, took: Duration) {
        let Some(party) = self.core.registry.party_of(&row.queue) else { return };
        let (effect, failed) = (variant(&row.payload), fault.map(Fault::class));
        self.core.observer.called(&Called { party: party.name, effect, failed, took });
        // Only for outside parties, and larger than all the rest: every execution would carry room for it.
        if let Err(error) = Box::pin(self.heed(party, fault)).await {
            tracing::warn!(party = party.name, error = %error, "how a call to a party went could not be noted");
        }
    }

    /// One try: a saved outcome, an answer found by looking up, or the call itself; nothing when the lease was lost before the call.
    async fn tried(&self, process: &Arc<dyn Process>, lease: &Lease, policy: Policy) -> Result<Option<String>, Fault> {
        let row = &lease.row;
        let look_up = match row.approach() {
            Approach::Answered(event) => return Ok(Some(event)),
            approach => approach == Approach::LookUp,
        };
        let attempt = row.attempt(&self.core.environment);
        let call = async {
            let mut doubt = false;
            if look_up {
                match row.looked_up(process.look_up(attempt.clone()).await, policy)? {
                    LookedUp::Done(event) => return Ok(Some(event)),
                    LookedUp::Call { doubt: open } => doubt = open,
                }
            }
            faults::point("before_perform");
            if !self.still_ours(lease).await {
                return Ok(None);
            }
            let answer = match faults::planted("call_within_transaction") {
                true => self.perform_within_transaction(process, attempt).await,
                false => process.perform(attempt).await,
            };
            answer.map(Some).map_err(|fault| if doubt { doubted(fault) } else { fault })
        };
        let answer = tokio::time::timeout(policy.time_limit, call).await;
        faults::point("after_perform");
        answer.unwrap_or_else(|_| Err(Fault::unknown(format!("no answer within {:?}", policy.time_limit))))
    }

    /// Whether a lease that is no longer young still stands. Who cannot find out does not call.
    async fn still_ours(&self, lease: &Lease) -> bool {
        if !must_be_confirmed(lease.age()) {
            return true;
        }
        let held = leases::holds(&self.core.db.write, lease.fence()).await;
        if !matches!(held, Ok(true)) {
            tracing::warn!(work = %lease.work(), "the lease was lost before its call; nobody is called");
        }
        held.unwrap_or(false)
    }

    /// The planted bug: the run stays locked while the outside party takes its time.
    async fn perform_within_transaction(
        &self,
        process: &Arc<dyn Process>,
        attempt: RawAttempt,
    ) -> Result<String, Fault> {
        let run = attempt.work.run;
        let tx = self.core.db.write.begin().await.map_err(|error| Fault::transient(error.to_string()))?;
        let locked = lock(&tx, run).await.map_err(|error| Fault::transient(error.to_string()))?;
        if locked && run.uuid().as_u128().is_multiple_of(8) {
            tokio::time::sleep(Duration::from_secs(8)).await;
        }
        process.perform(attempt).await
    }

    async fn conclude(&self, lease: &Lease, event: String) -> Result<Ended, TurnError> {
        Ok(match self.complete_or_park(lease, lease.work().run, lease.row.answered(event.clone())).await? {
            Some(Verdict::Stale) => Ended::Refused,
            // A newer build has moved the run meanwhile: it concludes with what was obtained here, and does not call out again.
            Some(Verdict::NewerShape) => {
                self.save_outcome(lease, &event).await?;
                self.release(lease).await?;
                Ended::Done
            }
            Some(_) => Ended::Done,
            None => Ended::Parked("poison"),
        })
    }

    /// Carries out what a failed try leads to.
    async fn go_on(&self, lease: &Lease, next: Next, fault: &Fault) -> Result<Ended, TurnError> {
        match next {
            Next::Conclude(event) => self.conclude(lease, event).await,
            Next::Again(at) => self.put_back(lease, at, fault).await.map(|()| Ended::Retried(fault.class())),
            Next::Park(class) => {
                if class != "spent" {
                    tracing::error!(work = %lease.work(), error = %fault, "work is parked until a person mends it");
                }
                self.park(lease, class, &fault.to_string()).await.map(|()| Ended::Parked(class))
            }
        }
    }

    async fn save_outcome(&self, lease: &Lease, event: &str) -> Result<(), TurnError> {
        faults::point("before_save_outcome");
        leases::save_outcome(&self.core.db.write, lease.fence(), event).await?;
        faults::point("after_save_outcome");
        Ok(())
    }

    async fn put_back(&self, lease: &Lease, at: Timestamp, fault: &Fault) -> Result<(), TurnError> {
        faults::point("before_put_back");
        leases::put_back(&self.core.db.write, lease.fence(), at, fault).await?;
        faults::point("after_put_back");
        Ok(())
    }

    async fn park(&self, lease: &Lease, class: &str, why: &str) -> Result<(), TurnError> {
        faults::point("before_park");
        let parked = leases::park_fenced(&self.core.db.write, lease.fence(), class, why).await?;
        faults::point("after_park");
        if parked > 0 {
            self.core.observer.parked(lease.queue(), class);
        }
        Ok(())
    }

    async fn release(&self, lease: &Lease) -> Result<(), TurnError> {
        leases::release(&self.core.db.write, lease.fence()).await?;
        Ok(())
    }
}
