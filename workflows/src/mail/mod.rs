//! Mail: one letter to one person, delivered once.
//!
//! ```text
//! Sending ──delivered──→ Sent
//!    └──refused, or the post away for too long──→ Rejected
//! ```
//!
//! A letter is spawned by the turn that makes it true, under a key that names its subject, its kind and its reader, so no turn sends
//! it twice. Its text is rendered when it is sent, from the rows as they are then, and is stored nowhere in the engine. The
//! Message-ID comes from the run: a repeat after an unknown outcome is recognisable as one.

mod letters;
mod perform;
mod project;
mod reading;
mod types;

#[cfg(test)]
mod tests;

pub use perform::{Post, Settings, token_hash, verification_token};
pub use types::{About, Audience, Effect, Event, Letter, Message, Refused, State, Timer};

use domain::Timestamp;
use engine::{Policy, Refusal, Retention, Step, Workflow};

/// The process that delivers a letter.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail;

impl Workflow for Mail {
    const NAME: &'static str = "mail";
    type Input = Message;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(_: &Message, _: Timestamp) -> Step<Self> {
        Step::to(State::Sending).run(Effect::Deliver)
    }

    fn on(_: &Message, state: State, event: Event, _: Timestamp) -> Result<Step<Self>, Refusal> {
        Ok(match (state, event) {
            (State::Sending, Event::Delivered) => Step::to(State::Sent),
            (State::Sending, Event::Refused { why }) => Step::to(State::Rejected { why }),
            _ => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed(timer: Timer) -> Event {
        match timer {}
    }

    fn retention() -> Retention {
        Retention::default().purged_after(730)
    }

    fn is_final(state: &State) -> bool {
        !matches!(state, State::Sending)
    }

    fn gave_up(Effect::Deliver: &Effect) -> Option<Event> {
        Some(Event::Refused { why: Refused::PostUnavailable })
    }

    fn policy(Effect::Deliver: &Effect) -> Policy {
        // A letter is worth a day of trying: 24 tries at most ten minutes apart at first, then hourly.
        Policy { attempts: 40, cap: std::time::Duration::from_secs(3600), ..Policy::on("mail") }
    }
}
