//! A booking has no hands: what it wants of the world, its payment and its letters do.

use engine::{Attempt, Fault, Perform};

use super::{Booking, Effect, Event};

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub struct NoHands;

impl Perform<Booking> for NoHands {
    async fn perform(&self, _: &Attempt<Booking>, effect: Effect) -> Result<Event, Fault> {
        match effect {}
    }
}
