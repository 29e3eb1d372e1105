//! The hands of a payout: one call on the gateway.

use engine::{Attempt, Fault, Found, Perform};
use integrations::payments::{PayoutAnswer, PayoutRequest, Recorded};

use super::{Effect, Event, Payable, Payout};
use crate::fault::outside;
use crate::payment::Cashier;

impl Perform<Payout> for Cashier {
    async fn perform(&self, cx: &Attempt<Payout>, Effect::Send: Effect) -> Result<Event, Fault> {
        self.gateway.pay_out(&cx.key, &saved(cx)?).await.map(Event::from).map_err(outside)
    }

    async fn look_up(&self, cx: &Attempt<Payout>, Effect::Send: &Effect) -> Result<Found<Event>, Fault> {
        Ok(match self.gateway.find(&cx.key).await.map_err(outside)? {
            None => Found::Absent,
            Some(Recorded::PayOut(answer)) => Found::Done(answer.into()),
            Some(_) => return Err(Fault::misconfigured("a payout's key was used for a payment")),
        })
    }
}

/// What the gateway is asked, as it is saved with the turn.
pub(super) fn request(payable: &Payable) -> PayoutRequest {
    let Payable { payout, account, amount, .. } = payable.clone();
    PayoutRequest { payout, account, amount }
}

fn saved(cx: &Attempt<Payout>) -> Result<PayoutRequest, Fault> {
    cx.request
        .as_deref()
        .map_or_else(|| Ok(request(&cx.input)), |saved| serde_json::from_str(saved).map_err(Fault::poison))
}

impl From<PayoutAnswer> for Event {
    fn from(answer: PayoutAnswer) -> Self {
        match answer {
            PayoutAnswer::Paid { transfer } => Self::Paid { transfer },
            PayoutAnswer::Declined { code } => Self::Declined { code },
        }
    }
}
