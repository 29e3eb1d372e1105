//! News that comes after the booking has gone on: none is lost, and money that nobody wants goes back.

use engine::{Refusal, Step};

use super::steps::{Send, authorized, payment_failed};
use super::{Booking, By, Event, Missing, Progress, Returned, State, Terms, Timer, void};
use crate::mail::{About, Audience, Letter, Message};
use crate::payment::{self, Payment};
use domain::{PaymentId, Phase, Timestamp};

/// What is left once the happy path and its branches have had their say.
pub(super) fn on(terms: &Terms, state: State, event: Event, now: Timestamp) -> Result<Step<Booking>, Refusal> {
    use {Event as E, State as S};
    let phase = state.phase();
    Ok(match (state, event) {
        (S::Expired { payment, missing }, E::PaymentAuthorized { capture_before, .. }) if missing != Missing::Host => {
            if now >= terms.windows.check_in_at {
                return Ok(return_payment(terms, payment));
            }
            authorized(terms, payment, capture_before, now).takes("nights")
        }
        (S::Expired { payment, .. }, E::NightsLost { .. }) => return_payment(terms, payment),

        (S::Canceled { payment, by, refund: Some(Returned { amount, .. }) }, E::PaymentRefunded { .. }) => {
            Step::to(S::Canceled { payment, by, refund: Some(Returned { amount, progress: Progress::Settled }) })
        }
        (S::Canceled { payment, by, refund: Some(Returned { amount, .. }) }, E::PaymentRefundFailed { .. }) => {
            Step::to(S::Canceled { payment, by, refund: Some(Returned { amount, progress: Progress::Failed }) })
        }

        (S::Capturing { payment }, E::PaymentRefunded { .. }) => payment_failed(terms, payment),
        (state, E::PaymentRefundFailed { payment, amount, .. })
            if nothing_was_taken(&state) || matches!(state, S::Capturing { .. }) =>
        {
            // A payment gave back by itself what it should not have taken, and could not: that must be seen.
            let by = if let S::Canceled { by, .. } = state { by } else { By::System };
            Step::to(S::Canceled { payment, by, refund: Some(Returned { amount, progress: Progress::Failed }) })
        }
        (state, event) if nothing_was_taken(&state) => unwanted(&state, event)?,
        (S::Confirmed { .. } | S::Completed { .. } | S::Canceled { .. }, E::PaymentCaptured { .. }) => {
            Step::ignore("it is known that the money was taken")
        }
        // Messages may overtake each other: that this card was given up is known, that it had worked is older news.
        (S::AwaitingGuest { .. }, E::PaymentAuthorized { payment, .. }) => give_back(payment),
        (_, E::PaymentNeedsAction { .. }) => Step::ignore("the payment has gone on since"),
        (
            S::Canceled { .. },
            E::PaymentAuthorized { .. } | E::PaymentCaptureFailed { .. } | E::PaymentVoided { .. },
        ) => Step::ignore("what the payment had is on its way back"),
        (state, E::Elapsed(timer)) if is_over(&state, timer) => Step::ignore("the booking has gone on"),
        _ => return Err(out_of_turn(phase)),
    })
}

/// What the booking is, for whoever asks for something that this leaves no room for.
pub(crate) fn out_of_turn(phase: Phase) -> Refusal {
    let words = phase.to_string().replace('_', " ");
    Refusal::because("out_of_turn", format!("this is not possible: the booking is {words}"))
}

/// A payment that was given up for another card never holds money that we want; when it says so, it hears it again.
pub(super) fn of_another_payment(event: &Event) -> Result<Step<Booking>, Refusal> {
    match event {
        Event::PaymentAuthorized { payment, .. } | Event::PaymentCaptured { payment } => Ok(give_back(*payment)),
        // Nobody looks at that payment any more: an operator must.
        Event::PaymentRefundFailed { .. } => Err(Refusal::out_of_turn()),
        _ => Ok(Step::ignore("another card pays for this booking")),
    }
}

/// The booking came to nothing and its payment was told to give everything back.
const fn nothing_was_taken(state: &State) -> bool {
    matches!(state, State::Expired { .. } | State::Declined { .. } | State::Canceled { refund: None, .. })
}

/// What a payment says while it is giving everything back.
fn unwanted(state: &State, event: Event) -> Result<Step<Booking>, Refusal> {
    match event {
        Event::PaymentCaptured { payment } => Ok(give_back(payment)),
        Event::PaymentAuthorized { .. } | Event::PaymentNeedsAction { .. } => {
            Ok(Step::ignore("the payment is told to give everything back"))
        }
        Event::PaymentVoided { .. } | Event::PaymentDeclined { .. } | Event::PaymentCaptureFailed { .. } => {
            Ok(Step::ignore("nothing was taken, as it should be"))
        }
        Event::PaymentRefunded { .. } => Ok(Step::ignore("everything went back, as it should")),
        Event::Elapsed(timer) if is_over(state, timer) => Ok(Step::ignore("the booking has gone on")),
        _ => Err(out_of_turn(state.phase())),
    }
}

/// Timers of the run outlive the state that set them.
const fn is_over(state: &State, timer: Timer) -> bool {
    let ended = matches!(state, State::Expired { .. } | State::Declined { .. } | State::Canceled { .. });
    ended && matches!(timer, Timer::Release | Timer::CheckOut)
}

fn give_back(payment: PaymentId) -> Step<Booking> {
    Step::stay().tell::<Payment>(payment::run_of(payment), &void())
}

/// The guest paid too late: the money goes back, and the guest hears why.
fn return_payment(terms: &Terms, payment: PaymentId) -> Step<Booking> {
    let about = About::Payment { booking: terms.booking, payment };
    let letter = Letter::PaymentReturned;
    give_back(payment).mail(&Message { letter, to: terms.guest, audience: Audience::Guest, about })
}
