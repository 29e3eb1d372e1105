//! The database loses its power, its processes and its connections, and commits lose their answers.

use super::{long, seed};
use crate::killed::play::Chaos;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_07_the_database_dies_and_commits_lose_their_answers() {
    let chaos = Chaos { kill_postgres: 4, kill_backends: 4, terminate: 20, lose_commits: 60, cuts: 20, ..Chaos::NONE };
    let unknown = long(seed(), chaos).must_be_clean().unknown;
    assert!(unknown >= 50, "only {unknown} commits had an unknown outcome");
}
