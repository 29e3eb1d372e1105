//! The experiments of `./ops/chaos`: longer plays, each with one kind of fault in the foreground. Each prints a line with its seed and
//! its figures, and is judged by the same oracle as every play (`oracle::invariants`).
//!
//! They are ignored in a usual run of the tests, where shorter plays hold the same promises. `INNKEEPER_CHAOS_SEED` chooses another seed;
//! `INNKEEPER_CHAOS_POINT` one crash point instead of all of them.

use std::env;
use std::time::{Duration, Instant};

use engine::faults::POINTS;

use super::play::{Chaos, Outcome, Play};
use super::script::Measure;

/// The rescue of a killed process's work, from its last heartbeat: ten seconds of patience, a round of the sweep, and the look of the
/// witness. On a machine that has nothing else to do.
const RESCUE: Duration = Duration::from_millis(12_500);
/// Deaths at every crash point.
const DEATHS: usize = 20;
/// The most plays to come to so many.
const PLAYS: u64 = 8;
const SOAK: Duration = Duration::from_secs(20 * 60);

fn seed() -> u64 {
    env::var("INNKEEPER_CHAOS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// Long enough that work is in hand whenever something happens.
const fn long(seed: u64, chaos: Chaos) -> Play {
    let measure = Measure { slots: 500, homes: 30, guests: 12, contested: 3, rivals: 4 };
    Play { measure, chaos, ..Play::of_servers(seed) }
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_01_workers_are_killed_a_hundred_times() {
    let outcome = long(seed(), Chaos { kill_workers: 100, ..Chaos::NONE }).must_be_clean();
    assert!(outcome.rescue <= RESCUE, "a lease was held by the dead for {:?}", outcome.rescue);
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_02_apis_are_killed_fifty_times() {
    long(seed(), Chaos { kill_apis: 50, ..Chaos::NONE }).must_be_clean();
}

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

/// Every crash point, until it has killed a process twenty times; what has come true after fewer plays is not played again.
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

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_07_the_database_loses_power_and_commits_lose_their_answers() {
    let chaos = Chaos { kill_postgres: 6, lose_commits: 60, cuts: 20, ..Chaos::NONE };
    long(seed(), chaos).must_be_clean();
}

/// Work goes from hand to hand at once: whoever is asked to leave leaves nothing behind that anybody would have to rescue.
#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_21_workers_are_rolled_thirty_times() {
    let outcome = long(seed(), Chaos { rolls: 30, ..Chaos::NONE }).must_be_clean();
    assert_eq!(outcome.rescued, 0, "leases that a planned stop left behind");
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_29_workers_stand_still_and_come_back_too_late() {
    long(seed(), Chaos { freezes: 4, ..Chaos::NONE }).must_be_clean();
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_30_workers_hear_nothing_while_they_are_heard() {
    long(seed(), Chaos { deafen: 4, cuts: 10, ..Chaos::NONE }).must_be_clean();
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_31_one_process_on_sqlite_is_killed_two_hundred_times() {
    for n in 0..4 {
        Play { chaos: Chaos::embedded(50), ..Play::embedded(seed() + n) }.must_be_clean();
    }
}

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
