//! Processes are killed, frozen and rolled.

use super::{long, seed};
use crate::killed::play::Chaos;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_01_workers_are_killed_a_hundred_times() {
    long(seed(), Chaos { kill_workers: 100, ..Chaos::NONE }).must_be_clean();
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_02_apis_are_killed_fifty_times() {
    long(seed(), Chaos { kill_apis: 50, ..Chaos::NONE }).must_be_clean();
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
    let refused = long(seed(), Chaos { freezes: 4, ..Chaos::NONE }).must_be_clean().refused;
    assert!(refused > 0, "nothing was refused: nobody came too late");
}
