//! Processes are killed, frozen and rolled.

use std::time::Duration;

use super::{long, seed};
use crate::killed::play::Chaos;

/// The rescue of a killed process's work, from its last heartbeat: ten seconds of patience, a round of the sweep, and the look of the
/// witness. On a machine that has nothing else to do.
const RESCUE: Duration = Duration::from_millis(12_500);

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
