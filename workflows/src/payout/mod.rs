//! Payout: what a host has earned, sent once a day and currency.
//!
//! ```text
//! Sending ──paid──→ Paid
//!    └──declined──→ Failed (the money is back on the host's balance; the next date tries again)
//! ```
//!
//! A tick starts one for every host with something left ([`daily()`]). The start moves the amount from the host's balance into the payout's own account, in the turn that creates the run: whatever
//! happens then, the same money is never sent twice, and the account is empty again once the gateway has answered.

mod daily;
mod perform;
mod project;
mod types;

#[cfg(test)]
mod tests;

pub use daily::daily;
pub use types::{Effect, Event, Payable, State, Timer};

use domain::{PayoutId, Timestamp};
use engine::{Policy, Priority, Refusal, Retention, RunId, Step, Workflow};

use crate::ledger;
use crate::mail::{About, Audience, Letter, Mail, Message};

/// The process that pays a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Payout;

/// The run of a payout is the payout.
#[must_use]
pub const fn run_of(payout: PayoutId) -> RunId {
    RunId::from_uuid(payout.uuid())
}

impl Workflow for Payout {
    const NAME: &'static str = "payout";
    type Input = Payable;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(payable: &Payable, _: Timestamp) -> Step<Self> {
        let step = Step::to(State::Sending).run(Effect::Send);
        ledger::payout_started(payable).into_iter().fold(step, Step::post)
    }

    fn on(payable: &Payable, state: State, event: Event, _: Timestamp) -> Result<Step<Self>, Refusal> {
        Ok(match (state, event) {
            (State::Sending, Event::Paid { transfer }) => {
                let letter = sent(payable);
                Step::to(State::Paid { transfer }).post(ledger::payout_paid(payable)).spawn::<Mail>(
                    letter.run(),
                    letter.key(),
                    &letter,
                )
            }
            (State::Sending, Event::Declined { code }) => {
                Step::to(State::Failed { code }).post(ledger::payout_failed(payable))
            }
            _ => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed(timer: Timer) -> Event {
        match timer {}
    }

    fn retention() -> Retention {
        Retention::by_law(ledger::BOOKS_DAYS)
    }

    fn is_final(state: &State) -> bool {
        !matches!(state, State::Sending)
    }

    fn policy(Effect::Send: &Effect) -> Policy {
        // A day's payouts come all at once; a guest who is paying does not wait behind them.
        Policy::on("payments").attempts(crate::payment::PATIENT).priority(Priority::Low)
    }

    fn request(payable: &Payable, Effect::Send: &Effect) -> Option<String> {
        Some(crate::payment::saved(&perform::request(payable)))
    }
}

fn sent(payable: &Payable) -> Message {
    let about = About::Payout { payout: payable.payout };
    Message { letter: Letter::PayoutSent, to: payable.host, audience: Audience::Host, about }
}
