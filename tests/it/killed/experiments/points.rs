//! Deaths at the instants that chance finds rarely: right before and right after every commit, call and hand-over.
//!
//! Twenty deaths at every point are the better part of an hour. They are made in five parts, each an experiment of its own, so that
//! `./ops/chaos --resume` goes on between them.

use std::collections::BTreeMap;

use engine::faults::POINTS;

use super::seed;
use crate::killed::play::Play;

/// Deaths at every crash point in each part.
const DEATHS: usize = 4;
/// The most plays to come to so many.
const PLAYS: u64 = 5;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_06_deaths_1_to_4_at_every_crash_point() {
    deaths_at_every_point(0);
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_06_deaths_5_to_8_at_every_crash_point() {
    deaths_at_every_point(1);
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_06_deaths_9_to_12_at_every_crash_point() {
    deaths_at_every_point(2);
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_06_deaths_13_to_16_at_every_crash_point() {
    deaths_at_every_point(3);
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_06_deaths_17_to_20_at_every_crash_point() {
    deaths_at_every_point(4);
}

/// One part of five; no play is played in two of them.
fn deaths_at_every_point(part: u64) {
    let mut deaths: BTreeMap<&str, usize> = POINTS.iter().map(|point| (point.name, 0)).collect();
    for n in (0..PLAYS).map(|n| seed() + part * PLAYS + n) {
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
