//! How long to leave something alone that has just failed: longer every time, never in step with others.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The pauses of one thing that fails.
#[derive(Debug)]
pub(crate) struct Pause {
    next: Duration,
}

impl Pause {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// It worked: the next failure is a first one.
    pub(crate) const fn reset(&mut self) {
        self.next = FIRST;
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.take(rand::random())).await;
    }

    /// The next pause: at least half of a length that doubles, `dice` uniform in `[0, 1)`.
    fn take(&mut self, dice: f64) -> Duration {
        let length = self.next;
        self.next = (length * 2).min(LONGEST);
        length.mul_f64(0.5 + dice / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_limit_and_start_again_after_a_success() {
        let mut pause = Pause::new();
        assert_eq!(pause.take(1.0), FIRST);
        assert_eq!(pause.take(0.0), FIRST);
        let last = (0..10).fold(None, |_, _| Some(pause.take(1.0)));
        assert_eq!(last, Some(LONGEST));
        pause.reset();
        assert_eq!(pause.take(1.0), FIRST);
    }
}
