//! The hands of a payment: one call on the gateway per effect.

use engine::{Attempt, Fault, Found, Perform};
use integrations::payments::{
    AuthorizeAnswer, AuthorizeRequest, CaptureAnswer, IntentStatus, Recorded, RefundAnswer, SharedGateway, VoidAnswer,
};

use super::{Due, Effect, Event, Payment, Sight};
use crate::fault::outside;

/// Moves money through a gateway.
#[derive(Clone)]
pub struct Cashier {
    /// The gateway.
    pub gateway: SharedGateway,
}

impl Perform<Payment> for Cashier {
    async fn perform(&self, cx: &Attempt<Payment>, effect: Effect) -> Result<Event, Fault> {
        let (gateway, key) = (&self.gateway, cx.key.as_str());
        match effect {
            Effect::Authorize => gateway.authorize(key, &saved(cx)?).await.map(Event::from),
            Effect::Capture { intent } => gateway.capture(key, &intent, cx.input.amount).await.map(Event::from),
            Effect::Void { intent } => gateway.void(key, &intent).await.map(Event::from),
            Effect::Refund { intent, amount } => gateway.refund(key, &intent, amount).await.map(Event::from),
            Effect::Inspect { intent } => gateway.retrieve(&intent).await.map(|status| Event::Seen(status.into())),
        }
        .map_err(outside)
    }

    async fn look_up(&self, cx: &Attempt<Payment>, effect: &Effect) -> Result<Found<Event>, Fault> {
        if matches!(effect, Effect::Inspect { .. }) {
            // Looking changes nothing, so looking again is always right.
            return Ok(Found::Absent);
        }
        Ok(match self.gateway.find(&cx.key).await.map_err(outside)? {
            None => Found::Absent,
            Some(Recorded::Authorize(answer)) => Found::Done(answer.into()),
            Some(Recorded::Capture(answer)) => Found::Done(answer.into()),
            Some(Recorded::Void(answer)) => Found::Done(answer.into()),
            Some(Recorded::Refund(answer)) => Found::Done(answer.into()),
            Some(Recorded::PayOut(_)) => return Err(Fault::misconfigured("a payment's key was used for a payout")),
        })
    }
}

/// What the gateway is asked, as it is saved with the turn.
pub(super) fn request(due: &Due) -> AuthorizeRequest {
    let Due { payment, booking, amount, method, hold_until, .. } = due.clone();
    AuthorizeRequest { payment, booking, amount, method, hold_until }
}

/// The request as an earlier build may have saved it: a repeat is the same to the byte.
fn saved(cx: &Attempt<Payment>) -> Result<AuthorizeRequest, Fault> {
    cx.request
        .as_deref()
        .map_or_else(|| Ok(request(&cx.input)), |saved| serde_json::from_str(saved).map_err(Fault::poison))
}

impl From<AuthorizeAnswer> for Event {
    fn from(answer: AuthorizeAnswer) -> Self {
        match answer {
            AuthorizeAnswer::Authorized { intent, capture_before } => Self::Authorized { intent, capture_before },
            AuthorizeAnswer::ActionRequired { intent, url } => Self::ActionRequired { intent, url },
            AuthorizeAnswer::Declined { intent, code } => Self::Declined { intent, code },
        }
    }
}

impl From<CaptureAnswer> for Event {
    fn from(answer: CaptureAnswer) -> Self {
        match answer {
            CaptureAnswer::Captured { charge } => Self::Captured { charge },
            CaptureAnswer::Declined { code } => Self::CaptureDeclined { code },
        }
    }
}

impl From<VoidAnswer> for Event {
    fn from(answer: VoidAnswer) -> Self {
        match answer {
            VoidAnswer::Voided => Self::Voided,
            VoidAnswer::AlreadyCaptured { .. } => Self::AlreadyCaptured,
        }
    }
}

impl From<RefundAnswer> for Event {
    fn from(answer: RefundAnswer) -> Self {
        match answer {
            RefundAnswer::Refunded { refund } => Self::Refunded { refund },
            RefundAnswer::Declined { code } => Self::RefundDeclined { code },
        }
    }
}

impl From<IntentStatus> for Sight {
    fn from(status: IntentStatus) -> Self {
        match status {
            IntentStatus::RequiresAction => Self::RequiresAction,
            IntentStatus::Authorized { capture_before } => Self::Authorized { capture_before },
            IntentStatus::Captured { refunded, .. } => Self::Captured { refunded },
            IntentStatus::Voided => Self::Voided,
            IntentStatus::Declined { code } => Self::Declined { code },
        }
    }
}
