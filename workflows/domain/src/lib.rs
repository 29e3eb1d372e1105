//! The values and rules of a home-sharing marketplace: everything that is true with no database, no network and no clock.
//!
//! A guest asks for a [`Stay`] of some [`Guests`] at a home. The [`calendar`] says whether these nights can be booked,
//! [`rates`] what they cost, and the [`Offer`] keeps both sides to it: stay, price and cancellation policy, copied when
//! they are quoted. If the booking is called off, [`cancellation`] divides the money, to the minute and to the cent; the
//! [`ledger`] writes every movement of it down twice. Days and hours meet in [`zone`], and nowhere else.
//!
//! Everything here is a plain value or a pure function of plain values; the present moment and randomness come in as
//! arguments, so a rule gives the same answer in a request, in a worker, in a test and on the day somebody asks why.
#![warn(missing_docs)]

pub mod calendar;
pub mod cancellation;
pub mod currency;
pub mod guests;
pub mod ids;
pub mod ledger;
pub mod money;
pub mod quote;
pub mod rates;
pub mod shares;
pub mod status;
pub mod stay;
pub mod time;
pub mod zone;

pub use calendar::{BookingRules, Neighbour, NotBookable, Request};
pub use cancellation::{Cancellation, HostPolicies, Party, PolicyCode, PolicySnapshot, Refund, RefundSchedule};
pub use currency::{Currency, ParseCurrencyError};
pub use guests::{AgeBand, Capacity, CapacityError, Guests, GuestsError};
pub use ids::{
    BookingId, EventId, ImageId, NotificationId, ParseIdError, PaymentId, PayoutId, PropertyId, QuoteId, ReviewId,
    SessionId, UnitId, UserId,
};
pub use ledger::{Account, Balances, Entry, Jurisdiction, Provider, Transaction};
pub use money::{BasisPoints, BasisPointsError, Money, MoneyError};
pub use quote::{Line, LineChange, LineKind, Offer, Priced};
pub use rates::{PricingError, Rates, price};
pub use shares::Shares;
pub use status::{BookingStatus, ParseStatusError, Phase};
pub use stay::{Stay, StayError};
pub use time::Timestamp;
pub use zone::HouseClock;
