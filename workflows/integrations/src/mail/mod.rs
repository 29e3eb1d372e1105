//! Mail: one rendered message to one person, handed to whoever carries it.
//!
//! Mail has no way to ask what became of a message, so an unknown outcome may mean that a person gets it twice; the
//! [`message_id`](OutgoingMail::message_id) is the same both times, which most mailboxes understand. Answers and errors
//! name codes only, never what the server said: servers like to repeat addresses, and answers are kept.

mod folder;
mod message;
mod settings;
mod smtp;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use domain::Timestamp;

use crate::Error;

pub use folder::FolderMailer;
pub use settings::{Settings, Transport};
pub use smtp::{SmtpConfig, SmtpLogin, SmtpMailer, SmtpSecurity};

/// Somebody who carries mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands one message over.
    async fn send(&self, mail: &OutgoingMail) -> Result<MailAnswer, Error>;
}

/// The mailer as the rest of the product holds it.
pub type SharedMailer = Arc<dyn Mailer>;

/// One message to one person, rendered.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingMail {
    /// The same for every try to send this message, in the form `{something}@{domain}` without angle brackets.
    pub message_id: String,
    /// Who sends it, as `Name <address>` or an address alone.
    pub from: String,
    /// Who gets it, in the same form.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text for people and machines that read text.
    pub text: String,
    /// The same text for everybody else.
    pub html: String,
    /// When it was written: the `Date` it carries, the same for every try.
    pub at: Timestamp,
}

/// What the carrier said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailAnswer {
    /// The carrier has taken it on.
    Accepted,
    /// It will never be delivered: the mailbox does not exist, or does not want it.
    Rejected {
        /// A code such as `550 5.1.1` or `bad_address`.
        why: String,
    },
}

/// Names the message, never the person.
impl std::fmt::Debug for OutgoingMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutgoingMail").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}
