//! What the product does, with no HTTP and no Redis: the durable processes, and the use cases that people and programs call.
//!
//! Each process is a directory that reads top-down: `mod.rs` decides (pure), `perform.rs` acts on the world, `project.rs` writes the
//! rows that people read. A booking is made, pays through a [`payment`], writes letters through [`mail`]; what a host has earned goes
//! out through [`payout`]s; a [`photo`] is made fit to be shown. All of them are listed, a line each, in the registry.
//!
//! A use case parses nothing and shows nothing: it takes domain values, owns one transaction, and answers with what was
//! written or with an [`Error`].

mod app;
pub mod booking;
pub mod discovery;
mod error;
mod fault;
pub mod hosting;
pub mod idempotency;
pub mod identity;
pub mod ledger;
pub mod letterbox;
pub mod mail;
pub mod market;
pub mod operating;
pub mod parties;
pub mod payment;
pub mod payout;
#[cfg(test)]
mod persisted;
pub mod photo;
pub mod quoting;
mod registry;
pub mod reservations;
#[cfg(test)]
mod samples;
pub mod sandbox;
pub mod till;
pub mod timers;
pub mod uploads;

pub use registry::{GATEWAY, MAIL, OBJECTS, Reach, onlookers, registry};

pub use app::{App, Asker, Parts, Ports, WallClock, machine_clock};
pub use engine::{Conflict, Origin, Refusal};
pub use error::{Error, Expected, Flaw, NotSignedIn};
pub use sea_orm::DbErr as StorageError;
pub use secrecy::{ExposeSecret, SecretString};
