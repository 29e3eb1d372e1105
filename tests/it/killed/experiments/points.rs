//! Deaths at the instants that chance finds rarely: right before and right after every commit, call and hand-over.

use std::collections::BTreeMap;

use engine::faults::POINTS;

use super::seed;
use crate::killed::play::Play;

/// Deaths at every crash point.
const DEATHS: usize = 20;
/// The most plays to come to so many.
const PLAYS: u64 = 24;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_06_a_process_dies_twenty_times_at_every_crash_point() {
    let mut deaths: BTreeMap<&str, usize> = POINTS.iter().map(|point| (point.name, 0)).collect();
    for n in (0..PLAYS).map(|n| seed() + n) {
        if deaths.values().all(|deaths| *deaths >= DEATHS) {
            break;
        }
        let never = Play::at_every_point(n).must_be_clean().never;
        deaths
            .iter_mut()
            .filter(|(point, _)| !never.iter().any(|never| never == *point))
            .for_each(|(_, many)| *many += 1);
    }
    let rarely: Vec<_> = deaths.iter().filter(|(_, deaths)| **deaths < DEATHS).collect();
    println!("seed {} REL-06: {} crash points, {} deaths", seed(), deaths.len(), deaths.values().sum::<usize>());
    assert!(rarely.is_empty(), "too few deaths to say anything: {rarely:?}");
}
