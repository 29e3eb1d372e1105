//! The `[mail]` section of the configuration: how letters leave.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::{FolderMailer, SharedMailer, SmtpConfig, SmtpLogin, SmtpMailer, SmtpSecurity};
use crate::Error;

/// How long each step of a conversation with the SMTP server may take.
const STEP: Duration = Duration::from_secs(10);

/// How letters leave.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `folder` writes .eml files into the data folder, `smtp` sends.
    pub transport: Transport,
    /// Who writes, as `Name <address>` or an address alone.
    pub from: String,
    /// The SMTP server, which its certificate must name.
    pub host: String,
    /// Its port: 465 for TLS, 587 for STARTTLS.
    pub port: u16,
    /// `tls`, `starttls`, or `plain` for a server on this machine.
    pub security: SmtpSecurity,
    /// Who we are to the server; empty for nobody.
    pub user: String,
    /// The password.
    #[serde(serialize_with = "hidden")]
    pub password: SecretString,
}

/// By what letters leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// As files in a folder.
    Folder,
    /// To an SMTP server.
    Smtp,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            transport: Transport::Folder,
            from: "Innkeeper <stay@innkeeper.localhost>".to_owned(),
            host: "localhost".to_owned(),
            port: 465,
            security: SmtpSecurity::Tls,
            user: String::new(),
            password: SecretString::default(),
        }
    }
}

impl Settings {
    /// The keys whose values are never repeated.
    pub const SECRETS: &[&str] = &["password"];

    /// Whoever carries the letters; `folder` is where they are written when they are not sent.
    pub fn mailer(&self, folder: &Path) -> Result<SharedMailer, Error> {
        Ok(match self.transport {
            Transport::Folder => Arc::new(FolderMailer::open(folder)?),
            Transport::Smtp => Arc::new(SmtpMailer::new(self.smtp())),
        })
    }

    fn smtp(&self) -> SmtpConfig {
        let Self { transport: _, from: _, host, port, security, user, password } = self;
        let password = SecretString::from(password.expose_secret());
        let login = (!user.is_empty()).then(|| SmtpLogin { user: user.clone(), password });
        SmtpConfig { host: host.clone(), port: *port, security: *security, login, timeout: STEP }
    }
}

/// A secret shows only whether it is set.
fn hidden<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if secret.expose_secret().is_empty() { "" } else { "(set)" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_logs_in_without_a_name() {
        assert!(Settings::default().smtp().login.is_none());
        let named = Settings { user: "us".to_owned(), password: SecretString::from("pass"), ..Settings::default() };
        let login = named.smtp().login.unwrap();
        assert_eq!((login.user.as_str(), login.password.expose_secret()), ("us", "pass"));
    }
}
