//! Redis goes away, comes back empty, or stays away for long. It is never on the way of a booking.

use std::time::Duration;

use super::{long, seed};
use crate::killed::play::{Chaos, Outcome, Play};

/// One request in a hundred, and no more, may have to be repeated.
fn hardly_anybody_notices(play: Play) -> Outcome {
    let outcome = play.must_be_clean();
    let (asked, failed, _) = outcome.fared;
    assert!(failed * 100 <= asked, "{failed} of {asked} requests failed");
    outcome
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_03_redis_is_taken_away_twenty_times() {
    hardly_anybody_notices(long(seed(), Chaos { stop_redis: 20, ..Chaos::NONE }));
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_04_redis_is_emptied_ten_times() {
    hardly_anybody_notices(long(seed(), Chaos { empty_redis: 10, ..Chaos::NONE }));
}

/// Nobody storms anything when it is back: the gateway is not called more often, and people do not wait longer than on a day on which
/// nothing happens.
#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_05_redis_stays_away_for_long_and_comes_back() {
    let calm = long(seed(), Chaos::NONE).must_be_clean();
    let outcome = hardly_anybody_notices(long(seed(), Chaos { lose_redis: 1, ..Chaos::NONE }));
    let [usual, most] = [calm.fared.2, outcome.fared.2];
    assert!(most <= usual * 2 + Duration::from_millis(50), "99 % took up to {most:?}, and {usual:?} usually");
    assert!(outcome.calls <= calm.calls * 1.2, "{} calls for each deed, and {} usually", outcome.calls, calm.calls);
}
