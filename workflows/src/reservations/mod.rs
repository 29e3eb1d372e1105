//! Reservations: making a booking, answering it, calling it off, and looking at it.
//!
//! What may happen to a booking is decided by its process ([`crate::booking`]) alone; a use case here finds the booking from
//! its owner, hands the process an event within its own transaction, and shows what became of it.

mod answer;
mod make;
pub(crate) mod nights;
mod timeline;
mod view;

pub use answer::{Command, Outlook, Sent, command, preview};
pub(crate) use make::check_method;
pub use make::{Basis, Wish, make};
pub use timeline::{Actor, Entry, Inside, timeline};
pub use view::{Asking, Reservation, Side, called, list, one};
