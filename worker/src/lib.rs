//! Who does the work: one process's share of everything that the engine has put into its database as still to be done.
//!
//! The database is the only truth. [`run()`] claims what is due (on a bell, or when a poll finds it), hands each lease to an apalis
//! worker of its queue, and the engine concludes it under its fence. Around that stand the things that keep it honest: a heartbeat
//! on a thread of its own, the rescue of dead processes' leases, a watchdog that ends a process whose code no longer yields, and a
//! drain that gives everything back at the end.
//!
//! Redis only makes things sooner: it carries [bells](RedisBell) between processes and the [plain jobs](Chores) that nobody would
//! miss. Without it, with an emptied or a slow one, the same work is done, found by the poll.
#![warn(missing_docs)]

mod backend;
mod backlog;
mod bell;
mod bundle;
pub mod config;
mod drain;
mod execute;
mod heart;
mod keep;
pub mod metrics;
mod pause;
mod plain;
mod rounds;
mod run;
mod runtime;
mod settings;
mod watchdog;
mod wire;

pub use bell::RedisBell;
pub use plain::{Chore, Chores};
pub use run::{Died, run};
pub use runtime::runtime;
pub use settings::{Pace, Settings};
pub use wire::{Wire, WireError};
