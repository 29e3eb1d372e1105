//! Finding nights: a look that costs no write, the look that counts, and a hold whose time is over.
//!
//! Neither look is what forbids a double booking: the key of the table is. They make a refusal cheap and helpful.

use std::collections::BTreeSet;

use domain::{BookingId, Neighbour, Stay, Timestamp, UnitId, UserId};
use engine::Tx;
use sea_orm::ConnectionTrait;
use store::bookings;
use store::nights::{self, FARTHEST, Taken};
use store::properties::{self, Property};

use crate::booking::run_of;
use crate::{App, Error};

/// A rival's expired holds are given up one after the other; a home has no more than this many in the way.
const MOST_HOLDS: usize = 100;

/// Where a stay would fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Free {
    /// The units, in ascending order.
    pub(crate) units: Vec<UnitId>,
    /// Whether nights beside the stay matter: then the key of its own nights is not enough, and the look must be repeated
    /// behind the lock of the calendar.
    pub(crate) distance_matters: bool,
}

/// The units in which the home could take the stay, without a lock and without a write.
///
/// A hold that stands in the way but is over by the clock is fired first, as its timer will.
///
/// # Errors
/// [`Error::DatesUnavailable`] when there is none, with the instant at which a hold in the way ends.
pub(crate) async fn look(app: &App, guest: UserId, (property, stay): (&Property, &Stay)) -> Result<Free, Error> {
    for _ in 0..MOST_HOLDS {
        let free = free_units(app.reader(), property, stay).await?;
        if !free.units.is_empty() {
            return Ok(free);
        }
        let now = app.engine.now().await?;
        let around = around(app.reader(), property, stay).await?;
        let Some(expired) = expired(&around, now) else {
            return Err(in_the_way(app.reader(), guest, (&around, stay)).await);
        };
        app.engine.fire_due(run_of(expired)).await?;
    }
    Err(taken(&[], &BTreeSet::new()))
}

/// The first unit in which the home can take the stay, behind the lock of its calendar.
///
/// # Errors
/// [`Error::DatesUnavailable`] when there is none.
pub(crate) async fn choose(tx: &Tx, guest: UserId, (property, stay): (&Property, &Stay)) -> Result<UnitId, Error> {
    nights::lock_calendar(&**tx, property.id).await?;
    let free = free_units(&**tx, property, stay).await?;
    match free.units.first() {
        Some(unit) => Ok(*unit),
        None => Err(in_the_way(&**tx, guest, (&around(&**tx, property, stay).await?, stay)).await),
    }
}

async fn free_units(conn: &impl ConnectionTrait, property: &Property, stay: &Stay) -> Result<Free, Error> {
    let units = properties::units(conn, property.id).await?;
    let neighbours = nights::neighbours(conn, &units, stay).await?;
    let rules = property.listing.rules;
    let around = |unit: &UnitId| -> &[Neighbour] { neighbours.get(unit).map_or(&[], Vec::as_slice) };
    let promised = |other: &Neighbour| other.preparation_nights.is_some_and(|nights| nights > 0);
    Ok(Free {
        distance_matters: rules.preparation_nights > 0 || neighbours.values().flatten().any(promised),
        units: units.into_iter().filter(|unit| rules.fits_between(stay, around(unit)).is_ok()).collect(),
    })
}

async fn around(conn: &impl ConnectionTrait, property: &Property, stay: &Stay) -> Result<Vec<Taken>, Error> {
    let reach = chrono::Days::new(FARTHEST.into());
    Ok(nights::of_property(conn, property.id, stay.check_in() - reach, stay.check_out() + reach).await?)
}

/// A booking around the stay whose hold is over though its timer has not fired yet.
fn expired(around: &[Taken], now: Timestamp) -> Option<BookingId> {
    let over = |taken: &&Taken| taken.hold_expires_at.is_some_and(|until| until <= now);
    around.iter().find(over).and_then(|taken| taken.booking)
}

/// What stands in the way of a stay, told to its guest: a booking of their own by its name.
async fn in_the_way(conn: &impl ConnectionTrait, guest: UserId, (around, stay): (&[Taken], &Stay)) -> Error {
    let wanted: Vec<Taken> = around.iter().filter(|taken| stay.contains(taken.night)).copied().collect();
    let rivals: BTreeSet<BookingId> = wanted.iter().filter_map(|taken| taken.booking).collect();
    match bookings::of_guest_among(conn, guest, &rivals).await {
        Ok(own) => taken(&wanted, &own),
        Err(error) => error.into(),
    }
}

fn taken(wanted: &[Taken], own: &BTreeSet<BookingId>) -> Error {
    let is_own = |taken: &&Taken| taken.booking.is_some_and(|booking| own.contains(&booking));
    let of_their_own = wanted.iter().find(is_own);
    let holds = wanted.iter().filter_map(|taken| taken.hold_expires_at);
    let hold_ends = of_their_own.map_or_else(|| holds.min(), |taken| taken.hold_expires_at);
    let own = of_their_own.and_then(|taken| taken.booking);
    let until = hold_ends.map(|until| until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let detail = match (own, until) {
        (Some(own), Some(until)) => {
            format!("some of these nights are held for yourself, by {own}, until {until} unless it is confirmed")
        }
        (Some(own), None) => format!("some of these nights are yours already, by {own}"),
        (None, Some(until)) => {
            format!("some of these nights are held for somebody else, until {until} unless it is confirmed")
        }
        (None, None) => "some of these nights are taken, or too near to another stay".to_owned(),
    };
    Error::DatesUnavailable { detail, hold_ends, own }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn night(date: &str, until: Option<&str>) -> Taken {
        Taken {
            unit: UnitId(1),
            night: date.parse().unwrap(),
            kind: store::NightKind::Booking,
            booking: Some(BookingId::from_uuid(uuid::Uuid::from_u128(7))),
            hold_expires_at: until.map(|until| until.parse().unwrap()),
        }
    }

    #[test]
    fn only_a_hold_that_is_over_is_given_up() {
        let now = "2027-01-01T12:00:00Z".parse().unwrap();
        assert!(expired(&[night("2027-02-01", None)], now).is_none());
        assert!(expired(&[night("2027-02-01", Some("2027-01-01T12:00:00.000001Z"))], now).is_none());
        assert!(expired(&[night("2027-02-01", Some("2027-01-01T12:00:00Z"))], now).is_some());
    }

    #[test]
    fn a_refusal_says_when_to_try_again() {
        let said = |wanted: &[Taken], own: &[BookingId]| match taken(wanted, &own.iter().copied().collect()) {
            Error::DatesUnavailable { detail, own, .. } => (detail, own),
            other => panic!("{other}"),
        };
        let held = night("2027-02-01", Some("2027-01-01T12:00:00Z"));
        let (detail, own) = said(std::slice::from_ref(&held), &[]);
        assert!(detail.contains("somebody else, until 2027-01-01T12:00:00Z") && own.is_none(), "{detail}");
        let (detail, own) = said(std::slice::from_ref(&held), &[held.booking.unwrap()]);
        assert!(detail.contains("held for yourself") && own == held.booking, "{detail}");
        let (detail, own) = said(&[night("2027-02-01", None)], &[held.booking.unwrap()]);
        assert!(detail.contains("yours already") && own == held.booking, "{detail}");
    }
}
