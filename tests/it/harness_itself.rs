//! The harness: what the other tests take for granted.

mod cases;
mod databases;
mod faults;
mod processes;
mod servers;
