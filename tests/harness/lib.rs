//! What every test with a real database, a real Redis or the real binary stands on.
//!
//! A test that only computes lives beside the code it tests. A test that needs a server lives in `tests/it`, one module per area,
//! and gets here:
//! - [`on_both!`] and [`TestDatabase`]: one test body, run on Postgres and on SQLite as two tests, each on a fresh migrated database;
//! - [`TestApp`]: the product in this process, asked over HTTP, with an outbox instead of the post;
//! - [`market`]: homes to book, and what guests and hosts do with them over HTTP;
//! - [`servers`]: private Postgres and Redis servers on free loopback ports, durable as in production, gone when the test is;
//! - [`Port`]: a port of one's own, for a process that listens on it again after it was killed;
//! - [`Beside`]: a process in a runtime of its own, for tests that kill one between two awaits;
//! - [`program`]: the real `innkeeper` binary as a child process, for tests that kill it;
//! - [`proxy`]: a TCP proxy before a server: late, silent, cut, or with the answer to a commit lost;
//! - [`wait`]: waiting on a condition, never for a time.

pub mod app;
mod beside;
pub mod database;
pub mod dump;
pub mod market;
pub mod picture;
mod ports;
pub mod program;
mod proof;
pub mod proxy;
pub mod servers;
pub mod wait;

pub use app::TestApp;
pub use beside::Beside;
pub use database::{Backend, TestDatabase, begin};
pub use dump::{Dump, Dumper};
pub use ports::Port;

#[doc(hidden)]
pub mod both;
