//! What the gateway tells us by itself: noted with the change it tells of, signed, and sent until somebody takes it.
//!
//! A message is `{"id", "kind", "intent", "created"}`, signed as `sandbox-signature: t={seconds},v1={hex}` with the
//! HMAC-SHA256 of `{seconds}.{body}`. A header may carry several `v1`, and several secrets are believed, so that secrets
//! can be changed without losing a message.

use std::time::Duration;

use chrono::TimeDelta;
use domain::{Timestamp, time};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use super::file::{File, detached, unavailable};
use super::intents::instant;
use super::{SandboxGateway, faults, rules};
use crate::Error;
use crate::payments::{WebhookError, WebhookEvent};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "sandbox-signature";

/// A signature older or newer than this is not believed.
const TOLERANCE_SECONDS: u64 = 300;

/// How many messages are taken up at once.
const BATCH: i64 = 32;

/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// When a message that nobody took is sent again, in seconds after each attempt; three days in all, as real providers do.
const RETRY_AFTER: [i64; 10] = [5, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400, 86_400, 86_400];

/// Notes that something happened to an intent, in the transaction in which it did.
pub(super) async fn note(tx: &mut SqliteConnection, kind: &str, intent: &str, now: Timestamp) -> Result<(), Error> {
    let now = time::to_micros(now);
    sqlx::query("INSERT INTO event (kind, intent, created_at, next_at) VALUES (?, ?, ?, ?)")
        .bind(kind)
        .bind(intent)
        .bind(now)
        .bind(now)
        .execute(tx)
        .await
        .map_err(unavailable)?;
    Ok(())
}

impl SandboxGateway {
    /// Sends every message that is due to `url`, and returns how many were taken. What is refused, or lost because this
    /// process died, is due again later; call this every now and then.
    pub async fn deliver_webhooks(&self, http: &reqwest::Client, url: &str) -> Result<usize, Error> {
        self.let_holds_lapse().await?;
        let mut taken = 0;
        loop {
            let batch = self.take_up_due().await?;
            let sent = batch.len();
            let mut delivered = Vec::new();
            for message in batch {
                if self.send(http, url, &message.event).await {
                    delivered.push(message.seq);
                }
            }
            let all_taken = delivered.len() == sent;
            taken += self.mark_delivered(delivered).await?;
            if sent == 0 || !all_taken {
                return Ok(taken);
            }
        }
    }

    async fn let_holds_lapse(&self) -> Result<(), Error> {
        let (file, now) = (self.file.clone(), self.now());
        detached(async move {
            let mut write = file.begin().await?;
            rules::lapse(write.connection(), now).await?;
            write.commit().await
        })
        .await
    }

    /// Due messages, each with its next attempt already set: whoever dies while sending has only delayed them.
    async fn take_up_due(&self) -> Result<Vec<Message>, Error> {
        let (file, now) = (self.file.clone(), self.now());
        let mut batch = detached(async move {
            let mut write = file.begin().await?;
            let batch = Message::due(write.connection(), now).await?;
            for message in &batch {
                message.postpone(write.connection(), now).await?;
            }
            write.commit().await?;
            Ok(batch)
        })
        .await?;
        for (kind, _) in faults::in_force(&self.file).await? {
            match kind.as_str() {
                "webhooks_twice" => batch = batch.into_iter().flat_map(|message| [message.clone(), message]).collect(),
                "webhooks_reversed" => batch.reverse(),
                _ => {}
            }
        }
        Ok(batch)
    }

    async fn send(&self, http: &reqwest::Client, url: &str, event: &WebhookEvent) -> bool {
        let body = serde_json::to_vec(event).expect("a message is plain text");
        let signature = self.signatures.sign(&body, self.now());
        let request = http.post(url).header(SIGNATURE_HEADER, signature).header("content-type", "application/json");
        match request.body(body).timeout(PATIENCE).send().await {
            Ok(answer) => answer.status().is_success(),
            Err(error) => {
                tracing::debug!(%error, "a sandbox webhook was not taken and will be sent again");
                false
            }
        }
    }

    async fn mark_delivered(&self, messages: Vec<i64>) -> Result<usize, Error> {
        let (file, now) = (self.file.clone(), time::to_micros(self.now()));
        detached(async move { mark(&file, &messages, now).await }).await
    }
}

