//! The test kit: a workflow is pure, so its tests need no database, no clock and no mocks.
//!
//! Every workflow ships five kinds of tests, and this module holds one tool for each:
//!
//! | tool | question | shape of the test |
//! |---|---|---|
//! | [`Script`] | what happens in this story? | feed events, let time pass, snapshot the transcript |
//! | [`table()`] | what does every event mean in every state? | snapshot the text: a forgotten pair shows up in review |
//! | [`explore()`] and [`Network`] | does it hold in *every* order of outcomes, timers and commands? | name the invariants, get a shortest counter-example |
//! | [`golden()`] | can we still read what an older build has written? | committed files, append-only |
//! | [`Explored::recorded`] | does it still mean the same to the runs that are under way? | committed journals, decided again |
//!
//! All of them move a run by the same rules as a turn of the real engine:
//!
//! - due timers come first, each at its intended instant;
//! - a timer set by [`Step::timer`](crate::Step::timer) is disarmed when the run leaves the state *variant* that set it, one set by
//!   [`Step::deadline`](crate::Step::deadline) is kept until it fires; a timer of the same name (the variant's name) replaces the
//!   earlier one; entering a final state disarms them all, but for those that this very step sets;
//! - a refusal leaves the run as it was; for a fact (an outcome, a timer, a tell) it is a defect that the engine would flag;
//! - everything a step names must read back from JSON as it was written, or the kit panics: the engine stores it as text.
//!
//! `toy.rs` beside this file is a whole workflow with its tests and nine planted mistakes; the kit's own tests show each of them caught.
//!
//! The kit is behind the cargo feature `testkit`; a crate with workflows enables it among its dev-dependencies. Its outputs are
//! plain strings for any snapshot tool, and are stable: keys are sorted, long ids are cut to `bkg_…cdef`, amounts read `41200 EUR`
//! (minor units). The checks panic, with a transcript, because a test is where they run.

mod alone;
mod bench;
mod explore;
mod golden;
mod recorded;
mod samples;
mod script;
pub mod sim;
mod table;
mod words;

#[cfg(test)]
mod toy;

pub use alone::{Alone, Cues, Written};
pub use explore::{Explored, Moment, Network, Player, Scene, Solo, Turn, Why, explore};
#[cfg(test)]
use golden::WrittenFiles;
pub use golden::{golden, golden_values};
pub use recorded::{Recorded, recorded};
pub use samples::{Samples, variants_of};
pub use script::Script;
pub use table::table;

/// What every process asks of the leases again and again: the leases of the dead (parameter: a patience in microseconds), and its own
/// (parameter: its id). For a test of how the database finds them.
#[must_use]
pub fn looks_at_leases(backend: sea_orm::DbBackend) -> [String; 2] {
    [crate::lease_keeping::rescuing(backend), crate::lease_keeping::held_by()]
}

/// What a sealer asks on PostgreSQL: to lead, and then what is unsealed. For a test of how the
/// database finds it.
#[must_use]
pub fn a_sealing() -> (sea_orm::Statement, String) {
    let lead =
        crate::storage::statement(sea_orm::DbBackend::Postgres, crate::sealer::LEAD, vec![crate::sealer::LOCK.into()]);
    (lead, crate::sealer::unsealed())
}

/// What the archive asks: which runs of a workflow have finished long ago. For a test of how the database finds it.
#[must_use]
pub fn an_archiving(backend: sea_orm::DbBackend) -> sea_orm::Statement {
    crate::archive::finished_before(backend, "stall", 0, 1)
}

/// A claim of due work from two queues. For a test of how the database finds it.
#[must_use]
pub fn a_claim(backend: sea_orm::DbBackend) -> sea_orm::Statement {
    crate::storage::sample_claim(backend)
}
