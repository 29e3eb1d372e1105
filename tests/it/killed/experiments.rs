//! The experiments of `./ops/chaos`: longer plays, each with one kind of fault in the foreground. Each prints lines with its seed and
//! its figures, and is judged by the same oracle as every play (`oracle::invariants`).
//!
//! They are ignored in a usual run of the tests, where shorter plays hold the same promises. A new one is one function in one of the
//! modules here, ignored and named `rel_NN_what_happens`: `./ops/chaos` asks the test binary what there is.

mod backlog;
mod clocks;
mod disk;
mod embedded;
mod lab;
mod letters;
mod memory;
mod points;
mod poison;
mod postgres;
mod redis;
mod rolls;
mod slow;
mod soak;
mod storms;
mod wires;
mod workers;

use std::env;

use super::play::{Chaos, Play};
use super::script::Measure;

/// `INNKEEPER_CHAOS_SEED`, which `./ops/chaos --seed` sets.
fn seed() -> u64 {
    env::var("INNKEEPER_CHAOS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// Long enough that work is in hand whenever something happens.
const fn long(seed: u64, chaos: Chaos) -> Play {
    let measure = Measure { slots: 500, homes: 40, guests: 12, contested: 3, rivals: 4 };
    Play { measure, chaos, ..Play::of_servers(seed) }
}
