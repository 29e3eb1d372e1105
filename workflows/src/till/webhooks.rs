//! What the gateway tells us by itself: believed by its signature, kept at once, understood by looking.
//!
//! A message is kept in the inbox together with the nudge that it gives its payment, in one commit, and answered at once. It
//! carries no news itself: messages come late, twice and out of order, so the payment looks for itself. A message about
//! something that we do not know yet (the answer to our own call may still be on its way) stays in the inbox for another try.

use domain::Timestamp;
use engine::{EventKey, Origin, TurnError, Tx, detached};
use integrations::payments::{WebhookError, WebhookEvent};
use store::inbox::{self, Waiting};
use store::payments;

use crate::payment::{Event, Payment, run_of};
use crate::{App, Error};

/// After so many tries a message is about nothing of ours.
const MOST_ATTEMPTS: u32 = 50;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It was passed on to its payment.
    PassedOn,
    /// It is known already.
    Again,
    /// It is about something that we do not know yet; it waits.
    Waits,
}

/// Takes a message in.
///
/// # Errors
/// [`Error::Forbidden`] when it is not the gateway's.
pub async fn receive(app: &App, signature: &str, raw: Vec<u8>) -> Result<Received, Error> {
    let event = app.ports.gateway.verify_webhook(signature, &raw, app.engine.now().await?).map_err(not_believed)?;
    let body = String::from_utf8(raw).map_err(|_| not_believed(WebhookError::Malformed))?;
    let provider = app.ports.gateway.provider();
    let app = app.clone();
    detached(async move {
        let tx = app.engine.begin().await?;
        let now = tx.now().await?;
        let message =
            Waiting { provider: provider.to_owned(), event_id: event.id.clone(), body, received_at: now, attempts: 0 };
        if !inbox::accept(&*tx, &message).await? {
            return Ok(Received::Again);
        }
        let passed = pass_on(&tx, provider, &event, now).await?;
        tx.commit().await?;
        Ok(if passed { Received::PassedOn } else { Received::Waits })
    })
    .await
}

fn not_believed(why: WebhookError) -> Error {
    let code = match why {
        WebhookError::Malformed => "webhook_malformed",
        WebhookError::BadSignature => "webhook_signature",
        WebhookError::Stale => "webhook_stale",
    };
    Error::Forbidden(engine::Refusal::because(code, why.to_string()))
}

/// Tries again what waits in the inbox; says how many were passed on. For the worker's schedule.
///
/// # Errors
/// When the database fails.
pub async fn work_off(app: &App, limit: u64) -> Result<usize, Error> {
    let mut passed = 0;
    for message in inbox::waiting(app.reader(), limit).await? {
        if message.attempts >= MOST_ATTEMPTS {
            continue;
        }
        let app = app.clone();
        passed += usize::from(detached(async move { try_again(&app, &message).await }).await?);
    }
    Ok(passed)
}

async fn try_again(app: &App, message: &Waiting) -> Result<bool, Error> {
    let Waiting { provider, event_id, body, .. } = message;
    let tx = app.engine.begin().await?;
    let now = tx.now().await?;
    let read = serde_json::from_str::<WebhookEvent>(body);
    let event = read.map_err(|why| Error::Broken(format!("a message in the inbox cannot be read: {why}").into()))?;
    let passed = pass_on(&tx, provider, &event, now).await?;
    if !passed {
        inbox::failed(&*tx, provider, event_id).await?;
    }
    tx.commit().await?;
    Ok(passed)
}

async fn pass_on(tx: &Tx, provider: &str, event: &WebhookEvent, now: Timestamp) -> Result<bool, Error> {
    let payment = match &event.intent {
        Some(intent) => payments::by_reference(&**tx, provider, intent).await?,
        // About a transfer to a host: the payout's own call knows its answer.
        None => None,
    };
    let about_nothing_of_ours = event.intent.is_none();
    if let Some(payment) = payment {
        let key = EventKey::webhook(provider, &event.id);
        match tx.note::<Payment>(run_of(payment), &Event::Nudged, key, &Origin::default()).await {
            Ok(_) | Err(TurnError::Duplicate) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let done = payment.is_some() || about_nothing_of_ours;
    if done {
        inbox::processed(&**tx, provider, &event.id, now).await?;
    }
    Ok(done)
}
