//! What a look at the gateway means: the payment moves forward to what is true there, never back.

use domain::Money;
use engine::{Refusal, Step};

use super::steps::{authorized, captured, captured_after_all, declined, tell, void, voided};
use super::{Due, Payment, Sight, State};
use crate::booking;
use crate::ledger;

/// The gateway's view met with ours. A call of ours that is still under way outranks a look: its own answer follows.
pub(super) fn on(due: &Due, state: State, sight: Sight) -> Result<Step<Payment>, Refusal> {
    use {Sight as Seen, State as S};
    Ok(match (state, sight) {
        (S::AwaitingAction { intent, .. }, Seen::Authorized { capture_before }) => {
            authorized(due, intent, capture_before)
        }
        (S::AwaitingAction { intent, .. }, Seen::Declined { code }) => declined(due, Some(intent), code),
        (S::AwaitingAction { intent, .. }, Seen::Voided) => voided(due, intent, false),
        (S::AwaitingAction { intent, lapsed: true, .. }, Seen::RequiresAction) => void(intent, false),
        (S::AwaitingAction { .. }, Seen::RequiresAction) => Step::ignore("the guest has still to confirm"),
        (S::AwaitingAction { intent, .. }, Seen::Captured { .. }) => taken_early(due, intent),

        (S::Authorized { .. }, Seen::Authorized { .. }) => Step::ignore("as we have it"),
        (S::Authorized { intent, .. }, Seen::Voided | Seen::Declined { .. }) => voided(due, intent, true),
        (S::Authorized { intent, .. }, Seen::Captured { .. }) => {
            let refunded = Money::zero(due.amount.currency);
            let step = Step::to(S::Captured { intent, refunded });
            step.post(ledger::hold_lifted(due)).post(ledger::captured(due))
        }

        (S::Capturing { intent, wish }, Seen::Captured { .. }) => captured(due, intent, wish),
        (S::Voiding { intent, held }, Seen::Voided) => voided(due, intent, held),
        (S::Capturing { .. } | S::Voiding { .. }, _) => Step::ignore("our own call's answer is still to come"),

        (S::Captured { refunded, .. }, Seen::Captured { refunded: there }) if there.minor > refunded.minor => {
            return Err(Refusal::new("refunded_elsewhere", "the gateway sent money back that nobody here asked for"));
        }
        (S::Captured { .. }, _) => Step::ignore("the gateway saw that before it was captured"),

        (S::Declined { intent: Some(intent), .. } | S::Voided { intent }, Seen::Authorized { .. }) => {
            void(intent, true).post(ledger::hold_placed(due))
        }
        (S::Declined { intent: Some(intent), .. } | S::Voided { intent }, Seen::Captured { .. }) => {
            captured_after_all(due, intent, false)
        }
        (S::Declined { .. } | S::Voided { .. }, _) => Step::ignore("it came to nothing"),
        _ => return Err(Refusal::out_of_turn()),
    })
}

/// The gateway took the money before anybody asked: it counts as reserved without an end, and goes back when it is not wanted.
fn taken_early(due: &Due, intent: String) -> Step<Payment> {
    let news = booking::Event::PaymentAuthorized { payment: due.payment, capture_before: None };
    let step = Step::to(State::Captured { intent, refunded: Money::zero(due.amount.currency) });
    tell(due, step.post(ledger::captured(due)), news)
}
