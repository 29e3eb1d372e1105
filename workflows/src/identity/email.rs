//! E-mail addresses, in the one spelling in which they are compared.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// An address that a mail can be sent to, folded to lower case: one person has one account, however they spell it.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Email(String);

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub struct NotAnEmail;

impl Email {
    /// The folded spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    pub fn local(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }
}

impl TryFrom<String> for Email {
    type Error = NotAnEmail;

    fn try_from(text: String) -> Result<Self, NotAnEmail> {
        text.parse()
    }
}

impl FromStr for Email {
    type Err = NotAnEmail;

    fn from_str(text: &str) -> Result<Self, NotAnEmail> {
        let folded = text.trim().to_ascii_lowercase();
        let (local, domain) = folded.rsplit_once('@').ok_or(NotAnEmail)?;
        if folded.len() <= 254 && is_local(local) && is_domain(domain) { Ok(Self(folded)) } else { Err(NotAnEmail) }
    }
}

fn is_local(local: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&b);
    (1..=64).contains(&local.len()) && local.bytes().all(allowed) && local.split('.').all(|part| !part.is_empty())
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let labels: Vec<&str> = domain.split('.').collect();
    let named = |last: &&str| last.bytes().any(|b| b.is_ascii_alphabetic());
    labels.len() >= 2 && labels.iter().all(|part| label(part)) && labels.last().is_some_and(named)
}

/// Never the address itself: it would reach a log.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_spelling() {
        let email: Email = " Anna.Huber+home@Example.ORG ".parse().unwrap();
        assert_eq!((email.as_str(), email.local()), ("anna.huber+home@example.org", "anna.huber+home"));
        assert!(!format!("{email:?}").contains("anna"));
    }

    #[test]
    fn what_no_mail_can_reach_is_refused() {
        let long = format!("a@{}.org", "x".repeat(64));
        let others = [
            "",
            "@",
            "anna",
            "anna@",
            "@example.org",
            "anna@localhost",
            "anna@127.0.0.1",
            "a b@example.org",
            "a@b@example.org",
            "a..b@example.org",
            ".a@example.org",
            "a@-x.org",
            "a@x-.org",
            "a@x..org",
            "a\n@example.org",
            "a@exa\r\nBcc: b.org",
            &long,
        ];
        for text in others {
            assert_eq!(text.parse::<Email>(), Err(NotAnEmail), "{text:?}");
        }
    }
}
