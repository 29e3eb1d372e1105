//! Photo: from a host's upload to files that are safe to serve.
//!
//! ```text
//! Processing ──processed──→ Ready
//!     └──rejected, or given up──→ Failed ──tried again──→ Processing
//! ```
//!
//! The upload stays where it is, private; what pages show is made anew from its pixels, so nothing that a camera hides in a file
//! gets out. Making it twice gives the same files under the same keys.

mod perform;
mod project;
mod types;

#[cfg(test)]
mod tests;

pub use perform::Darkroom;
pub use types::{Effect, Event, File, Picture, State, Timer, Upload, file_key, upload_key};

use std::time::Duration;

use domain::{ImageId, Timestamp};
use engine::{Policy, Refusal, Retention, RunId, Step, Workflow};

/// The process that makes a photograph fit to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo;

/// The run of a photograph is the photograph.
#[must_use]
pub const fn run_of(image: ImageId) -> RunId {
    RunId::from_uuid(image.uuid())
}

impl Workflow for Photo {
    const NAME: &'static str = "photo";
    type Input = Upload;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(_: &Upload, _: Timestamp) -> Step<Self> {
        Step::to(State::Processing).run(Effect::Process)
    }

    fn on(_: &Upload, state: State, event: Event, _: Timestamp) -> Result<Step<Self>, Refusal> {
        Ok(match (state, event) {
            (State::Processing, Event::Processed { picture }) => Step::to(State::Ready { picture }),
            (State::Processing, Event::Rejected { code }) => Step::to(State::Failed { code }),
            (State::Failed { .. }, Event::TriedAgain) => Step::to(State::Processing).run(Effect::Process),
            (State::Processing | State::Ready { .. }, Event::TriedAgain) => {
                return Err(Refusal::new("photo_not_failed", "only a photograph that failed can be tried again"));
            }
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
        !matches!(state, State::Processing)
    }

    fn gave_up(Effect::Process: &Effect) -> Option<Event> {
        Some(Event::Rejected { code: "storage_unavailable".to_owned() })
    }

    fn policy(Effect::Process: &Effect) -> Policy {
        Policy::on("photos").time_limit(Duration::from_secs(120))
    }
}
