//! The hands of a letter: reads the rows as they are now, renders, hands over to the post.

use engine::{Attempt, Fault, Found, Link, Perform, RunId, faults};
use hmac::{Hmac, KeyInit, Mac};
use integrations::mail::{MailAnswer, OutgoingMail, SharedMailer};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::letters::{Places, render};
use super::reading::read;
use super::{Effect, Event, Mail, Refused};
use crate::fault::outside;

/// How letters look from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Who writes, as `Name <address>` or an address alone.
    pub from: String,
    /// Our own API as people reach it, without a slash at the end: the links that prove an address lead to a page of it.
    pub api: String,
    /// The client that people use in a browser, if there is one: all other links lead there.
    pub web: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let (from, api) = ("Innkeeper <stay@innkeeper.localhost>", "http://localhost:8080");
        Self { from: from.to_owned(), api: api.to_owned(), web: None }
    }
}

impl Settings {
    fn places(&self) -> Places<'_> {
        Places { api: &self.api, web: self.web.as_deref() }
    }
}

/// Writes and sends letters.
#[derive(Clone)]
pub struct Post {
    /// Who carries them.
    pub mailer: SharedMailer,
    /// Connections that only read.
    pub reader: Link,
    /// How they look.
    pub settings: Settings,
    /// From which the links that prove an address are derived.
    pub secret: SecretString,
}

impl Perform<Mail> for Post {
    async fn perform(&self, cx: &Attempt<Mail>, Effect::Deliver: Effect) -> Result<Event, Fault> {
        let Some(facts) = read(&self.reader, &cx.input).await? else {
            return Ok(Event::Refused { why: Refused::NothingToSay });
        };
        let token = verification_token(&self.secret, cx.run());
        let written = render(&cx.input, &facts, self.settings.places(), &token);
        let mail = OutgoingMail {
            message_id: message_id(cx.run(), &self.settings.from),
            from: self.settings.from.clone(),
            to: facts.reader.email.clone(),
            subject: written.subject,
            text: written.text,
            html: written.html,
            at: facts.at.unwrap_or(cx.now),
        };
        faults::point("letter_written");
        let answer = self.mailer.send(&mail).await.map_err(outside)?;
        faults::point("letter_sent");
        Ok(match answer {
            MailAnswer::Accepted => Event::Delivered,
            MailAnswer::Rejected { .. } => Event::Refused { why: Refused::ByTheReceiver },
        })
    }

    /// The post cannot say what became of a letter. Sending it again, under the same Message-ID, is the lesser evil.
    async fn look_up(&self, _: &Attempt<Mail>, Effect::Deliver: &Effect) -> Result<Found<Event>, Fault> {
        Ok(Found::Unknown)
    }
}

/// The same at every try, so that a mailbox can tell a repeat.
fn message_id(run: RunId, from: &str) -> String {
    let domain = from.rsplit('@').next().unwrap_or_default().trim_end_matches('>');
    format!("{}@{domain}", run.uuid().simple())
}

/// The token of a link that proves an address: derived, so that a letter that is rendered again carries the same link, and
/// nobody has to keep it.
#[must_use]
pub fn verification_token(secret: &SecretString, letter: RunId) -> String {
    let key = secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(b"verify-email:");
    mac.update(letter.uuid().as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// What a table keeps of a token.
#[must_use]
pub fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_rendered_again_carries_the_same_link_and_another_letter_another() {
        let secret = SecretString::from("between us");
        let run = |n| RunId::from_uuid(uuid::Uuid::from_u128(n));
        assert_eq!(verification_token(&secret, run(1)), verification_token(&secret, run(1)));
        assert_ne!(verification_token(&secret, run(1)), verification_token(&secret, run(2)));
        assert_ne!(verification_token(&secret, run(1)), verification_token(&SecretString::from("else"), run(1)));
        assert_ne!(token_hash("a"), "a");
    }

    #[test]
    fn a_message_is_named_by_its_run_at_the_senders_domain() {
        let run = RunId::from_uuid(uuid::Uuid::from_u128(7));
        let bare = "00000000000000000000000000000007@example.org";
        assert_eq!(message_id(run, "Innkeeper <stay@example.org>"), bare);
        assert_eq!(message_id(run, "stay@example.org"), bare);
    }
}
