//! The steps of a booking, named for what they mean.

use domain::cancellation::{Cancellation, refund};
use domain::{Money, PaymentId, Timestamp};
use engine::{Refusal, Step};

use super::{Booking, By, Hold, Missing, Mode, Needs, Progress, Returned, State, Terms, Timer, void};
use crate::ledger;
use crate::mail::{About, Audience, Letter, Mail, Message};
use crate::payment::{self, Due, Payment};

/// Letters that a step sends.
pub(super) trait Send {
    /// To the guest, about the booking.
    fn mail_guest(self, terms: &Terms, letter: Letter) -> Self;
    /// To the host, about the booking.
    fn mail_host(self, terms: &Terms, letter: Letter) -> Self;
    /// A letter about something else than the booking alone.
    fn mail(self, message: &Message) -> Self;
}

impl Send for Step<Booking> {
    fn mail_guest(self, terms: &Terms, letter: Letter) -> Self {
        self.mail(&to_guest(terms, letter))
    }

    fn mail_host(self, terms: &Terms, letter: Letter) -> Self {
        self.mail(&to_host(terms, letter))
    }

    fn mail(self, message: &Message) -> Self {
        self.spawn::<Mail>(message.run(), message.key(), message)
    }
}

fn to_guest(terms: &Terms, letter: Letter) -> Message {
    Message { letter, to: terms.guest, audience: Audience::Guest, about: About::booking(terms.booking) }
}

fn to_host(terms: &Terms, letter: Letter) -> Message {
    Message { letter, to: terms.host, audience: Audience::Host, about: About::booking(terms.booking) }
}

/// Tries a card while the nights are held.
pub(super) fn paying(terms: &Terms, hold: Hold, method: String) -> Step<Booking> {
    let due = Due {
        payment: hold.payment,
        booking: terms.booking,
        guest: terms.guest,
        amount: terms.total(),
        provider: terms.paying.provider,
        method,
        hold_until: hold.until,
        made_at: terms.made_at,
    };
    Step::to(State::AwaitingPayment { hold }).timer(Timer::HoldExpired, hold.until).spawn::<Payment>(
        payment::run_of(hold.payment),
        hold.payment.to_string(),
        &due,
    )
}

/// The guest must do something; a request's hold is made longer for it, once.
pub(super) fn await_guest(terms: &Terms, hold: Hold, needs: Needs, now: Timestamp) -> Step<Booking> {
    let hold = match (terms.mode, hold.extended) {
        (Mode::Request, false) => longer(terms, hold, now),
        _ => hold,
    };
    let about = About::Payment { booking: terms.booking, payment: hold.payment };
    let letter = match needs {
        Needs::Challenge => Letter::PaymentActionNeeded,
        Needs::OtherCard => Letter::CardDeclined,
    };
    Step::to(State::AwaitingGuest { hold, needs })
        .timer(Timer::HoldExpired, hold.until)
        .mail(&Message { about, ..to_guest(terms, letter) })
}

/// Never past check-in, and never shorter than it was.
fn longer(terms: &Terms, hold: Hold, now: Timestamp) -> Hold {
    let until = (now + terms.windows.guest_action).min(terms.windows.check_in_at).max(hold.until);
    Hold { until, extended: true, ..hold }
}

/// The money is reserved: ask the host, or take it at once.
pub(super) fn authorized(
    terms: &Terms,
    payment: PaymentId,
    capture_before: Option<Timestamp>,
    now: Timestamp,
) -> Step<Booking> {
    if terms.mode == Mode::Instant {
        return capture(payment);
    }
    let until = host_until(terms, capture_before, now);
    let window = until - now;
    Step::to(State::AwaitingHost { payment, until })
        .timer(Timer::RemindHalf, now + window / 2)
        .timer(Timer::RemindLast, now + window / 10 * 9)
        .timer(Timer::HostDeadline, until)
        .mail_host(terms, Letter::BookingRequested)
}

/// The host has the usual time, but never beyond check-in nor so long that the reserved money could slip away.
fn host_until(terms: &Terms, capture_before: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let windows = &terms.windows;
    let usual = (now + windows.host_answer).min(windows.check_in_at);
    let until = capture_before.map_or(usual, |end| usual.min(end - windows.capture_margin));
    until.max(now)
}

