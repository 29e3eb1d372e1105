//! What only a sandbox has: a clock that can be moved, uploads that we take ourselves, the guest's bank, and trouble at will.
//!
//! Outside the sandbox [`App::sandbox`](crate::Parts) is empty and all of it is [`Error::NotFound`].

use std::sync::Arc;

use domain::Timestamp;
use engine::{ClockError, Refusal, Settling};
use integrations::objects::{LocalObjects, UploadGrant, UploadRefused};
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
    /// The folder that takes uploads.
    pub objects: Arc<LocalObjects>,
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

/// Moves the clock: to the next instant at which something is due, until that is done, and on; never back.
///
/// # Errors
/// [`Error::NotFound`] outside the sandbox; an instant that is past, or too far away; [`Error::Busy`] when the work does not come to rest.
pub async fn advance(app: &App, target: Timestamp) -> Result<Timestamp, Error> {
    let settling = of(app)?.settling;
    let now = app.engine.now().await?;
    if target <= now || target > now + FARTHEST {
        return Err(Error::flaw("", "out_of_range", "forward, and by at most 400 days at once"));
    }
    let app = app.clone();
    let moved = engine::detached(async move { app.engine.advance_to(target, settling).await }).await;
    moved.map_err(|error| match error {
        ClockError::Storage(error) => Error::Storage(error),
        ClockError::Restless { .. } => Error::Busy("moving the clock: work does not come to rest"),
    })
}

/// What an upload address permits.
///
/// # Errors
/// [`Error::NotFound`] for an address that is not ours; [`Error::Gone`] for one that is too old.
pub async fn grant(app: &App, token: &str) -> Result<UploadGrant, Error> {
    let sandbox = of(app)?;
    sandbox.objects.grant(token, app.engine.now().await?).map_err(not_taken)
}

/// Takes an upload that fits its permission to the letter.
///
/// # Errors
/// As [`grant`]; another type or length than was agreed.
pub async fn upload(app: &App, token: &str, content_type: &str, body: Vec<u8>) -> Result<(), Error> {
    let sandbox = of(app)?;
    let now = app.engine.now().await?;
    sandbox.objects.accept_upload(token, content_type, body, now).await.map(|_| ()).map_err(not_taken)
}

fn not_taken(why: UploadRefused) -> Error {
    match why {
        UploadRefused::Forged => Error::NotFound,
        UploadRefused::Expired => Error::Gone(Refusal::new("link_expired", "the upload address is too old")),
        UploadRefused::WrongType { .. } => Error::flaw("", "content_type", "another Content-Type was announced"),
        UploadRefused::WrongLength { .. } => Error::flaw("", "length", "another length was announced"),
        UploadRefused::NotStored(why) => Error::Broken(why.to_string().into()),
    }
}

/// What the guest tells the bank when it asks (3-D Secure); the gateway tells us by webhook.
///
/// # Errors
/// [`Error::NotFound`] outside the sandbox and for an intent that the gateway does not know.
pub async fn answer_challenge(app: &App, intent: &str, answer: GuestAnswer) -> Result<IntentStatus, Error> {
    let sandbox = of(app)?;
    sandbox.gateway.complete_challenge(intent, answer).await.map_err(|_| Error::NotFound)
}
