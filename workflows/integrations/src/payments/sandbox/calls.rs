//! One call under one key: carried out once, answered the same for a day, whoever asks.

use domain::{Money, Timestamp, time};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use super::cards::{Account, Card};
use super::file::{File, detached, unavailable};
use super::{KEY_MEMORY, SandboxGateway, faults, rules};
use crate::Error;
use crate::payments::{AuthorizeRequest, PayoutRequest, Recorded};

/// A call that moves money, with everything the caller said.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operation {
    Authorize(AuthorizeRequest),
    Capture { intent: String, amount: Money },
    Void { intent: String },
    Refund { intent: String, amount: Money },
    PayOut(PayoutRequest),
}

impl Operation {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Authorize(_) => "authorize",
            Self::Capture { .. } => "capture",
            Self::Void { .. } => "void",
            Self::Refund { .. } => "refund",
            Self::PayOut(_) => "pay_out",
        }
    }

    /// What the call is about, for the books: a payment, an intent or a payout.
    fn about(&self) -> String {
        match self {
            Self::Authorize(request) => request.payment.to_string(),
            Self::Capture { intent, .. } | Self::Void { intent } | Self::Refund { intent, .. } => intent.clone(),
            Self::PayOut(request) => request.payout.to_string(),
        }
    }

    fn hash(&self) -> String {
        hex::encode(Sha256::digest(serde_json::to_vec(self).expect("a call is plain text and numbers")))
    }

    /// Some cards and accounts lose the first answer.
    fn loses_first_answer(&self) -> bool {
        match self {
            Self::Authorize(request) => Card::named(&request.method) == Card::AnswerLost,
            Self::PayOut(request) => Account::named(&request.account) == Account::AnswerLost,
            Self::Capture { .. } | Self::Void { .. } | Self::Refund { .. } => false,
        }
    }
}

/// A call that is being carried out: the names of things it makes follow from its key.
pub(super) struct Making<'a> {
    pub(super) key: &'a str,
    pub(super) nth: i64,
    pub(super) now: Timestamp,
    pub(super) challenge_url: &'a str,
}

impl Making<'_> {
    /// The provider's reference for what this call makes.
    pub(super) fn reference(&self, prefix: &str) -> String {
        let digest = hex::encode(Sha256::digest(format!("{}\n{}", self.key, self.nth)));
        format!("{prefix}_{}", &digest[..24])
    }
}

impl SandboxGateway {
    /// Carries a call out, or repeats the answer it had under this key.
    pub(super) async fn call(&self, key: &str, operation: Operation) -> Result<Recorded, Error> {
        self.before_calling().await?;
        let (gateway, key) = (self.clone(), key.to_owned());
        detached(async move { gateway.call_to_the_end(&key, &operation).await }).await
    }

    async fn call_to_the_end(&self, key: &str, operation: &Operation) -> Result<Recorded, Error> {
        if key.is_empty() || key.len() > 255 {
            return Err(Error::misconfigured("an idempotency key has 1 to 255 bytes"));
        }
        let mut write = self.file.begin().await?;
        let tx = write.connection();
        let last = Last::under(tx, key).await?;
        let (answer, is_first) = match last {
            Some(last) if last.is_remembered(self.now()) => (last.repeated(tx, key, operation).await?, false),
            forgotten => {
                let nth = forgotten.map_or(0, |last| last.nth) + 1;
                (self.carry_out(tx, Making { key, nth, ..self.making() }, operation).await?, true)
            }
        };
        let lost = faults::use_up_in(write.connection(), "timeout_after_commit").await?;
        write.commit().await?;
        if lost || (is_first && operation.loses_first_answer()) {
            return Err(Error::unknown(format!("the sandbox gateway's answer to {} was lost", operation.name())));
        }
        Ok(answer)
    }

    fn making(&self) -> Making<'_> {
        Making { key: "", nth: 0, now: self.now(), challenge_url: &self.challenge_url }
    }

    async fn carry_out(
        &self,
        tx: &mut SqliteConnection,
        making: Making<'_>,
        operation: &Operation,
    ) -> Result<Recorded, Error> {
        rules::lapse(tx, making.now).await?;
        let answer = match operation {
            Operation::Authorize(request) => Recorded::Authorize(rules::authorize(tx, &making, request).await?),
            Operation::Capture { intent, amount } => {
                Recorded::Capture(rules::capture(tx, &making, intent, *amount).await?)
            }
            Operation::Void { intent } => Recorded::Void(rules::void(tx, &making, intent).await?),
            Operation::Refund { intent, amount } => {
                Recorded::Refund(rules::refund(tx, &making, intent, *amount).await?)
            }
            Operation::PayOut(request) => Recorded::PayOut(rules::pay_out(tx, &making, request).await?),
        };
        sqlx::query(
            "INSERT INTO call (key, nth, operation, about, request_hash, answer, attempts, created_at)
             VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
        )
        .bind(making.key)
        .bind(making.nth)
        .bind(operation.name())
        .bind(operation.about())
        .bind(operation.hash())
        .bind(to_text(&answer))
        .bind(time::to_micros(making.now))
        .execute(tx)
        .await
        .map_err(unavailable)?;
        Ok(answer)
    }
}

/// The newest call under a key.
struct Last {
    nth: i64,
    request_hash: String,
    answer: String,
    created_at: i64,
}

impl Last {
    async fn under(tx: &mut SqliteConnection, key: &str) -> Result<Option<Self>, Error> {
        let row: Option<(i64, String, String, i64)> = sqlx::query_as(
            "SELECT nth, request_hash, answer, created_at FROM call WHERE key = ? ORDER BY nth DESC LIMIT 1",
        )
        .bind(key)
        .fetch_optional(tx)
        .await
        .map_err(unavailable)?;
        Ok(row.map(|(nth, request_hash, answer, created_at)| Self { nth, request_hash, answer, created_at }))
    }

    fn is_remembered(&self, now: Timestamp) -> bool {
        let memory = i64::try_from(KEY_MEMORY.as_micros()).expect("a day fits");
        time::to_micros(now) < self.created_at.saturating_add(memory)
    }

    async fn repeated(&self, tx: &mut SqliteConnection, key: &str, operation: &Operation) -> Result<Recorded, Error> {
        if self.request_hash != operation.hash() {
            return Err(Error::misconfigured(format!("the key {key} was used for another request")));
        }
        sqlx::query("UPDATE call SET attempts = attempts + 1 WHERE key = ? AND nth = ?")
            .bind(key)
            .bind(self.nth)
            .execute(tx)
            .await
            .map_err(unavailable)?;
        from_text(&self.answer)
    }
}

/// The newest answer under a key, however old.
pub(super) async fn find(file: &File, key: &str) -> Result<Option<Recorded>, Error> {
    let answer: Option<(String,)> = sqlx::query_as("SELECT answer FROM call WHERE key = ? ORDER BY nth DESC LIMIT 1")
        .bind(key)
        .fetch_optional(file.reader())
        .await
        .map_err(unavailable)?;
    answer.map(|(answer,)| from_text(&answer)).transpose()
}

fn to_text(answer: &Recorded) -> String {
    serde_json::to_string(answer).expect("an answer is plain text and numbers")
}

pub(super) fn from_text(answer: &str) -> Result<Recorded, Error> {
    serde_json::from_str(answer).map_err(|error| Error::misconfigured(format!("reading the sandbox's books: {error}")))
}
