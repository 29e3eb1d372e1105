//! Everything at once, for long.

use std::time::{Duration, Instant};

use super::seed;
use crate::killed::play::{Chaos, Play};

const SOAK: Duration = Duration::from_secs(20 * 60);

/// Twenty minutes of everything, each play with another seed.
#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_32_everything_for_twenty_minutes() {
    let began = Instant::now();
    for n in (0..).take_while(|_| began.elapsed() < SOAK) {
        let both = Chaos { lose_commits: 6, cuts: 3, kill_postgres: 1, rolls: 3, ..Chaos::SERVERS };
        Play { chaos: both, ..Play::of_servers(seed() + n) }.must_be_clean();
    }
}
