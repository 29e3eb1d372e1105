//! The steps of a payment, named for what they mean.

use domain::{Money, Timestamp};
use engine::{Refusal, Step};

use super::{Due, Effect, Event, Payment, State, Timer, Wish};
use crate::booking::{self, Booking};
use crate::ledger;

/// Adds the news for the booking.
pub(super) fn tell(due: &Due, step: Step<Payment>, news: booking::Event) -> Step<Payment> {
    step.tell::<Booking>(booking::run_of(due.booking), &news)
}

/// The money is reserved: the booking hears until when.
pub(super) fn authorized(due: &Due, intent: String, capture_before: Timestamp) -> Step<Payment> {
    let news = booking::Event::PaymentAuthorized { payment: due.payment, capture_before: Some(capture_before) };
    let step = Step::to(State::Authorized { intent, capture_before })
        .timer(Timer::WindowClosed, capture_before)
        .post(ledger::hold_placed(due));
    tell(due, step, news)
}

/// The bank said no.
pub(super) fn declined(due: &Due, intent: Option<String>, code: String) -> Step<Payment> {
    let news = booking::Event::PaymentDeclined { payment: due.payment, code: code.clone() };
    tell(due, Step::to(State::Declined { intent, code }), news)
}

/// Gives the reservation up, whether or not money is reserved yet.
pub(super) fn void(intent: String, held: bool) -> Step<Payment> {
    let effect = Effect::Void { intent: intent.clone() };
    Step::to(State::Voiding { intent, held }).run(effect)
}

/// Nothing is reserved any more.
pub(super) fn voided(due: &Due, intent: String, held: bool) -> Step<Payment> {
    let step = Step::to(State::Voided { intent }).when(held.then(|| ledger::hold_lifted(due)), Step::post);
    tell(due, step, booking::Event::PaymentVoided { payment: due.payment })
}

/// The reserved money is taken; it goes straight back when the booking came to nothing meanwhile.
pub(super) fn captured(due: &Due, intent: String, wish: Wish) -> Step<Payment> {
    let booked = |step: Step<Payment>| step.post(ledger::hold_lifted(due)).post(ledger::captured(due));
    if wish == Wish::Void {
        return booked(give_back(due, intent, Money::zero(due.amount.currency), due.amount));
    }
    let step = booked(Step::to(State::Captured { intent, refunded: Money::zero(due.amount.currency) }));
    tell(due, step, booking::Event::PaymentCaptured { payment: due.payment })
}

/// The void came too late, or the money was taken where nobody asked for it: all of it goes back.
pub(super) fn captured_after_all(due: &Due, intent: String, held: bool) -> Step<Payment> {
    let mut step = give_back(due, intent, Money::zero(due.amount.currency), due.amount);
    // The ledger reads in the order of the facts: the money came before it was promised back.
    step.facts.insert(0, ledger::captured(due));
    if held {
        step.facts.insert(0, ledger::hold_lifted(due));
    }
    step
}

/// Sends `amount` back, never more than is left. The booking has promised it in the ledger already.
pub(super) fn refund(due: &Due, intent: String, refunded: Money, amount: Money) -> Result<Step<Payment>, Refusal> {
    let left = rest(due, refunded)?;
    within(amount, left)?;
    Ok(sending(intent, refunded, amount, Money::zero(amount.currency)))
}

/// Sends back whatever is left.
pub(super) fn back(due: &Due, intent: String, refunded: Money) -> Result<Step<Payment>, Refusal> {
    let left = rest(due, refunded)?;
    if left.is_zero() {
        return Ok(Step::ignore("everything went back already"));
    }
    Ok(give_back(due, intent, refunded, left))
}

/// A refund that the payment decides by itself, and therefore promises by itself.
fn give_back(due: &Due, intent: String, refunded: Money, amount: Money) -> Step<Payment> {
    sending(intent, refunded, amount, Money::zero(amount.currency)).post(ledger::refund_promised(due, amount))
}

