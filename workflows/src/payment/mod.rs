//! Payment: one card for one booking, and the arbiter between taking its money and giving it back.
//!
//! ```text
//! Authorizing ──────authorised──────→ Authorized ──capture asked──→ Capturing ──captured──→ Captured ⇄ Refunding
//!   │     │ 3-D Secure                 ↑     │ void asked              │ declined                ↑ void asked too late
//!   │     └──→ AwaitingAction ──seen───┘     ▼                         ▼                         │
//!   │ declined      │ declined            Voiding ←────────────────────┴──── already captured ───┘
//!   └──→ Declined ←─┘                        └──voided──→ Voided
//! ```
//!
//! Money is taken only when the booking asks. A wish that comes while the gateway is at work is remembered, a void before a
//! capture wins, and whatever the gateway turns out to have done is booked and, where nobody wants it, given back. Every answer
//! is told to the booking. Webhooks carry no news themselves: they make us look ([`Effect::Inspect`]), and [`sight`] moves the
//! payment forward only.

mod perform;
mod project;
mod sight;
mod steps;
mod types;

#[cfg(test)]
mod tests;

pub use perform::Cashier;
pub use types::{Due, Effect, Event, Sight, State, Timer, Wish};

use domain::Timestamp;
use engine::{Policy, Refusal, Retention, RunId, Step, Workflow};

use crate::{booking, ledger};
use steps::{authorized, back, captured, declined, refund, tell, void, voided};

/// The process that pays for a booking.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment;

/// Tries at something that must happen: two days of them, at five minutes on average.
pub(crate) const PATIENT: i32 = 600;

/// The run of a payment is the payment.
#[must_use]
pub const fn run_of(payment: domain::PaymentId) -> RunId {
    RunId::from_uuid(payment.uuid())
}

impl Workflow for Payment {
    const NAME: &'static str = "payment";
    type Input = Due;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(_: &Due, _: Timestamp) -> Step<Self> {
        Step::to(State::Authorizing { wish: Wish::Keep }).run(Effect::Authorize)
    }

    fn on(due: &Due, state: State, event: Event, _: Timestamp) -> Result<Step<Self>, Refusal> {
        use {Event as E, State as S};
        let payment = due.payment;
        Ok(match (state, event) {
            (S::Authorizing { wish: Wish::Void }, E::Authorized { intent, .. }) => {
                void(intent, true).post(crate::ledger::hold_placed(due))
            }
            (S::Authorizing { .. }, E::Authorized { intent, capture_before }) => {
                authorized(due, intent, capture_before)
            }
            (S::Authorizing { wish: Wish::Keep }, E::ActionRequired { intent, url }) => {
                let waiting = S::AwaitingAction { intent, url, lapsed: false };
                tell(due, Step::to(waiting), booking::Event::PaymentNeedsAction { payment })
            }
            (S::Authorizing { .. }, E::ActionRequired { intent, .. }) => void(intent, false),
            (S::Authorizing { .. }, E::Declined { intent, code }) => declined(due, intent, code),
            (S::Authorizing { .. }, E::VoidAsked) => Step::to(S::Authorizing { wish: Wish::Void }),
            (S::Authorizing { wish: Wish::Keep }, E::Lapsed) => Step::to(S::Authorizing { wish: Wish::Lapse }),
            (S::Authorizing { .. }, E::Nudged) => Step::ignore("the gateway's own answer is still to come"),

            (S::AwaitingAction { intent, .. }, E::VoidAsked) => void(intent, false),
            (S::AwaitingAction { intent, url, .. }, E::Lapsed) => {
                let look = E::inspect(&intent);
                Step::to(S::AwaitingAction { intent, url, lapsed: true }).run(look)
            }

            (S::Authorized { intent, .. }, E::CaptureAsked) => {
                let capture = Effect::Capture { intent: intent.clone() };
                Step::to(S::Capturing { intent, wish: Wish::Keep }).run(capture)
            }
            (S::Authorized { intent, .. }, E::VoidAsked) => void(intent, true),

            (S::Capturing { intent, wish }, E::Captured { .. }) => captured(due, intent, wish),
            (S::Capturing { intent, .. }, E::CaptureDeclined { code }) => {
                tell(due, void(intent, true), booking::Event::PaymentCaptureFailed { payment, code })
            }
            (S::Capturing { intent, .. }, E::VoidAsked) => Step::to(S::Capturing { intent, wish: Wish::Void }),

            (S::Captured { intent, refunded }, E::RefundAsked { amount }) => refund(due, intent, refunded, amount)?,
            (S::Captured { intent, refunded }, E::VoidAsked) => back(due, intent, refunded)?,
            (S::Captured { refunded, .. }, E::CaptureAsked) if refunded.is_zero() => {
                tell(due, Step::stay(), booking::Event::PaymentCaptured { payment })
            }
            (
                S::Captured { .. } | S::Refunding { .. } | S::Voiding { .. } | S::Voided { .. } | S::Declined { .. },
                E::CaptureAsked,
            ) => {
                let code = "not_authorized".to_owned();
                tell(due, Step::stay(), booking::Event::PaymentCaptureFailed { payment, code })
            }

            (S::Refunding { intent, refunded, asking, owed }, event) => {
                steps::refunding(due, steps::Refunding { intent, refunded, asking, owed }, event)?
            }

            (S::Voiding { intent, held }, E::Voided) => voided(due, intent, held),
            (S::Voiding { intent, held }, E::AlreadyCaptured) => steps::captured_after_all(due, intent, held),
            (S::Voided { intent }, E::AlreadyCaptured) => steps::captured_after_all(due, intent, false),

            (state, E::Seen(sight)) => sight::on(due, state, sight)?,
            (state, E::Nudged | E::WindowClosed) => match state.intent() {
                Some(intent) => Step::stay().run(E::inspect(intent)),
                None => Step::ignore("the gateway has never heard of it"),
            },
            (state, event) => steps::late(&state, &event)?,
        })
    }

    fn elapsed(Timer::WindowClosed: Timer) -> Event {
        Event::WindowClosed
    }

    fn retention() -> Retention {
        Retention::by_law(ledger::BOOKS_DAYS)
    }

    fn is_final(state: &State) -> bool {
        matches!(state, State::Captured { .. } | State::Voided { .. } | State::Declined { .. })
    }

    /// An authorisation that definitely never happened is a card that did not work; taking and returning money is never given up.
    fn gave_up(effect: &Effect) -> Option<Event> {
        let unavailable = || Event::Declined { intent: None, code: "gateway_unavailable".to_owned() };
        matches!(effect, Effect::Authorize).then(unavailable)
    }

    /// A card is tried for about as long as the nights are held; everything else must happen, so an outage of days is sat out.
    fn policy(effect: &Effect) -> Policy {
        let attempts = if *effect == Effect::Authorize { 12 } else { PATIENT };
        Policy::on("payments").attempts(attempts)
    }

    fn request(due: &Due, effect: &Effect) -> Option<String> {
        matches!(effect, Effect::Authorize).then(|| saved(&perform::request(due)))
    }
}

/// A request's bytes as they are kept with the turn.
pub(crate) fn saved(request: &impl serde::Serialize) -> String {
    serde_json::to_string(request).expect("a request is plain data")
}
