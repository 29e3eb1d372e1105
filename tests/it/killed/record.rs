//! What clients were told: the product must keep all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::{BookingId, ImageId, PropertyId, Stay};

/// A booking that a client heard of with 201.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) home: PropertyId,
    pub(crate) stay: Stay,
    /// Under which key it was asked for.
    pub(crate) key: String,
}

/// What a party did and was answered with 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Done {
    Accepted,
    Declined,
    CanceledByGuest,
    CanceledByHost,
}

/// Everything that was acknowledged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) bookings: BTreeMap<BookingId, Made>,
    pub(crate) refused: usize,
    pub(crate) done: BTreeSet<(BookingId, Done)>,
    pub(crate) photos: BTreeSet<ImageId>,
    /// Forged messages that were answered as if they were the gateway's.
    pub(crate) believed: Vec<String>,
    /// Two answers to one key that name different bookings, and the like.
    pub(crate) contradictions: Vec<String>,
}

/// The record that all clients write.
#[derive(Debug, Default)]
pub(crate) struct Record(Mutex<Heard>);

impl Record {
    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn booked(&self, id: BookingId, made: Made) {
        let mut heard = self.heard();
        let key = made.key.clone();
        if let Some(other) = heard.bookings.insert(id, made).filter(|other| other.key != key) {
            heard.contradictions.push(format!("{id} is the answer to {} and to {key}", other.key));
        }
    }
}
