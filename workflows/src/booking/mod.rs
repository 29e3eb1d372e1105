//! Booking: from a guest's wish to stay to the morning after.
//!
//! ```text
//! AwaitingPayment ──authorised──→ AwaitingHost ──accepted──→ Capturing ──captured──→ Confirmed ──check-out──→ Completed
//!   │  ↑ another card  (instant book skips the host) ──────────↗ │ failed              │ called off
//!   ↓  │                             │ no         │ silent       ↓                     ↓
//! AwaitingGuest                    Declined    Expired        Canceled ←──refund by the agreed policy
//!   └──hold over──→ Expired ──paid after all and the nights still free──→ AwaitingHost or Capturing
//! ```
//!
//! The nights are taken with the first state and freed with the last: which nights are held is a function of the state
//! ([`project`]), so the calendar cannot leak. The payment is a run of its own; the booking tells it what it wants (capture, void,
//! refund) and hears what became of it. Until a booking is confirmed nothing was taken and calling off costs nothing. After
//! check-in plus a day the money is the host's ([`Timer::Release`]), whether or not the stay is over by then.

pub mod actions;
mod late;
mod perform;
mod project;
mod steps;
mod types;

#[cfg(test)]
mod tests;

pub(crate) use late::out_of_turn;
pub use perform::NoHands;
pub use types::{
    By, Effect, Event, Hold, Missing, Mode, Needs, Paying, Progress, Returned, State, Terms, Timer, Windows,
};

use domain::{BookingId, Timestamp};
use engine::{Conflict, Refusal, Retention, RunId, Step, Workflow};

use crate::ledger;
use crate::mail::Letter;
use crate::payment;
use steps::{Send, authorized, await_guest, called_off, complete, confirmed, ended, expired, paying, unpaid};

/// The process that a booking is.
#[derive(Debug, Clone, PartialEq)]
pub struct Booking;

/// The run of a booking is the booking.
#[must_use]
pub const fn run_of(booking: BookingId) -> RunId {
    RunId::from_uuid(booking.uuid())
}

impl Workflow for Booking {
    const NAME: &'static str = "booking";
    type Input = Terms;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(terms: &Terms, _: Timestamp) -> Step<Self> {
        let hold = Hold { payment: terms.paying.payment, until: terms.windows.hold_until, extended: false };
        paying(terms, hold, terms.paying.method.clone()).takes("nights")
    }

    fn on(terms: &Terms, state: State, event: Event, now: Timestamp) -> Result<Step<Self>, Refusal> {
        use {Event as E, State as S};
        if event.news_of().is_some_and(|payment| payment != state.payment()) {
            return late::of_another_payment(&event);
        }
        Ok(match (state, event) {
            (
                S::AwaitingPayment { hold } | S::AwaitingGuest { hold, .. },
                E::PaymentAuthorized { capture_before, .. },
            ) => authorized(terms, hold.payment, capture_before, now),
            (S::AwaitingPayment { hold }, E::PaymentNeedsAction { .. }) => {
                await_guest(terms, hold, Needs::Challenge, now)
            }
            (S::AwaitingPayment { hold } | S::AwaitingGuest { hold, .. }, E::PaymentDeclined { .. }) => {
                await_guest(terms, hold, Needs::OtherCard, now)
            }
            (S::AwaitingGuest { hold, needs: Needs::OtherCard }, E::CardOffered { payment, method }) => {
                paying(terms, Hold { payment, ..hold }, method)
            }
            (S::AwaitingGuest { .. }, E::CardOffered { .. }) => return Err(steps::payment_in_progress()),
            (S::AwaitingPayment { hold } | S::AwaitingGuest { hold, .. }, E::PaymentVoided { .. }) => {
                await_guest(terms, hold, Needs::OtherCard, now)
            }
            (S::AwaitingPayment { hold }, E::Elapsed(Timer::HoldExpired)) => expired(terms, hold, Missing::Payment),
            (S::AwaitingGuest { hold, .. }, E::Elapsed(Timer::HoldExpired)) => expired(terms, hold, Missing::Guest),

            (S::AwaitingHost { payment, .. }, E::HostAccepted) => steps::capture(payment),
            (S::AwaitingHost { payment, .. }, E::HostDeclined) => {
                ended(S::Declined { payment }, payment).mail_guest(terms, Letter::Declined)
            }
            (S::AwaitingHost { payment, .. }, E::Elapsed(Timer::HostDeadline)) => {
                ended(S::Expired { payment, missing: Missing::Host }, payment).mail_guest(terms, Letter::Expired)
            }
            (S::AwaitingHost { .. }, E::Elapsed(Timer::RemindHalf)) => {
                Step::stay().mail_host(terms, Letter::AnswerHalf)
            }
            (S::AwaitingHost { .. }, E::Elapsed(Timer::RemindLast)) => {
                Step::stay().mail_host(terms, Letter::AnswerLast)
            }
            (state, event @ (E::GuestCanceled | E::OperatorCanceled)) if state.held_until().is_some() => {
                let by = if event == E::GuestCanceled { By::Guest } else { By::Operator };
                unpaid(terms, &state, by)
            }

            (S::Capturing { payment }, E::PaymentCaptured { .. }) => confirmed(terms, payment, now),
            (S::AwaitingHost { payment, .. } | S::Capturing { payment }, E::PaymentVoided { .. })
            | (S::Capturing { payment }, E::PaymentCaptureFailed { .. }) => steps::payment_failed(terms, payment),
            (S::Capturing { .. }, E::GuestCanceled | E::HostCanceled | E::OperatorCanceled) => {
                return Err(steps::payment_in_progress());
            }

            (S::Confirmed { payment, since, released: false }, E::Elapsed(Timer::Release)) => {
                Step::to(S::Confirmed { payment, since, released: true }).post(ledger::released(terms))
            }
            (S::Confirmed { payment, released, .. }, E::Elapsed(Timer::CheckOut)) => complete(payment, released),
            (S::Completed { payment, released: false }, E::Elapsed(Timer::Release)) => {
                complete(payment, true).post(ledger::released(terms))
            }
            (state @ S::Confirmed { .. }, E::GuestCanceled) => called_off(terms, &state, By::Guest, now)?,
            (state @ S::Confirmed { .. }, E::HostCanceled) => called_off(terms, &state, By::Host, now)?,
            (state @ S::Confirmed { .. }, E::OperatorCanceled) => called_off(terms, &state, By::Operator, now)?,

            (state, event) => late::on(terms, state, event, now)?,
        })
    }

    fn elapsed(timer: Timer) -> Event {
        Event::Elapsed(timer)
    }

    fn retention() -> Retention {
        Retention::by_law(ledger::BOOKS_DAYS)
    }

    fn is_final(state: &State) -> bool {
        match state {
            State::Completed { released, .. } => *released,
            State::Expired { .. } | State::Declined { .. } | State::Canceled { .. } => true,
            _ => false,
        }
    }

    fn canceled_by_operator() -> Option<Event> {
        Some(Event::OperatorCanceled)
    }

    /// A payment that came late finds the nights gone.
    fn contested(event: Event, _: &Conflict) -> Option<Event> {
        match event {
            Event::PaymentAuthorized { payment, .. } => Some(Event::NightsLost { payment }),
            _ => None,
        }
    }
}

/// The event that asks a payment to give everything back.
const fn void() -> payment::Event {
    payment::Event::VoidAsked
}
