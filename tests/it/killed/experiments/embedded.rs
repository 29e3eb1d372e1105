//! One process on SQLite.

use super::seed;
use crate::killed::play::{Chaos, Play};
use crate::killed::script::Measure;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_31_one_process_on_sqlite_is_killed_two_hundred_times() {
    for n in 0..4 {
        let play = Play::embedded(seed() + n);
        // More to do than in the suite: there is work in hand until the last kill.
        let measure = Measure { slots: 200, ..play.measure };
        Play { chaos: Chaos::embedded(50), measure, ..play }.must_be_clean();
    }
}
