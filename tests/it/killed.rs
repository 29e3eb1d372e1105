//! Killed at any instant, and nothing is lost or done twice: the real binary, a crowd of clients, and a monkey with `kill -9`.
//!
//! A [`play`] starts the product as its operators do (two APIs and two workers on a Postgres and a Redis of their own, or one process
//! on SQLite), lets a [`crowd`] of guests and hosts book, answer, fall silent and call off over HTTP, while the [`monkey`] kills,
//! freezes and starts processes and empties Redis. Then everything heals, the clock runs past the last payout, and the [`oracle`]
//! judges from outside: by what clients were told, the gateway's own books, the letters in the folder and the tables.
//!
//! Whatever is left to chance comes from the seed that every failure names. How processes interleave does not: a failing seed shows
//! what to look at, it does not promise to fail again.
//!
//! An oracle that was never seen to find anything proves nothing: `planted` plants known bugs (`engine::faults`) in the same binary
//! and demands that each is found, and found for what it is, within three seeds.

mod client;
mod crowd;
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

#[test]
fn nothing_is_lost_or_done_twice_seed_1() {
    Play::of_servers(1).must_be_clean();
}

#[test]
fn nothing_is_lost_or_done_twice_seed_2() {
    Play::of_servers(2).must_be_clean();
}

/// This one kills itself as well, right after a commit and right after a call to the outside.
#[test]
fn nothing_is_lost_or_done_twice_seed_3() {
    let faults = "crash:after_commit:211,crash:after_perform:97";
    Play { faults, ..Play::of_servers(3) }.must_be_clean();
}

#[test]
fn one_process_killed_twenty_times_loses_nothing() {
    Play { chaos: Chaos::embedded(20), ..Play::embedded(4) }.must_be_clean();
}
