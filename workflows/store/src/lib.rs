//! The rows that people read and the queries that start at their owner: the one place outside the engine that knows SQL.
//!
//! Every read of an owned row takes its owner, so forgetting who asks does not compile; a row that is absent and a row of
//! somebody else are the same `None`. Reads answer values of `domain`; a row that cannot be such a value is an
//! [`Error::Row`], never a panic. Writes are set-based where a projection calls them, and answer the database's own error,
//! which [`classify`] puts into words that are the same for PostgreSQL and SQLite.
#![warn(missing_docs)]

pub mod bookings;
#[expect(missing_docs, reason = "an entity's names are the table's; the migrations say what they mean")]
pub mod entity;
mod error;
pub mod idempotency;
pub mod images;
pub mod inbox;
mod instant;
pub mod ledger;
pub mod nights;
pub mod notifications;
mod page;
pub mod payments;
pub mod payouts;
pub mod properties;
pub mod quotes;
mod read;
pub mod search;
pub mod sessions;
pub mod users;
mod words;

pub use error::{Class, Error, Result, Unreadable, classify};
pub use instant::Micros;
pub use page::{Page, Position};
pub use words::{
    ImageStatus, NightKind, NotificationStatus, ParseWordError, PaymentStatus, PayoutStatus, PropertyStatus, Role,
    UserStatus,
};
