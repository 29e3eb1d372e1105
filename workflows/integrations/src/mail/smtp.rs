//! Mail over SMTP, step by step, because what an error means depends on the step.
//!
//! | step | 4xx or no answer | 5xx |
//! |---|---|---|
//! | connect, greet, log in, `MAIL FROM` | transient | misconfigured: it concerns us, not the recipient |
//! | `RCPT TO`, `DATA` | transient | rejected |
//! | after the message was sent | 4xx transient, **no answer unknown** | rejected |

use std::time::Duration;

use async_trait::async_trait;
use lettre::Message;
use lettre::address::Envelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::message::build;
use super::{MailAnswer, Mailer, OutgoingMail};
use crate::Error;

/// How many open connections are kept for the next message.
const IDLE: usize = 4;

/// Where and how to hand mail over.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    /// The server's name, which its certificate must carry.
    pub host: String,
    /// Usually 465 or 587.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// Who we are, if the server wants to know.
    pub login: Option<SmtpLogin>,
    /// How long each step may take.
    pub timeout: Duration,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// TLS from the first byte, as on port 465.
    Tls,
    /// TLS after `STARTTLS`, required, as on port 587.
    StartTls,
    /// None at all: for a server on this machine only.
    Plain,
}

/// A user and a password.
#[derive(Debug, Clone)]
pub struct SmtpLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// Hands mail to an SMTP server.
pub struct SmtpMailer {
    config: SmtpConfig,
    hello: ClientId,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl SmtpMailer {
    /// Sets the mailer up; nothing is connected before the first message.
    pub fn new(config: SmtpConfig) -> Self {
        Self { config, hello: ClientId::default(), idle: Mutex::default() }
    }

    /// An open connection that still answers, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Error> {
        while let Some(mut kept) = self.take_idle().await {
            if timeout(self.config.timeout, kept.test_connected()).await == Ok(true) {
                return Ok(kept);
            }
        }
        let connecting = timeout(self.config.timeout, self.connect()).await;
        connecting.map_err(|_| no_answer(Step::Connect))?.map_err(|error| failure(Step::Connect, &error))
    }

    async fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        self.idle.lock().await.pop()
    }

    async fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().await;
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let SmtpConfig { host, port, security, login, timeout } = &self.config;
        let tls = || TlsParameters::new(host.clone());
        let from_the_start = (*security == SmtpSecurity::Tls).then(tls).transpose()?;
        let server = (host.as_str(), *port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(*timeout), &self.hello, from_the_start, None).await?;
        if *security == SmtpSecurity::StartTls {
            connection.starttls(tls()?, &self.hello).await?;
        }
        if let Some(SmtpLogin { user, password }) = login {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }

    async fn hand_over(&self, connection: &mut AsyncSmtpConnection, message: &Message) -> Result<MailAnswer, Error> {
        let options = match parameters(connection, message.envelope()) {
            Ok(options) => options,
            Err(answer) => return Ok(answer),
        };
        let sender = Mail::new(message.envelope().from().cloned(), options);
        let mut refused = self.step(Step::Sender, connection.command(sender)).await?;
        for recipient in message.envelope().to() {
            if refused.is_none() {
                refused = self.step(Step::Recipient, connection.command(Rcpt::new(recipient.clone(), vec![]))).await?;
            }
        }
        if refused.is_none() {
            refused = self.step(Step::Recipient, connection.command(Data)).await?;
        }
        if refused.is_none() {
            refused = self.step(Step::Message, connection.message(&message.formatted())).await?;
        }
        Ok(refused.map_or(MailAnswer::Accepted, |why| MailAnswer::Rejected { why }))
    }

    /// Takes one step; `Some` is why the recipient's side refused.
    async fn step(
        &self,
        step: Step,
        answer: impl Future<Output = Result<Response, SmtpError>>,
    ) -> Result<Option<String>, Error> {
        match timeout(self.config.timeout, answer).await {
            Ok(Ok(_)) => Ok(None),
            Ok(Err(error)) => match why_refused(step, &error) {
                Some(why) => Ok(Some(why)),
                None => Err(failure(step, &error)),
            },
            Err(_) => Err(no_answer(step)),
        }
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &OutgoingMail) -> Result<MailAnswer, Error> {
        let message = match build(mail)? {
            Ok(message) => message,
            Err(answer) => return Ok(answer),
        };
        let mut connection = self.connection().await?;
        let answer = self.hand_over(&mut connection, &message).await?;
        // After a refusal the server may be in the middle of a conversation: only a finished one is continued.
        if answer == MailAnswer::Accepted {
            self.keep(connection).await;
        }
        Ok(answer)
    }
}

fn parameters(connection: &AsyncSmtpConnection, envelope: &Envelope) -> Result<Vec<MailParameter>, MailAnswer> {
    let mut addresses = envelope.to().iter().chain(envelope.from());
    if addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
        return Ok(vec![]);
    }
    if connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        return Ok(vec![MailParameter::SmtpUtfEight]);
    }
    Err(MailAnswer::Rejected { why: "address_needs_smtputf8".to_owned() })
}

/// Where in the conversation we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connect,
    Sender,
    Recipient,
    Message,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "connecting to the mail server",
            Self::Sender => "naming the sender to the mail server",
            Self::Recipient => "naming the recipient to the mail server",
            Self::Message => "handing the message to the mail server",
        }
    }
}

/// A final no from the recipient's side, as a code.
fn why_refused(step: Step, error: &SmtpError) -> Option<String> {
    let concerns_us = matches!(step, Step::Connect | Step::Sender) || wants_login(error);
    (error.is_permanent() && !concerns_us).then(|| code(error))
}

/// 530 and its kin: the server does not know us, whatever the step.
fn wants_login(error: &SmtpError) -> bool {
    error.status().is_some_and(|status| matches!(u16::from(status), 530 | 534 | 535 | 538))
}

fn failure(step: Step, error: &SmtpError) -> Error {
    let what = format!("{}: {}", step.name(), code(error));
    let severity = error.status().map(|status| status.severity);
    match (step, severity) {
        (_, Some(Severity::TransientNegativeCompletion)) => Error::transient(what),
        (_, Some(_)) => Error::misconfigured(what),
        (Step::Message, None) => Error::unknown(what),
        (_, None) if error.is_client() => Error::misconfigured(format!("{what} ({error})")),
        (_, None) => Error::transient(what),
    }
}

fn no_answer(step: Step) -> Error {
    let what = format!("{}: no answer in time", step.name());
    if step == Step::Message { Error::unknown(what) } else { Error::transient(what) }
}

/// `550 5.1.1`: the code and, if the server gave one, the enhanced code; never its words.
fn code(error: &SmtpError) -> String {
    let Some(status) = error.status() else { return "the connection failed".to_owned() };
    let said = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let is_enhanced = |word: &&str| {
        let parts: Vec<&str> = word.split('.').collect();
        parts.len() == 3
            && parts.iter().all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
    };
    match said.split_whitespace().next().filter(is_enhanced) {
        Some(enhanced) => format!("{status} {enhanced}"),
        None => status.to_string(),
    }
}
