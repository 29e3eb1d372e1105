//! Homes, quotes, bookings and money, over HTTP on both databases.

mod bookings;
mod endings;
mod homes;
mod nights;
mod payments;
mod privacy;
mod quotes;
mod rehearsals;
mod replays;
pub(crate) mod storm;
mod traces;
