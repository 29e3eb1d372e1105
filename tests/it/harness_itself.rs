//! The harness: what the other tests take for granted.

mod databases;
mod processes;
mod servers;
