//! The rows of a booking: the row that people read, and the nights it holds, both a function of its state.

use engine::faults::planted;
use engine::{Changed, Conflict, Project, ProjectError, Tx};
use sea_orm::DbErr;
use store::nights::{self, Hold};
use store::{Class, bookings, classify};

use super::{Booking, State, Terms};

impl Project<Tx> for Booking {
    type Error = DbErr;

    const ROWS: &'static [(&'static str, &'static str)] =
        &[("booking", "id"), ("booking_unit", "booking_id"), ("unit_night", "booking_id")];

    async fn project(tx: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        let rows: Vec<bookings::Booking> = changed.iter().map(row).collect();
        bookings::put(&**tx, &rows).await?;
        let units: Vec<_> = changed.iter().map(|c| &c.input).flat_map(units).collect();
        bookings::put_units(&**tx, &units).await?;
        let mut holds: Vec<Hold> = changed.iter().map(hold).collect();
        spoil(tx, &mut holds).await?;
        nights::set(&**tx, &holds).await.map_err(|error| taken(error, changed))
    }
}

fn units(terms: &Terms) -> impl Iterator<Item = (domain::BookingId, domain::UnitId)> + '_ {
    terms.units.iter().map(|unit| (terms.booking, *unit))
}

/// A booking that came to nothing holds no night.
fn hold(changed: &Changed<Booking>) -> Hold {
    let (terms, state) = (&changed.input, &changed.state);
    let units = if state.status().holds_nights() { terms.units.clone() } else { vec![] };
    Hold { booking: terms.booking, units, stay: terms.offer.stay, hold_expires_at: state.held_until() }
}

/// Plants the two bugs about the key of the nights' table, for the tests that must catch them; does nothing in a build without faults.
async fn spoil(tx: &Tx, holds: &mut [Hold]) -> Result<(), ProjectError<DbErr>> {
    if !(planted("no_night_key") || planted("key_violation_ignored")) {
        return Ok(());
    }
    for hold in holds {
        let there = nights::taken(&**tx, &hold.units, hold.stay.check_in(), hold.stay.check_out()).await;
        let there = there.map_err(|error| ProjectError::Storage(error.into()))?;
        let rivals: Vec<_> = there.iter().filter_map(|taken| taken.booking).filter(|id| *id != hold.booking).collect();
        if planted("no_night_key") {
            nights::free(&**tx, &rivals).await.map_err(ProjectError::Storage)?;
        } else if !rivals.is_empty() {
            hold.units.clear();
        }
    }
    Ok(())
}

/// A night that somebody else has is an answer. Only a step that takes nights can meet it, and such a step commits alone.
fn taken(error: DbErr, changed: &[Changed<Booking>]) -> ProjectError<DbErr> {
    match (classify(&error), changed) {
        (Class::Taken, [Changed { input, .. }]) => {
            ProjectError::Taken(Conflict::over("nights", format!("{} {}", input.property, input.offer.stay)))
        }
        _ => ProjectError::Storage(error),
    }
}

fn row(changed: &Changed<Booking>) -> bookings::Booking {
    let (terms, state) = (&changed.input, &changed.state);
    let total = terms.total();
    let waits_for_the_host = matches!(state, State::AwaitingHost { .. });
    bookings::Booking {
        id: terms.booking,
        property: terms.property,
        guest: terms.guest,
        host: terms.host,
        stay: terms.offer.stay,
        guests: terms.offer.guests,
        prep_nights: terms.prep_nights,
        phase: state.phase(),
        reason: state.reason().map(str::to_owned),
        total,
        refunded: state.refunded().unwrap_or(domain::Money::zero(total.currency)),
        payment: Some(state.payment()),
        quote: terms.quote,
        hold_expires_at: state.held_until().filter(|_| !waits_for_the_host),
        host_deadline: state.held_until().filter(|_| waits_for_the_host),
        // The guest's own words are not the run's: the row keeps them.
        client_reference: None,
        message: None,
        created_at: terms.made_at,
        updated_at: changed.at,
        seq: changed.seq,
    }
}