/// Have the money taken.
pub(super) fn capture(payment: PaymentId) -> Step<Booking> {
    Step::to(State::Capturing { payment }).tell::<Payment>(payment::run_of(payment), &payment::Event::CaptureAsked)
}

/// Both sides are bound.
pub(super) fn confirmed(terms: &Terms, payment: PaymentId, now: Timestamp) -> Step<Booking> {
    Step::to(State::Confirmed { payment, since: now, released: false })
        .deadline(Timer::Release, terms.windows.release_at)
        .deadline(Timer::CheckOut, terms.windows.complete_at)
        .mail_guest(terms, Letter::BookingConfirmed)
        .mail_host(terms, Letter::BookingConfirmed)
}

/// The stay is over.
pub(super) fn complete(payment: PaymentId, released: bool) -> Step<Booking> {
    Step::to(State::Completed { payment, released })
}

/// The hold is over. The payment may still turn out to have worked in time: then it is offered back to us.
pub(super) fn expired(terms: &Terms, hold: Hold, missing: Missing) -> Step<Booking> {
    Step::to(State::Expired { payment: hold.payment, missing })
        .tell::<Payment>(payment::run_of(hold.payment), &payment::Event::Lapsed)
        .mail_guest(terms, Letter::Expired)
}

/// It came to nothing before any money was taken.
pub(super) fn ended(state: State, payment: PaymentId) -> Step<Booking> {
    Step::to(state).tell::<Payment>(payment::run_of(payment), &void())
}

/// Called off before any money was taken; a host who was asked already hears of it too.
pub(super) fn unpaid(terms: &Terms, state: &State, by: By) -> Step<Booking> {
    let payment = state.payment();
    let asked = matches!(state, State::AwaitingHost { .. });
    ended(State::Canceled { payment, by, refund: None }, payment)
        .mail_guest(terms, Letter::Canceled)
        .when(asked.then_some(Letter::Canceled), |step, letter| step.mail_host(terms, letter))
}

/// The reserved money is gone: nothing was taken, the nights are free again.
pub(super) fn payment_failed(terms: &Terms, payment: PaymentId) -> Step<Booking> {
    Step::to(State::Canceled { payment, by: By::System, refund: None })
        .mail_guest(terms, Letter::Canceled)
        .mail_host(terms, Letter::Canceled)
}

/// A paid booking is called off: the agreed policy divides the money, and what goes back is promised in the ledger at once.
pub(super) fn called_off(terms: &Terms, state: &State, by: By, now: Timestamp) -> Result<Step<Booking>, Refusal> {
    let State::Confirmed { payment, since, released } = *state else { return Err(Refusal::out_of_turn()) };
    if now >= terms.windows.check_out_at {
        return Err(Refusal::new("stay_is_over", "the stay is over and can no longer be called off"));
    }
    let split = refund(&terms.offer, &Cancellation { by: by.party(), at: now, confirmed_at: Some(since) });
    let amount = split.to_guest;
    let progress = if amount.is_zero() { Progress::Nothing } else { Progress::Pending };
    let step = Step::to(State::Canceled { payment, by, refund: Some(Returned { amount, progress }) });
    let step = ledger::called_off(terms, payment, &split, released).into_iter().fold(step, Step::post);
    Ok(step
        .when((!amount.is_zero()).then_some(amount), |step, amount| refund_by(step, payment, amount))
        .farewell(terms, amount))
}

fn refund_by(step: Step<Booking>, payment: PaymentId, amount: Money) -> Step<Booking> {
    step.tell::<Payment>(payment::run_of(payment), &payment::Event::RefundAsked { amount })
}

trait Farewell {
    /// Tells both sides that it was called off and what goes back.
    fn farewell(self, terms: &Terms, refund: Money) -> Self;
}

impl Farewell for Step<Booking> {
    fn farewell(self, terms: &Terms, refund: Money) -> Self {
        let about = About::Booking { booking: terms.booking, refund: Some(refund) };
        self.mail(&Message { about: about.clone(), ..to_guest(terms, Letter::Canceled) })
            .mail(&Message { about, ..to_host(terms, Letter::Canceled) })
    }
}

/// While money moves, nobody changes course.
pub(super) const fn payment_in_progress() -> Refusal {
    Refusal::new("payment_in_progress", "the payment is under way; try again in a moment")
}
