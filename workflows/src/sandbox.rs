//! What only a sandbox has: a clock that can be moved, the guest's bank, and trouble at will.
//!
//! Outside the sandbox [`App::sandbox`](crate::Parts) is empty and all of it is [`Error::NotFound`].

use domain::Timestamp;
use engine::{ClockError, Settling};
pub use integrations::payments::IntentStatus;
pub use integrations::payments::sandbox::GuestAnswer;
use integrations::payments::sandbox::SandboxGateway;

use crate::{App, Error};

mod scenario;

pub use scenario::Scenario;

/// The stand-ins that this process holds, when it is a sandbox.
#[derive(Clone)]
pub struct Sandbox {
    /// The gateway that moves no real money.
    pub gateway: SandboxGateway,
    /// Who works while the clock is moved.
    pub settling: Settling,
}

/// The farthest that the clock is moved at once: every day on the way has work.
const FARTHEST: chrono::TimeDelta = chrono::TimeDelta::days(400);

fn of(app: &App) -> Result<&Sandbox, Error> {
    app.sandbox.as_ref().ok_or(Error::NotFound)
}

/// What time it is in the sandbox.
///
/// # Errors
/// [`Error::NotFound`] outside it.
pub async fn clock(app: &App) -> Result<Timestamp, Error> {
    of(app)?;
    Ok(app.engine.now().await?)
}

/// Moves the clock: to the next instant at which something is due, until that is done, and on; never back. `place` is where the
/// caller named the instant, for what is said of a wrong one.
///
/// # Errors
/// [`Error::NotFound`] outside the sandbox; an instant that is past, or too far away; [`Error::Busy`] when the work does not come to rest.
pub async fn advance(app: &App, target: Timestamp, place: &'static str) -> Result<Timestamp, Error> {
    let settling = of(app)?.settling;
    let now = app.engine.now().await?;
    if target <= now || target > now + FARTHEST {
        return Err(Error::flaw(place, "out_of_range", "forward, and by at most 400 days at once"));
    }
    let app = app.clone();
    let moved = engine::detached(async move { app.engine.advance_to(target, settling).await }).await;
    moved.map_err(|error| match error {
        ClockError::Storage(error) => error.into(),
        ClockError::Restless { .. } => Error::Busy("moving the clock: work does not come to rest"),
    })
}

/// Whether the bank still waits for the guest's word on this intent.
///
/// # Errors
/// [`Error::NotFound`] outside the sandbox and for an intent that the gateway does not know.
pub async fn bank_waits(app: &App, intent: &str) -> Result<bool, Error> {
    of(app)?;
    let status = app.ports.gateway.retrieve(intent).await.map_err(|_| Error::NotFound)?;
    Ok(matches!(status, IntentStatus::RequiresAction))
}

/// What the guest tells the bank when it asks (3-D Secure); the gateway tells us by webhook.
///
/// # Errors
/// [`Error::NotFound`] outside the sandbox and for an intent that the gateway does not know.
pub async fn answer_challenge(app: &App, intent: &str, answer: GuestAnswer) -> Result<IntentStatus, Error> {
    let sandbox = of(app)?;
    sandbox.gateway.complete_challenge(intent, answer).await.map_err(|_| Error::NotFound)
}
