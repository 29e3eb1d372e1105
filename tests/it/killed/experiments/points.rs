//! Deaths at the instants that chance finds rarely: right before and right after every commit, call and hand-over.

use std::env;

use engine::faults::POINTS;

use super::seed;
use crate::killed::play::{Chaos, Outcome, Play};
use crate::killed::script::Measure;

/// Deaths at every crash point.
const DEATHS: usize = 20;
/// The most plays to come to so many.
const PLAYS: u64 = 8;

/// Every crash point, until it has killed a process twenty times. `INNKEEPER_CHAOS_POINT` names one instead of all of them.
#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_06_a_process_dies_twenty_times_at_every_crash_point() {
    let only = env::var("INNKEEPER_CHAOS_POINT").ok();
    let points = POINTS.iter().filter(|point| only.as_ref().is_none_or(|only| only == *point));
    let mut rarely = vec![];
    for point in points {
        let deaths = die_at(point);
        println!("seed {} REL-06 {point}: {deaths} deaths", seed());
        if deaths < DEATHS {
            rarely.push(format!("{point}: {deaths}"));
        }
    }
    assert!(rarely.is_empty(), "too few deaths to say anything: {rarely:?}");
}

fn die_at(point: &str) -> usize {
    let (mut deaths, mut every) = (0, 64);
    for n in 0..PLAYS {
        if deaths >= DEATHS {
            break;
        }
        let Outcome { crashes, passages, .. } = deadly(seed() + n, point, every).must_be_clean();
        deaths += crashes;
        // As often as the point is passed: the next play shall have about twenty deaths, and get on between two of them.
        let passed = passages.get(point).copied().unwrap_or(0);
        every = (passed / DEATHS as u64).clamp(2, 200);
    }
    deaths
}

fn deadly(seed: u64, point: &str, every: u64) -> Play {
    let measure = Measure { slots: 60, homes: 10, guests: 6, contested: 3, rivals: 3 };
    // A play is a value that is copied about; what it is called lives as long as the test.
    let faults: &'static str = format!("crash:{point}:{every},mishap:outcome_turn:40").leak();
    let chaos = Chaos { kill_workers: 2, ..Chaos::NONE };
    Play { measure, faults, chaos, ..Play::of_servers(seed) }
}
