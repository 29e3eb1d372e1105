//! What a letter speaks of, read from the rows as they are when it is sent.

use chrono_tz::Tz;
use domain::{Money, PayoutId, Stay, Timestamp};
use engine::{Fault, Link};
use store::bookings::Booking;
use store::{bookings, payments, payouts, properties, users};

use super::{About, Audience, Message};
use crate::fault::reading;

/// Everything that a letter may mention.
pub(super) struct Facts {
    /// Who reads it.
    pub(super) reader: Reader,
    /// The stay, when it is about one.
    pub(super) stay: Option<StayFacts>,
    /// Where the guest meets the bank, while that is asked for.
    pub(super) action_url: Option<String>,
    /// What a host is paid, and on which date.
    pub(super) payout: Option<(PayoutId, Money, chrono::NaiveDate)>,
    /// When the thing came about that the letter is about.
    pub(super) at: Option<Timestamp>,
}

/// Who reads a letter.
pub(super) struct Reader {
    pub(super) name: String,
    pub(super) email: String,
}

/// A booking as a letter speaks of it.
pub(super) struct StayFacts {
    pub(super) id: domain::BookingId,
    pub(super) title: String,
    pub(super) city: String,
    pub(super) stay: Stay,
    pub(super) people: u16,
    pub(super) total: Money,
    /// The other side's name.
    pub(super) other: String,
    /// Until when what is awaited must happen, and by whose clock it is told.
    pub(super) deadline: Option<(Timestamp, Tz)>,
    /// A stable word for how it ended.
    pub(super) reason: Option<String>,
}

/// `None` when the reader or the thing is gone: there is nothing to say.
pub(super) async fn read(db: &Link, message: &Message) -> Result<Option<Facts>, Fault> {
    let Some(user) = users::by_id(db, message.to).await.map_err(reading)? else { return Ok(None) };
    let reader = Reader { name: user.profile.name, email: user.email };
    let mut facts = Facts { reader, stay: None, action_url: None, payout: None, at: None };
    match &message.about {
        About::Account => {}
        About::Verification { asked_at } => facts.at = Some(*asked_at),
        About::Payout { payout } => {
            let Some(row) = payouts::of_anybody(db, *payout).await.map_err(reading)? else { return Ok(None) };
            facts.payout = Some((row.id, row.amount, row.date));
        }
        About::Booking { booking, .. } | About::Payment { booking, .. } => {
            let Some(row) = bookings::of_anybody(db, *booking).await.map_err(reading)? else { return Ok(None) };
            facts.at = Some(row.updated_at);
            facts.stay = stay(db, message, row).await?;
        }
    }
    if let About::Payment { payment, .. } = &message.about {
        let row = payments::of_anybody(db, *payment).await.map_err(reading)?;
        facts.action_url = row.and_then(|row| row.action_url);
    }
    Ok(Some(facts))
}

async fn stay(db: &Link, message: &Message, booking: Booking) -> Result<Option<StayFacts>, Fault> {
    let other = if message.audience == Audience::Host { booking.guest } else { booking.host };
    let home = properties::of_anybody(db, booking.property).await.map_err(reading)?;
    let other = users::by_id(db, other).await.map_err(reading)?;
    let (Some(home), Some(other)) = (home, other) else { return Ok(None) };
    let deadline = booking.host_deadline.or(booking.hold_expires_at);
    Ok(Some(StayFacts {
        id: booking.id,
        title: home.listing.title,
        city: home.listing.place.city,
        stay: booking.stay,
        people: booking.guests.in_beds() + u16::from(booking.guests.infants()),
        total: booking.total,
        other: other.profile.name,
        deadline: deadline.map(|at| (at, home.listing.house.zone)),
        reason: booking.reason,
    }))
}
