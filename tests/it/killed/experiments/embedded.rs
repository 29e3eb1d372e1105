//! One process on SQLite.

use super::seed;
use crate::killed::play::{Chaos, Play};

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_31_one_process_on_sqlite_is_killed_two_hundred_times() {
    for n in 0..4 {
        Play { chaos: Chaos::embedded(50), ..Play::embedded(seed() + n) }.must_be_clean();
    }
}
