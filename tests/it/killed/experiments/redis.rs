//! Redis goes away, comes back empty, or stays away for long.

use super::{long, seed};
use crate::killed::play::Chaos;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_03_redis_is_taken_away_twenty_times() {
    long(seed(), Chaos { stop_redis: 20, ..Chaos::NONE }).must_be_clean();
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_04_redis_is_emptied_ten_times() {
    long(seed(), Chaos { empty_redis: 10, kill_workers: 4, ..Chaos::NONE }).must_be_clean();
}
