//! Schedules: an instant fires once in the whole cluster, in one transaction with what it starts.
//!
//! A tick is a row with the unique name (schedule, instant). Whichever process inserts it does the work in the same transaction; the
//! others find the row, or wait for its commit and then find it. A process that is killed half-way leaves neither row nor work, and
//! the next one that looks fires the instant. What became of instants while nobody looked is the [`CatchUp`] policy's to say.

mod instants;
mod manage;
mod tick;

use crate::Timestamp;
use crate::TurnError;
use crate::tx::Tx;
use chrono::TimeDelta;
use chrono_tz::Tz;
use futures::future::BoxFuture;
use instants::Instants;
use std::collections::VecDeque;
use std::sync::Arc;

pub use manage::{Failing, Paused, ScheduleError, ScheduleView, TickView};

/// What a schedule does at an instant, within the transaction that records the tick.
pub type Fire = Arc<dyn for<'a> Fn(&'a Tx, Timestamp) -> BoxFuture<'a, Result<(), TurnError>> + Send + Sync>;

/// The most instants that [`CatchUp::All`] makes up for after one standstill, the latest ones.
const MOST_CAUGHT_UP: usize = 1000;
/// An instant that nobody has fired for longer than this is a missed one.
const MISSED_AFTER: TimeDelta = TimeDelta::minutes(1);

/// What becomes of instants that passed while no process ran or the schedule was paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are passed over: what is more than a minute late does not fire.
    Skip,
    /// The latest of them fires, for all of them: right for work that covers everything up to its instant (a payout run, a sweep).
    #[default]
    Once,
    /// Each of them fires, oldest first and each in its own transaction: right for work that covers only its own period. At most the
    /// latest thousand of one standstill; what is older is passed over with a warning.
    All,
}

/// A named, repeating instant.
#[derive(Clone)]
pub struct Schedule {
    /// Its name, for ever.
    pub name: &'static str,
    instants: Instants,
    fire: Fire,
    catch_up: CatchUp,
    housekeeping: bool,
}

impl Schedule {
    /// A schedule by a cron expression with seconds (`0 30 4 * * *`), in a time zone.
    ///
    /// An expression that names hours has one run on every date it means, also where the clocks are changed: a skipped time moves forward
    /// by what was skipped, a time that comes twice counts the first time. An expression for every hour keeps its intervals instead.
    ///
    /// # Errors
    /// When the expression cannot be read.
    pub fn parse(name: &'static str, cron: &str, zone: Tz, fire: Fire) -> Result<Self, cron::error::Error> {
        let instants = Instants::parse(cron, zone)?;
        Ok(Self { name, instants, fire, catch_up: CatchUp::default(), housekeeping: false })
    }

    /// With another policy for missed instants than [`CatchUp::Once`].
    #[must_use]
    pub const fn catch_up(mut self, policy: CatchUp) -> Self {
        self.catch_up = policy;
        self
    }

    /// Nothing that people see hangs on its instants: a sandbox's clock that is moved does not stop for each of them.
    #[must_use]
    pub const fn housekeeping(mut self) -> Self {
        self.housekeeping = true;
        self
    }

    /// The first instant after this one.
    fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        self.instants.after(instant)
    }

    /// What is to be fired now, oldest first, when `last` was the latest instant that fired.
    pub(crate) fn due(&self, last: Timestamp, now: Timestamp) -> Vec<Timestamp> {
        let (since, most) = match self.catch_up {
            CatchUp::Skip => (last.max(now - MISSED_AFTER), 1),
            CatchUp::Once => (last, 1),
            CatchUp::All => (last, MOST_CAUGHT_UP),
        };
        let (mut due, mut passed_over) = (VecDeque::new(), 0_usize);
        let missed = std::iter::successors(self.after(since), |instant| self.after(*instant));
        for instant in missed.take_while(|instant| *instant <= now) {
            if due.len() == most {
                due.pop_front();
                passed_over += 1;
            }
            due.push_back(instant);
        }
        if passed_over > 0 && self.catch_up == CatchUp::All {
            tracing::warn!(schedule = self.name, passed_over, "more instants were missed than are made up for");
        }
        due.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn hourly(policy: CatchUp) -> Schedule {
        let fire: Fire = Arc::new(|_, _| async { Ok(()) }.boxed());
        Schedule::parse("hourly", "0 0 * * * *", Tz::UTC, fire).unwrap().catch_up(policy)
    }

    fn due(policy: CatchUp, last: &str, now: &str) -> Vec<String> {
        let due = hourly(policy).due(last.parse().unwrap(), now.parse().unwrap());
        due.into_iter().map(|at| at.format("%H:%M").to_string()).collect()
    }

    #[test]
    fn nothing_is_due_before_its_instant_and_one_instant_at_it_whatever_the_policy() {
        for policy in [CatchUp::Skip, CatchUp::Once, CatchUp::All] {
            assert!(due(policy, "2026-05-01T08:00:00Z", "2026-05-01T08:59:59Z").is_empty());
            assert_eq!(due(policy, "2026-05-01T08:00:00Z", "2026-05-01T09:00:00Z"), ["09:00"]);
        }
    }

    #[test]
    fn after_a_standstill_each_policy_has_its_own_answer() {
        let after = |policy| due(policy, "2026-05-01T08:00:00Z", "2026-05-01T11:30:00Z");
        assert!(after(CatchUp::Skip).is_empty());
        assert_eq!(after(CatchUp::Once), ["11:00"]);
        assert_eq!(after(CatchUp::All), ["09:00", "10:00", "11:00"]);
        assert_eq!(
            due(CatchUp::Skip, "2026-05-01T08:00:00Z", "2026-05-01T11:00:30Z"),
            ["11:00"],
            "that one is not late"
        );
    }

    #[test]
    fn a_year_of_missed_hours_is_made_up_for_by_the_latest_thousand() {
        let (last, now) = ("2025-05-01T00:00:00Z".parse().unwrap(), "2026-05-01T00:00:00Z".parse().unwrap());
        let due = hourly(CatchUp::All).due(last, now);
        assert_eq!((due.len(), due.last()), (MOST_CAUGHT_UP, Some(&now)));
    }
}
