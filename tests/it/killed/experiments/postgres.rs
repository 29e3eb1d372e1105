//! The database loses its power, and commits their answers.

use super::{long, seed};
use crate::killed::play::Chaos;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_07_the_database_loses_power_and_commits_lose_their_answers() {
    let chaos = Chaos { kill_postgres: 6, lose_commits: 60, cuts: 20, ..Chaos::NONE };
    long(seed(), chaos).must_be_clean();
}
