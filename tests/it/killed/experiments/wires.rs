//! What lies between the processes and their servers.

use super::{long, seed};
use crate::killed::play::Chaos;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_30_workers_hear_nothing_while_they_are_heard() {
    long(seed(), Chaos { deafen: 4, cuts: 10, ..Chaos::NONE }).must_be_clean();
}
