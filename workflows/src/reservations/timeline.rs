//! The story of a booking, told to whoever asks: the same journal, with what is not theirs left out.
//!
//! A host learns nothing of cards and banks, and a guest nothing of how the host was reminded; operators read everything.

use domain::cancellation::Party;
use domain::{BookingId, Money, Phase, Timestamp};
use engine::TurnView;

use super::view::Asking;
use crate::booking::{Event, State, Timer, run_of};
use crate::{App, Error};

/// Something that happened to a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The number of the turn.
    pub turn: i32,
    /// What: a stable word.
    pub what: &'static str,
    /// Where the booking stood afterwards; unknown for turns of a shape that this build cannot decide again.
    pub phase: Option<Phase>,
    /// Whose doing it was.
    pub by: Actor,
    /// How much, where money is spoken of.
    pub amount: Option<Money>,
    /// What only operators read: who exactly, in which request, and a remark.
    pub inside: Option<Inside>,
}

/// Whose doing something was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The guest's.
    Guest,
    /// The host's.
    Host,
    /// An operator's.
    Operator,
    /// The payment gateway's or the bank's.
    Gateway,
    /// The clock's.
    Time,
}

/// What only operators read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Who exactly.
    pub actor: Option<String>,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// `moved`, `ignored` or `unexpected`.
    pub verdict: &'static str,
    /// Why it was ignored or unexpected.
    pub note: Option<String>,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Everybody,
    GuestOnly,
    HostOnly,
}

/// What happened to a booking so far, as far as it concerns whoever asks.
///
/// # Errors
/// [`Error::NotFound`] when the booking is not theirs.
pub async fn timeline(app: &App, asking: Asking, booking: BookingId) -> Result<Vec<Entry>, Error> {
    let row = asking.find(app.reader(), booking).await?;
    let who = asking.party(&row);
    let turns = app.engine.journal(run_of(booking)).await?;
    let states = app.engine.states(run_of(booking)).await?;
    turns.iter().zip(&states).filter_map(|(turn, state)| entry(turn, state.as_deref(), who).transpose()).collect()
}

fn entry(turn: &TurnView, state: Option<&str>, who: Party) -> Result<Option<Entry>, Error> {
    let unreadable = |why: serde_json::Error| Error::Broken(format!("turn {} cannot be read: {why}", turn.seq).into());
    let state: Option<State> = state.map(serde_json::from_str).transpose().map_err(unreadable)?;
    let (what, by, told, amount) = if turn.key == "start" {
        ("requested", Actor::Guest, Told::Everybody, None)
    } else {
        say(&serde_json::from_str(&turn.event).map_err(unreadable)?)
    };
    let is_told = match (who, told) {
        (Party::Platform, _) | (_, Told::Everybody) => true,
        (Party::Guest, told) => told == Told::GuestOnly,
        (Party::Host, told) => told == Told::HostOnly,
    };
    if !is_told || (who != Party::Platform && turn.verdict != "moved") {
        return Ok(None);
    }
    let inside = (who == Party::Platform).then(|| Inside {
        actor: turn.actor.clone(),
        request_id: turn.request_id.clone(),
        verdict: turn.verdict,
        note: turn.note.clone(),
    });
    Ok(Some(Entry { at: turn.at, turn: turn.seq, what, phase: state.as_ref().map(State::phase), by, amount, inside }))
}

fn say(event: &Event) -> (&'static str, Actor, Told, Option<Money>) {
    use {Actor as By, Event as E, Told::*};
    let (what, by, told) = match event {
        E::PaymentAuthorized { .. } => ("payment_authorized", By::Gateway, Everybody),
        E::PaymentNeedsAction { .. } => ("payment_action_needed", By::Gateway, GuestOnly),
        E::PaymentDeclined { .. } => ("payment_declined", By::Gateway, GuestOnly),
        E::PaymentCaptured { .. } => ("payment_captured", By::Gateway, Everybody),
        E::PaymentCaptureFailed { .. } => ("payment_failed", By::Gateway, Everybody),
        E::PaymentVoided { .. } => ("payment_voided", By::Gateway, GuestOnly),
        E::PaymentRefunded { .. } => ("refunded", By::Gateway, GuestOnly),
        E::PaymentRefundFailed { .. } => ("refund_failed", By::Gateway, GuestOnly),
        E::CardOffered { .. } => ("another_card_offered", By::Guest, GuestOnly),
        E::HostAccepted => ("accepted", By::Host, Everybody),
        E::HostDeclined => ("declined", By::Host, Everybody),
        E::GuestCanceled => ("canceled_by_guest", By::Guest, Everybody),
        E::HostCanceled => ("canceled_by_host", By::Host, Everybody),
        E::OperatorCanceled => ("canceled_by_operator", By::Operator, Everybody),
        E::NightsLost { .. } => ("nights_lost", By::Time, GuestOnly),
        E::Elapsed(timer) => elapsed(*timer),
    };
    let amount = match event {
        E::PaymentRefunded { amount, .. } | E::PaymentRefundFailed { amount, .. } => Some(*amount),
        _ => None,
    };
    (what, by, told, amount)
}

const fn elapsed(timer: Timer) -> (&'static str, Actor, Told) {
    let (what, told) = match timer {
        Timer::HoldExpired => ("hold_expired", Told::Everybody),
        Timer::RemindHalf => ("reminded_half", Told::HostOnly),
        Timer::RemindLast => ("reminded_last", Told::HostOnly),
        Timer::HostDeadline => ("host_silent", Told::Everybody),
        Timer::Release => ("money_released", Told::HostOnly),
        Timer::CheckOut => ("completed", Told::Everybody),
    };
    (what, Actor::Time, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::PaymentId;

    fn turn(event: &Event, verdict: &'static str) -> TurnView {
        TurnView {
            seq: 2,
            key: "fx:1:0".into(),
            at: "2027-01-01T00:00:00Z".parse().unwrap(),
            verdict,
            event: serde_json::to_string(event).unwrap(),
            from: String::new(),
            to: "Capturing".into(),
            note: Some("a remark".into()),
            actor: Some("usr_1".into()),
            request_id: None,
            attempts: 1,
            last_error: None,
        }
    }

    fn heard(event: &Event, verdict: &'static str, who: Party) -> Option<&'static str> {
        entry(&turn(event, verdict), None, who).unwrap().map(|entry| entry.what)
    }

    #[test]
    fn each_side_hears_what_is_its_own() {
        let declined = Event::PaymentDeclined { payment: PaymentId::from_uuid(uuid::Uuid::nil()), code: "x".into() };
        assert_eq!(heard(&declined, "moved", Party::Guest), Some("payment_declined"));
        assert_eq!(heard(&declined, "moved", Party::Host), None);
        let reminded = Event::Elapsed(Timer::RemindHalf);
        assert_eq!(heard(&reminded, "moved", Party::Guest), None);
        assert_eq!(heard(&reminded, "moved", Party::Host), Some("reminded_half"));
        assert_eq!(heard(&reminded, "moved", Party::Platform), Some("reminded_half"));
    }

    #[test]
    fn remarks_and_oddities_are_for_operators_alone() {
        assert_eq!(heard(&Event::HostAccepted, "unexpected", Party::Guest), None);
        assert_eq!(heard(&Event::HostAccepted, "unexpected", Party::Platform), Some("accepted"));
        assert!(entry(&turn(&Event::HostAccepted, "moved"), None, Party::Host).unwrap().unwrap().inside.is_none());
        assert!(entry(&turn(&Event::HostAccepted, "moved"), None, Party::Platform).unwrap().unwrap().inside.is_some());
    }
}