fn sending(intent: String, refunded: Money, asking: Money, owed: Money) -> Step<Payment> {
    let effect = Effect::Refund { intent: intent.clone(), amount: asking };
    Step::to(State::Refunding { intent, refunded, asking, owed }).run(effect)
}

/// The fields of [`State::Refunding`].
pub(super) struct Refunding {
    pub(super) intent: String,
    pub(super) refunded: Money,
    pub(super) asking: Money,
    pub(super) owed: Money,
}

/// While money is on its way back, further refunds queue behind it.
pub(super) fn refunding(due: &Due, now: Refunding, event: Event) -> Result<Step<Payment>, Refusal> {
    let Refunding { intent, refunded, asking, owed } = now;
    let payment = due.payment;
    Ok(match event {
        Event::Refunded { .. } => {
            let news = booking::Event::PaymentRefunded { payment, amount: asking };
            let step = next(intent, plus(refunded, asking)?, owed).post(ledger::refund_settled(due, asking));
            tell(due, step, news)
        }
        Event::RefundDeclined { code } => {
            let news = booking::Event::PaymentRefundFailed { payment, amount: asking, code };
            tell(due, next(intent, refunded, owed), news)
        }
        Event::RefundAsked { amount } => {
            let owed = plus(owed, amount)?;
            within(owed, rest(due, plus(refunded, asking)?)?)?;
            Step::to(State::Refunding { intent, refunded, asking, owed })
        }
        Event::VoidAsked => {
            let left = rest(due, plus(plus(refunded, asking)?, owed)?)?;
            let owed = plus(owed, left)?;
            let step = Step::to(State::Refunding { intent, refunded, asking, owed });
            step.when((!left.is_zero()).then(|| ledger::refund_promised(due, left)), Step::post)
        }
        Event::Seen(_) | Event::Nudged => Step::ignore("the refund's own answer is still to come"),
        event => late(&State::Refunding { intent, refunded, asking, owed }, &event)?,
    })
}

/// After one refund: the next, or rest.
fn next(intent: String, refunded: Money, owed: Money) -> Step<Payment> {
    if owed.is_zero() {
        return Step::to(State::Captured { intent, refunded });
    }
    sending(intent, refunded, owed, Money::zero(owed.currency))
}

/// What is understood and changes nothing, in the order of a payment's life; the rest is out of turn.
pub(super) fn late(state: &State, event: &Event) -> Result<Step<Payment>, Refusal> {
    use {Event as E, State as S};
    Ok(match (state, event) {
        // Messages may overtake each other: whatever the booking asks for after this, it has asked for or will ask for.
        (_, E::Lapsed) => Step::ignore("the booking hears how it stands and decides"),
        (S::Captured { .. } | S::Refunding { .. }, E::Captured { .. } | E::AlreadyCaptured) => {
            Step::ignore("we saw that it was captured")
        }
        (S::Voiding { .. } | S::Voided { .. }, E::VoidAsked) => Step::ignore("it is given up already"),
        (S::Voided { .. }, E::Voided) => Step::ignore("we saw that it was voided"),
        (S::Declined { .. }, E::VoidAsked) => Step::ignore("nothing was reserved"),
        _ => return Err(Refusal::out_of_turn()),
    })
}

/// What was taken and did not go back.
fn rest(due: &Due, refunded: Money) -> Result<Money, Refusal> {
    due.amount.checked_sub(refunded).map_err(|_| unlike())
}

fn plus(one: Money, other: Money) -> Result<Money, Refusal> {
    one.checked_add(other).map_err(|_| unlike())
}

fn within(amount: Money, left: Money) -> Result<(), Refusal> {
    let fits = amount.currency == left.currency && amount.minor > 0 && amount.minor <= left.minor;
    if fits { Ok(()) } else { Err(Refusal::new("refund_exceeds_capture", "more than what was taken cannot go back")) }
}

const fn unlike() -> Refusal {
    Refusal::new("wrong_amount", "the amount does not belong to this payment")
}

impl Event {
    /// The look that a hint from the gateway leads to.
    pub(super) fn inspect(intent: &str) -> Effect {
        Effect::Inspect { intent: intent.to_owned() }
    }
}
