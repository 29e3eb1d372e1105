//! The circuit of an outside party: closed, open, and the one call that finds out whether it may be closed again.

use crate::Patience;
use std::time::Duration;

/// How long a probe may take before another one is let through: its process may have died.
const PROBE: i64 = 60_000_000;

/// What is remembered of a party's failures. All instants are on the lease clock, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Breaker {
    /// Failures since the last answer.
    pub(crate) failures: i32,
    /// When the first of them came.
    pub(crate) failing_since: i64,
    /// How often it was opened since it was last closed.
    pub(crate) openings: i32,
    /// Not closed: nothing is called before this instant, and then one call.
    pub(crate) open_until: Option<i64>,
    /// When that call was let through.
    pub(crate) probed_at: Option<i64>,
}

/// How much may be called now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    All,
    One,
    None,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Breaker {
    /// Whether nothing has failed lately: an answer need not be noted.
    pub(crate) fn is_clean(&self) -> bool {
        self.failures == 0 && self.open_until.is_none()
    }

    /// How much may be called now; `One` is the probe, and counts as taken with [`Breaker::probe`].
    pub(crate) fn allows(&self, now: i64) -> Allowance {
        match self.open_until {
            None => Allowance::All,
            Some(until) if now < until => Allowance::None,
            Some(_) if self.probed_at.is_some_and(|at| now < at.saturating_add(PROBE)) => Allowance::None,
            Some(_) => Allowance::One,
        }
    }

    /// The probe is under way.
    pub(crate) fn probe(&mut self, now: i64) {
        self.probed_at = Some(now);
    }

    /// The party gave an answer, be it a no.
    pub(crate) fn answered(&mut self, now: i64) {
        // An answer to a call from before the outage says nothing of after it.
        if self.open_until.is_none_or(|until| now >= until) {
            *self = Self::default();
        }
    }

    /// A call brought no answer.
    pub(crate) fn failed(&mut self, patience: &Patience, now: i64) {
        match self.open_until {
            // Under way when the circuit was opened.
            Some(until) if now < until => {}
            Some(_) => self.open(patience, now),
            None => {
                if self.failures == 0 || now - self.failing_since > micros(patience.within) {
                    (self.failures, self.failing_since) = (0, now);
                }
                self.failures += 1;
                if self.failures >= patience.failures {
                    self.open(patience, now);
                }
            }
        }
    }

    fn open(&mut self, patience: &Patience, now: i64) {
        let doubled = micros(patience.rest).saturating_mul(1 << self.openings.clamp(0, 30));
        self.open_until = Some(now.saturating_add(doubled.min(micros(patience.longest))));
        self.openings = self.openings.saturating_add(1);
        self.probed_at = None;
    }

    /// Nothing is called but a probe, now: what a person mended has to prove itself before everything else follows.
    pub(crate) fn on_trial(now: i64) -> Self {
        Self { open_until: Some(now), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn patience() -> Patience {
        Patience {
            failures: 3,
            within: Duration::from_secs(10),
            rest: Duration::from_secs(5),
            longest: Duration::from_secs(12),
        }
    }

    fn failing(breaker: &mut Breaker, at: impl IntoIterator<Item = i64>) {
        at.into_iter().for_each(|second| breaker.failed(&patience(), second * SECOND));
    }

    #[test]
    fn it_opens_after_failures_in_a_row_within_the_time() {
        let mut breaker = Breaker::default();
        failing(&mut breaker, [0, 1]);
        breaker.answered(2 * SECOND);
        assert!(breaker.is_clean());
        failing(&mut breaker, [3, 4, 14, 15]);
        assert_eq!(breaker.allows(15 * SECOND), Allowance::All, "the first two were too long ago");
        failing(&mut breaker, [16]);
        assert_eq!(breaker.allows(16 * SECOND), Allowance::None);
    }

    #[test]
    fn after_its_rest_one_call_decides() {
        let mut breaker = Breaker::default();
        failing(&mut breaker, [0, 0, 0]);
        assert_eq!(breaker.allows(5 * SECOND - 1), Allowance::None);
        assert_eq!(breaker.allows(5 * SECOND), Allowance::One);
        breaker.probe(5 * SECOND);
        assert_eq!(breaker.allows(6 * SECOND), Allowance::None, "one is one");
        assert_eq!(breaker.allows(5 * SECOND + PROBE), Allowance::One, "a probe may die with its process");
        breaker.answered(6 * SECOND);
        assert!(breaker.is_clean());
        assert_eq!(breaker.allows(6 * SECOND), Allowance::All);
    }

    #[test]
    fn a_probe_that_fails_opens_it_for_twice_as_long_up_to_the_limit() {
        let mut breaker = Breaker::default();
        failing(&mut breaker, [0, 0, 0]);
        for (at, until) in [(5, 15), (15, 27), (27, 39)] {
            assert_eq!(breaker.allows(at * SECOND), Allowance::One);
            breaker.probe(at * SECOND);
            failing(&mut breaker, [at]);
            assert_eq!(breaker.open_until, Some(until * SECOND));
        }
    }

    #[test]
    fn what_was_under_way_when_it_opened_changes_nothing() {
        let mut breaker = Breaker::default();
        failing(&mut breaker, [0, 0, 0]);
        let opened = breaker.clone();
        failing(&mut breaker, [1, 2]);
        breaker.answered(3 * SECOND);
        assert_eq!(breaker, opened);
    }
}
