//! Money: the port to a payment provider, and the sandbox gateway that moves pretend money.
//!
//! A payment is an *intent* at the provider: money is held (authorised), then taken (captured) or let go (voided), and may
//! be given back (refunded). Every call that moves money carries a key that never changes for the same piece of work, so
//! that a repeated call is one call. Where an answer got lost, [`PaymentGateway::find`] says what became of the key.

pub mod sandbox;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{BookingId, Money, PaymentId, PayoutId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Error;

pub use sandbox::SandboxGateway;

/// A payment provider. What the guest's or the host's bank refuses is an answer; see [`Error`] for everything else.
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// The provider's name in records and addresses.
    fn provider(&self) -> &'static str;

    /// How long the provider is sure to recognise a key. Past it a repeated call may be carried out again: look up first.
    fn safe_window(&self) -> Duration;

    /// Holds an amount on the guest's payment method.
    async fn authorize(&self, key: &str, request: &AuthorizeRequest) -> Result<AuthorizeAnswer, Error>;

    /// Takes held money, all or part of it; the rest of the hold is let go.
    async fn capture(&self, key: &str, intent: &str, amount: Money) -> Result<CaptureAnswer, Error>;

    /// Lets held money go. Once nothing is held, that is an answer too.
    async fn void(&self, key: &str, intent: &str) -> Result<VoidAnswer, Error>;

    /// Gives captured money back, all or part of it.
    async fn refund(&self, key: &str, intent: &str, amount: Money) -> Result<RefundAnswer, Error>;

    /// Sends a host money.
    async fn pay_out(&self, key: &str, request: &PayoutRequest) -> Result<PayoutAnswer, Error>;

    /// What became of an earlier call with this key; `None` means that it definitely was not carried out.
    async fn find(&self, key: &str) -> Result<Option<Recorded>, Error>;

    /// Where an intent stands now.
    async fn retrieve(&self, intent: &str) -> Result<IntentStatus, Error>;

    /// Checks that a webhook is the provider's and recent, and reads which intent it is about. It is a hint that
    /// something changed, not a fact: duplicates, delays and any order are normal, so read the intent with
    /// [`retrieve`](Self::retrieve).
    fn verify_webhook(&self, signature: &str, raw: &[u8], now: Timestamp) -> Result<WebhookEvent, WebhookError>;
}

/// The gateway as the rest of the product holds it.
pub type SharedGateway = Arc<dyn PaymentGateway>;

/// What to hold, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// Our payment, which the provider keeps as a reference.
    pub payment: PaymentId,
    /// The booking it pays.
    pub booking: BookingId,
    /// How much.
    pub amount: Money,
    /// The provider's token for the guest's card.
    pub method: String,
    /// How long we may need the hold; the answer says how long it really lasts.
    pub hold_until: Timestamp,
}

/// What to send to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutRequest {
    /// Our payout, which the provider keeps as a reference.
    pub payout: PayoutId,
    /// The provider's token for the host's account.
    pub account: String,
    /// How much.
    pub amount: Money,
}

/// The answer to a request to hold money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizeAnswer {
    /// The money is held.
    Authorized {
        /// The provider's reference.
        intent: String,
        /// When the hold lapses by itself.
        capture_before: Timestamp,
    },
    /// The guest's bank wants to see the guest first (3-D Secure).
    ActionRequired {
        /// The provider's reference.
        intent: String,
        /// Where to send the guest.
        url: String,
    },
    /// Nothing is held.
    Declined {
        /// The provider's reference, if it made one.
        intent: Option<String>,
        /// Why, in the provider's words for machines.
        code: String,
    },
}

/// The answer to a request to take held money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureAnswer {
    /// The money is ours to pass on.
    Captured {
        /// The provider's reference of the movement.
        charge: String,
    },
    /// The money was not taken.
    Declined {
        /// Why, in the provider's words for machines.
        code: String,
    },
}

/// The answer to a request to let held money go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidAnswer {
    /// Nothing is held any more.
    Voided,
    /// Too late, the money had been taken: refund it instead.
    AlreadyCaptured {
        /// The provider's reference of the movement.
        charge: String,
        /// How much had been taken.
        amount: Money,
    },
}

/// The answer to a request to give money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundAnswer {
    /// The money is on its way back.
    Refunded {
        /// The provider's reference of the movement.
        refund: String,
    },
    /// The money was not given back.
    Declined {
        /// Why, in the provider's words for machines.
        code: String,
    },
}

/// The answer to a request to send a host money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutAnswer {
    /// The money was sent.
    Paid {
        /// The provider's reference of the movement.
        transfer: String,
    },
    /// The money was not sent.
    Declined {
        /// Why, in the provider's words for machines.
        code: String,
    },
}

/// What the provider had answered to an earlier call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// The call was [`PaymentGateway::authorize`].
    Authorize(AuthorizeAnswer),
    /// The call was [`PaymentGateway::capture`].
    Capture(CaptureAnswer),
    /// The call was [`PaymentGateway::void`].
    Void(VoidAnswer),
    /// The call was [`PaymentGateway::refund`].
    Refund(RefundAnswer),
    /// The call was [`PaymentGateway::pay_out`].
    PayOut(PayoutAnswer),
}

/// Where an intent stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    /// The guest's bank is waiting for the guest.
    RequiresAction,
    /// Money is held.
    Authorized {
        /// When the hold lapses by itself.
        capture_before: Timestamp,
    },
    /// Money was taken.
    Captured {
        /// How much in all.
        captured: Money,
        /// How much of it was given back since.
        refunded: Money,
    },
    /// The hold was let go, by us or because its time had come.
    Voided,
    /// The bank refused.
    Declined {
        /// Why, in the provider's words for machines.
        code: String,
    },
}

/// What a provider tells us by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEvent {
    /// The provider's id of this message; a repeat has the same.
    pub id: String,
    /// What it says happened, in the provider's words.
    pub kind: String,
    /// The intent it is about; none for transfers to hosts.
    pub intent: Option<String>,
    /// When it happened.
    pub created: Timestamp,
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The signature header or the body cannot be read.
    #[error("the webhook cannot be read")]
    Malformed,
    /// The signature does not belong to this body and our secret.
    #[error("the webhook's signature is wrong")]
    BadSignature,
    /// It was signed too long ago, or in the future: perhaps somebody replays it.
    #[error("the webhook was signed too long ago")]
    Stale,
}
