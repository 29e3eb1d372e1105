//! The bucket of a rate: it fills at the rate, up to the burst, and every claimed call takes one out.

use crate::Rate;

/// How full it is, and when that was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) tokens: f64,
    /// On the lease clock, in microseconds.
    pub(crate) filled_at: i64,
}

impl Bucket {
    /// A bucket nobody has taken from yet.
    pub(crate) fn full(rate: &Rate, now: i64) -> Self {
        Self { tokens: f64::from(rate.burst.max(1)), filled_at: now }
    }

    /// The same bucket now. A clock that went back fills nothing.
    pub(crate) fn at(self, rate: &Rate, now: i64) -> Self {
        let seconds = (now - self.filled_at).max(0) as f64 / 1e6;
        let tokens = (self.tokens + seconds * rate.per_second.max(0.0)).min(f64::from(rate.burst.max(1)));
        Self { tokens, filled_at: now }
    }

    /// Whole calls in it.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to what fits; the fraction stays in the bucket")]
    pub(crate) fn whole(&self) -> i32 {
        self.tokens.clamp(0.0, f64::from(i32::MAX)) as i32
    }

    /// Takes calls out.
    pub(crate) fn take(&mut self, calls: usize) {
        self.tokens -= calls as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10.0, burst: 5 };

    #[test]
    fn over_any_time_no_more_than_the_burst_and_the_rate() {
        let mut bucket = Bucket::full(&RATE, 0);
        let mut taken = 0;
        for step in 1..=1000i64 {
            // A hundred looks a second, each takes what there is.
            bucket = bucket.at(&RATE, step * 10_000);
            let calls = usize::try_from(bucket.whole()).unwrap();
            bucket.take(calls);
            taken += calls;
            let allowed = 5.0 + 10.0 * (step as f64 / 100.0);
            assert!(taken as f64 <= allowed + 1e-6, "{taken} calls after {step} hundredths of a second");
        }
        assert!(taken >= 104, "and no less: {taken}");
    }

    #[test]
    fn it_holds_no_more_than_a_burst_and_never_runs_back() {
        let mut bucket = Bucket::full(&RATE, 1_000_000);
        bucket.take(5);
        assert_eq!(bucket.at(&RATE, 900_000_000).whole(), 5);
        assert_eq!(bucket.at(&RATE, 0).whole(), 0);
    }
}
