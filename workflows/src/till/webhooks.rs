//! What the gateway tells us by itself: believed by its signature, kept at once, understood by looking.
//!
//! A message is kept in the inbox together with the nudge that it gives its payment, in one commit, and answered at once. It
//! carries no news itself: messages come late, twice and out of order, so the payment looks for itself. A message about
//! something that we do not know yet (the answer to our own call may still be on its way) stays in the inbox for another try.

use std::sync::Arc;

use domain::{PaymentId, Timestamp};
use engine::{EventKey, Fire, Origin, Schedule, TurnError, Tx, detached, faults};
use futures::FutureExt as _;
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
    let now = app.engine.now().await?;
    let event = match faults::planted("no_signature_check") {
        true => serde_json::from_slice(&raw).map_err(|_| not_believed(WebhookError::Malformed))?,
        false => app.ports.gateway.verify_webhook(signature, &raw, now).map_err(not_believed)?,
    };
    faults::point("webhook_believed");
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
        faults::point("webhook_accepted");
        let passed = pass_on(&tx, provider, &event, now).await?;
        tx.commit().await?;
        faults::point("webhook_committed");
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

/// Every five minutes.
const AGAIN: &str = "0 */5 * * * *";
/// So many messages at once; the rest waits for the next tick.
const AT_ONCE: u64 = 200;

/// The schedule that tries again what waits in the inbox. Nobody sees its instants: news that matters comes by our own calls too.
#[must_use]
pub fn inbox() -> Schedule {
    let fire: Fire = Arc::new(|tx, at| try_again(tx, at).boxed());
    Schedule::parse("webhook_inbox", AGAIN, chrono_tz::Tz::UTC, fire)
        .expect("a test reads this schedule")
        .housekeeping()
}

async fn try_again(tx: &Tx, at: Timestamp) -> Result<(), TurnError> {
    faults::point("inbox_looked");
    let mut known = Vec::new();
    for message in inbox::waiting(&**tx, AT_ONCE).await.map_err(sea_orm::DbErr::from)? {
        let event = serde_json::from_str::<WebhookEvent>(&message.body).ok();
        let payment = match event.and_then(|event| event.intent) {
            Some(intent) => payments::by_reference(&**tx, &message.provider, &intent).await?,
            None => None,
        };
        match payment {
            Some(payment) => known.push((payment, message)),
            // Given up: what no payment of ours has claimed by now never will, and the message is kept for whoever looks.
            None if message.attempts >= MOST_ATTEMPTS => {
                inbox::processed(&**tx, &message.provider, &message.event_id, at).await?;
            }
            None => drop(inbox::failed(&**tx, &message.provider, &message.event_id).await?),
        }
    }
    // In the order in which everybody locks runs.
    known.sort_by_key(|(payment, _)| *payment);
    for (payment, Waiting { provider, event_id, .. }) in known {
        nudge(tx, payment, EventKey::webhook(&provider, &event_id)).await?;
        inbox::processed(&**tx, &provider, &event_id, at).await?;
    }
    Ok(())
}

async fn nudge(tx: &Tx, payment: PaymentId, key: EventKey) -> Result<(), TurnError> {
    match tx.note::<Payment>(run_of(payment), &Event::Nudged, key, &Origin::default()).await {
        Ok(_) | Err(TurnError::Duplicate) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn pass_on(tx: &Tx, provider: &str, event: &WebhookEvent, now: Timestamp) -> Result<bool, Error> {
    let payment = match &event.intent {
        Some(intent) => payments::by_reference(&**tx, provider, intent).await?,
        // About a transfer to a host: the payout's own call knows its answer.
        None => None,
    };
    let about_nothing_of_ours = event.intent.is_none();
    if let Some(payment) = payment {
        nudge(tx, payment, EventKey::webhook(provider, &event.id)).await?;
    }
    let done = payment.is_some() || about_nothing_of_ours;
    if done {
        inbox::processed(&**tx, provider, &event.id, now).await?;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schedule_can_be_read() {
        assert_eq!(super::inbox().name, "webhook_inbox");
    }
}
