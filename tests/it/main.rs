//! Every test that needs a server, a database or the whole workspace: one binary, one module per area.
#![expect(clippy::unwrap_used, reason = "in a test a failed arrangement is a failed test")]

mod bad_input;
mod engine;
mod harness_itself;
mod house;
mod identity;
mod killed;
mod market;
mod operators;
mod privacy;
mod processes;
mod product;
mod store;
mod worker;
