//! What a party may do with a booking now, until when, or why not: found by asking [`Booking::on`], never by a second table of rules.

use domain::cancellation::Party;
use domain::{Money, PaymentId, Timestamp};
use engine::{Refusal, Workflow};

use super::{Booking, Event, Returned, State, Terms};

/// Something that a party may want to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The stable word: `accept`, `decline`, `cancel`, `offer_card`.
    pub name: &'static str,
    /// Until when it is possible, as far as that is known; or why it is not.
    pub possible: Result<Option<Timestamp>, Refusal>,
}

/// Everything that this party could ever do with a booking, judged in its present state.
#[must_use]
pub fn actions(terms: &Terms, state: &State, who: Party, now: Timestamp) -> Vec<Action> {
    let judge = |(name, event): (&'static str, Event)| Action {
        name,
        possible: Booking::on(terms, state.clone(), event, now).map(|_| deadline(terms, state)),
    };
    commands(state, who).into_iter().map(judge).collect()
}

/// What calling off would give back at this instant: the very step that calling off takes.
///
/// # Errors
/// Why this party cannot call it off.
pub fn preview(terms: &Terms, state: &State, who: Party, now: Timestamp) -> Result<Money, Refusal> {
    let step = Booking::on(terms, state.clone(), calling_off(who), now)?;
    Ok(match step.state {
        Some(State::Canceled { refund: Some(Returned { amount, .. }), .. }) => amount,
        _ => Money::zero(terms.total().currency),
    })
}

/// The command by which a party calls a booking off.
#[must_use]
pub const fn calling_off(who: Party) -> Event {
    match who {
        Party::Guest => Event::GuestCanceled,
        Party::Host => Event::HostCanceled,
        Party::Platform => Event::OperatorCanceled,
    }
}

fn commands(state: &State, who: Party) -> Vec<(&'static str, Event)> {
    let cancel = ("cancel", calling_off(who));
    match who {
        Party::Guest => vec![("offer_card", any_card(state.payment())), cancel],
        Party::Host => vec![("accept", Event::HostAccepted), ("decline", Event::HostDeclined), cancel],
        Party::Platform => vec![cancel],
    }
}

/// Whether a card may be offered depends on neither the card nor its payment.
fn any_card(payment: PaymentId) -> Event {
    Event::CardOffered { payment, method: String::new() }
}

/// Until when the present state lasts, as far as time alone ends it.
fn deadline(terms: &Terms, state: &State) -> Option<Timestamp> {
    state.held_until().or(matches!(state, State::Confirmed { .. }).then_some(terms.windows.check_out_at))
}