async fn mark(file: &File, messages: &[i64], now: i64) -> Result<usize, Error> {
    let mut write = file.begin().await?;
    let mut marked = 0;
    for seq in messages {
        let done =
            sqlx::query("UPDATE event SET delivered_at = ?, next_at = NULL WHERE seq = ? AND delivered_at IS NULL")
                .bind(now)
                .bind(seq)
                .execute(write.connection())
                .await
                .map_err(unavailable)?;
        marked += usize::from(done.rows_affected() == 1);
    }
    write.commit().await?;
    Ok(marked)
}

#[derive(Clone)]
struct Message {
    seq: i64,
    attempts: i64,
    event: WebhookEvent,
}

impl Message {
    async fn due(tx: &mut SqliteConnection, now: Timestamp) -> Result<Vec<Self>, Error> {
        let rows: Vec<(i64, String, String, i64, i64)> = sqlx::query_as(
            "SELECT seq, kind, intent, created_at, attempts FROM event
             WHERE next_at IS NOT NULL AND next_at <= ? ORDER BY seq LIMIT ?",
        )
        .bind(time::to_micros(now))
        .bind(BATCH)
        .fetch_all(tx)
        .await
        .map_err(unavailable)?;
        rows.into_iter().map(Self::from_row).collect()
    }

    /// The id follows from what the message is about, so that it stays the same when sent again, and is another one in
    /// another file.
    fn from_row((seq, kind, intent, created_at, attempts): (i64, String, String, i64, i64)) -> Result<Self, Error> {
        let digest = hex::encode(Sha256::digest(format!("{kind}\n{intent}\n{seq}")));
        let id = format!("evt_{}", &digest[..24]);
        let event = WebhookEvent { id, kind, intent: Some(intent), created: instant(created_at)? };
        Ok(Self { seq, attempts, event })
    }

    async fn postpone(&self, tx: &mut SqliteConnection, now: Timestamp) -> Result<(), Error> {
        let wait = usize::try_from(self.attempts).ok().and_then(|sent| RETRY_AFTER.get(sent));
        sqlx::query("UPDATE event SET attempts = attempts + 1, next_at = ? WHERE seq = ?")
            .bind(wait.map(|seconds| time::to_micros(now + TimeDelta::seconds(*seconds))))
            .bind(self.seq)
            .execute(tx)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

/// Signs with the first secret, believes any of them.
pub(super) struct Signatures(Vec<Hmac<Sha256>>);

impl Signatures {
    pub(super) fn new(secrets: &[SecretString]) -> Result<Self, Error> {
        if secrets.is_empty() || secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
            return Err(Error::misconfigured("the sandbox gateway needs a secret to sign webhooks with"));
        }
        let keyed = |secret: &SecretString| {
            Hmac::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes a key of any length")
        };
        Ok(Self(secrets.iter().map(keyed).collect()))
    }

    pub(super) fn sign(&self, body: &[u8], now: Timestamp) -> String {
        let at = now.timestamp().to_string();
        format!("t={at},v1={}", hex::encode(mac_of(&self.0[0], &at, body).finalize().into_bytes()))
    }

    pub(super) fn verify(&self, header: &str, body: &[u8], now: Timestamp) -> Result<WebhookEvent, WebhookError> {
        let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
        let at = parts().find(|(name, _)| *name == "t").map(|(_, at)| at).ok_or(WebhookError::Malformed)?;
        let signed_at: i64 = at.parse().map_err(|_| WebhookError::Malformed)?;
        let offered: Vec<Vec<u8>> =
            parts().filter(|(name, _)| *name == "v1").filter_map(|(_, v)| hex::decode(v).ok()).collect();
        if offered.is_empty() {
            return Err(WebhookError::Malformed);
        }
        let is_ours = |mac: &Hmac<Sha256>| offered.iter().any(|v| mac_of(mac, at, body).verify_slice(v).is_ok());
        if !self.0.iter().any(is_ours) {
            return Err(WebhookError::BadSignature);
        }
        // Only after the signature: a stranger learns nothing about our clock.
        if now.timestamp().abs_diff(signed_at) > TOLERANCE_SECONDS {
            return Err(WebhookError::Stale);
        }
        serde_json::from_slice(body).map_err(|_| WebhookError::Malformed)
    }
}

fn mac_of(keyed: &Hmac<Sha256>, at: &str, body: &[u8]) -> Hmac<Sha256> {
    keyed.clone().chain_update(at).chain_update(b".").chain_update(body)
}
