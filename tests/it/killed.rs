//! Killed at any instant, and nothing is lost or done twice: the real binary, a crowd of clients, and a monkey with `kill -9`.
//!
//! A [`play`] starts the product as its operators do (two APIs and two workers on a Postgres and a Redis of their own, or one process
//! on SQLite), lets a [`crowd`] of guests and hosts book, answer, fall silent and call off over HTTP, while the [`monkey`] kills,
//! freezes and starts processes, has them die at crash points (`engine::faults`), empties Redis, cuts wires (`harness::proxy`) and the
//! database's power. Then everything heals, the clock runs past the last payout, and the [`oracle`] judges from outside: by what clients
//! were told, the gateway's own books, the letters in the folder and the tables.
//!
//! Whatever is left to chance comes from the seed that every failure names. How processes interleave does not: a failing seed shows
//! what to look at, it does not promise to fail again.
//!
//! An oracle that was never seen to find anything proves nothing: `planted` plants known bugs (`engine::faults`) in the same binary
//! and demands that each is found, and found for what it is, within three seeds.
//!
//! What must be so is one list, `oracle::invariants`, checked after every play. [`experiments`] are longer plays, by `./ops/chaos` only.

mod client;
mod crowd;
mod experiments;
mod inbox;
mod installation;
mod monkey;
mod oracle;
mod planted;
mod play;
mod race;
mod record;
mod script;
mod seat;
mod town;
mod witness;

use play::{Chaos, Play};
use script::Measure;

/// Processes are killed, a worker stands still, Redis is emptied three times and taken away once.
#[test]
fn nothing_is_lost_or_done_twice() {
    Play::of_servers(1).must_be_clean();
}

/// The same, and they die by themselves as well, right after a commit and right after a call to the outside.
#[test]
fn those_who_die_by_themselves_lose_nothing() {
    let faults = "crash:after_commit:211,crash:after_perform:97";
    Play { faults, ..Play::of_servers(3) }.must_be_clean();
}

/// Commits whose answers are lost, connections that break, a worker that hears nothing, a database without power.
#[test]
fn cut_wires_lose_nothing() {
    let measure = Measure { slots: 120, homes: 20, guests: 8, contested: 3, rivals: 4 };
    Play { measure, chaos: Chaos::WIRES, ..Play::of_servers(2) }.must_be_clean();
}

/// A point that nobody comes by would prove nothing.
#[test]
fn a_process_dies_at_every_crash_point_and_nothing_is_lost() {
    let never = Play::at_every_point(3).must_be_clean().never;
    assert!(never.is_empty(), "nobody came by these crash points, so nothing is known about them: {never:?}");
}

#[test]
fn one_process_killed_twenty_times_loses_nothing() {
    Play { chaos: Chaos::embedded(20), ..Play::embedded(4) }.must_be_clean();
}
