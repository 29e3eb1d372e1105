//! The sandbox gateway: a payment provider in a file, for development, demonstrations and tests.
//!
//! It behaves as real providers do where it hurts: it remembers keys for a day and no longer, loses answers after it has
//! done the work, wants the guest to confirm, lets holds lapse, and sends signed webhooks late, twice and out of order when
//! told to. Its books are a SQLite file of its own, never ours, shared by all processes and safe against `kill -9`: what it
//! says happened is the yardstick for what we believe happened.
//!
//! What a payment method does is in its name, see [`cards`]; faults for everybody are set with [`SandboxGateway::set_fault`].

mod books;
mod calls;
pub mod cards;
mod faults;
mod file;
mod intents;
mod rules;
#[cfg(test)]
mod tests;
mod webhooks;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Money, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use self::calls::Operation;
use self::file::{File, detached};
use self::webhooks::Signatures;
use super::{
    AuthorizeAnswer, AuthorizeRequest, CaptureAnswer, IntentStatus, PaymentGateway, PayoutAnswer, PayoutRequest,
    Recorded, RefundAnswer, VoidAnswer, WebhookError, WebhookEvent,
};
use crate::Error;

pub use books::{BookedCall, BookedIntent, BookedRefund, BookedTransfer, Books};
pub use faults::Fault;
pub use webhooks::SIGNATURE_HEADER;

/// The business clock, which the sandbox lives by: holds lapse and keys are forgotten when it is advanced.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How long the sandbox recognises a repeated key.
const KEY_MEMORY: Duration = Duration::from_hours(24);

/// Keys that begin so are accepted; any other is answered as a real provider answers a revoked key.
const KEY_PREFIX: &str = "sk_sandbox_";

/// What a handle on the sandbox needs to know.
#[derive(Clone)]
pub struct SandboxConfig {
    /// The gateway's own database file; made when absent.
    pub path: PathBuf,
    /// Must begin with `sk_sandbox_`, or every call is [`Error::Misconfigured`].
    pub api_key: SecretString,
    /// Webhooks are signed with the first and believed with any: two during a rotation.
    pub webhook_secrets: Vec<SecretString>,
    /// Where guests confirm payments: the intent is appended to it.
    pub challenge_url: String,
    /// The business clock.
    pub clock: Clock,
}

/// What the guest tells the bank when asked to confirm a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestAnswer {
    /// "Yes, that is me."
    Confirms,
    /// "No", or nothing at all.
    Refuses,
}

/// A handle on the sandbox; cheap to clone, and any number of processes may hold one on the same file.
#[derive(Clone)]
pub struct SandboxGateway {
    file: File,
    key_accepted: bool,
    signatures: Arc<Signatures>,
    challenge_url: Arc<str>,
    clock: Clock,
}

impl SandboxGateway {
    /// Opens the gateway's file, making it if this is the first time.
    pub async fn open(config: SandboxConfig) -> Result<Self, Error> {
        let SandboxConfig { path, api_key, webhook_secrets, challenge_url, clock } = config;
        Ok(Self {
            file: File::open(&path).await?,
            key_accepted: api_key.expose_secret().starts_with(KEY_PREFIX),
            signatures: Arc::new(Signatures::new(&webhook_secrets)?),
            challenge_url: challenge_url.trim_end_matches('/').into(),
            clock,
        })
    }

    /// What happens at the guest's bank after [`AuthorizeAnswer::ActionRequired`]; returns where the intent stands then.
    /// An intent that no longer waits for the guest stays as it is.
    pub async fn complete_challenge(&self, intent: &str, answer: GuestAnswer) -> Result<IntentStatus, Error> {
        let (file, intent, now) = (self.file.clone(), intent.to_owned(), self.now());
        detached(async move {
            let mut write = file.begin().await?;
            let status = rules::complete_challenge(write.connection(), &intent, answer, now).await?;
            write.commit().await?;
            Ok(status)
        })
        .await
    }

    fn now(&self) -> Timestamp {
        domain::time::truncated((self.clock)())
    }

    fn check_key(&self) -> Result<(), Error> {
        if self.key_accepted {
            return Ok(());
        }
        Err(Error::misconfigured(format!("the sandbox gateway accepts API keys that begin with {KEY_PREFIX}")))
    }
}

#[async_trait]
impl PaymentGateway for SandboxGateway {
    fn provider(&self) -> &'static str {
        "sandbox"
    }

    fn safe_window(&self) -> Duration {
        KEY_MEMORY
    }

    async fn authorize(&self, key: &str, request: &AuthorizeRequest) -> Result<AuthorizeAnswer, Error> {
        match self.call(key, Operation::Authorize(request.clone())).await? {
            Recorded::Authorize(answer) => Ok(answer),
            other => Err(answered_otherwise(&other)),
        }
    }

    async fn capture(&self, key: &str, intent: &str, amount: Money) -> Result<CaptureAnswer, Error> {
        match self.call(key, Operation::Capture { intent: intent.to_owned(), amount }).await? {
            Recorded::Capture(answer) => Ok(answer),
            other => Err(answered_otherwise(&other)),
        }
    }

    async fn void(&self, key: &str, intent: &str) -> Result<VoidAnswer, Error> {
        match self.call(key, Operation::Void { intent: intent.to_owned() }).await? {
            Recorded::Void(answer) => Ok(answer),
            other => Err(answered_otherwise(&other)),
        }
    }

    async fn refund(&self, key: &str, intent: &str, amount: Money) -> Result<RefundAnswer, Error> {
        match self.call(key, Operation::Refund { intent: intent.to_owned(), amount }).await? {
            Recorded::Refund(answer) => Ok(answer),
            other => Err(answered_otherwise(&other)),
        }
    }

    async fn pay_out(&self, key: &str, request: &PayoutRequest) -> Result<PayoutAnswer, Error> {
        match self.call(key, Operation::PayOut(request.clone())).await? {
            Recorded::PayOut(answer) => Ok(answer),
            other => Err(answered_otherwise(&other)),
        }
    }

    async fn find(&self, key: &str) -> Result<Option<Recorded>, Error> {
        self.before_reading().await?;
        calls::find(&self.file, key).await
    }

    async fn retrieve(&self, intent: &str) -> Result<IntentStatus, Error> {
        self.before_reading().await?;
        rules::retrieve(&self.file, intent, self.now()).await
    }

    fn verify_webhook(&self, signature: &str, raw: &[u8], now: Timestamp) -> Result<WebhookEvent, WebhookError> {
        self.signatures.verify(signature, raw, now)
    }
}

fn answered_otherwise(recorded: &Recorded) -> Error {
    Error::misconfigured(format!("the sandbox answered another operation than was asked: {recorded:?}"))
}
