//! The values and rules of a home-sharing marketplace: everything that is true with no database, no network and no clock.
//!
//! A guest asks for a [`Stay`] of some [`Guests`] at a property. Everything here is a plain value or a pure function of
//! plain values; the present moment and randomness come in as arguments, so a rule gives the same answer in a request,
//! in a worker, in a test and on the day somebody asks why.
#![warn(missing_docs)]

pub mod currency;
pub mod guests;
pub mod ids;
pub mod money;
pub mod status;
pub mod stay;
pub mod time;

pub use currency::{Currency, ParseCurrencyError};
pub use guests::{AgeBand, Capacity, CapacityError, Guests, GuestsError};
pub use ids::{
    BookingId, EventId, ImageId, NotificationId, ParseIdError, PaymentId, PayoutId, PropertyId, QuoteId, ReviewId,
    SessionId, UnitId, UserId,
};
pub use money::{BasisPoints, BasisPointsError, Money, MoneyError};
pub use status::{BookingStatus, ParseStatusError, Phase};
pub use stay::{Stay, StayError};
pub use time::Timestamp;
