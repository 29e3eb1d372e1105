//! What of the engine can be configured: the `[database]` section, and how each outside party is called.

use crate::databases::Pools;
use crate::link::SILENCE;
use crate::party::{Limits, Patience, Rate};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use std::time::Duration;

/// The `[database]` section: where the truth is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://…`; empty keeps a SQLite file in the data folder.
    #[serde(serialize_with = "hidden")]
    pub url: SecretString,
    /// Connections that write.
    pub write_connections: u32,
    /// Connections that only read.
    pub read_connections: u32,
    /// How long a request waits for a connection, in seconds.
    pub patience_seconds: u64,
}

impl Default for Database {
    fn default() -> Self {
        let Pools { write, read, patience, silence: _ } = Pools::default();
        Self {
            url: SecretString::default(),
            write_connections: write,
            read_connections: read,
            patience_seconds: patience.as_secs(),
        }
    }
}

/// An address that leads to no database of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("database.url begins with postgres://")]
pub struct NotPostgres;

impl Database {
    /// The keys whose values are never repeated.
    pub const SECRETS: &[&str] = &["url"];

    /// The address of the PostgreSQL server; none when the truth is a SQLite file.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        Some(self.url.expose_secret()).filter(|url| !url.is_empty())
    }

    /// How many connections, and how long one is waited for.
    #[must_use]
    pub const fn pools(&self) -> Pools {
        let Self { url: _, write_connections, read_connections, patience_seconds } = self;
        let patience = Duration::from_secs(*patience_seconds);
        Pools { write: *write_connections, read: *read_connections, patience, silence: SILENCE }
    }

    /// Whether the values can be.
    ///
    /// # Errors
    /// When the address is that of another kind of server.
    pub fn check(&self) -> Result<(), NotPostgres> {
        let known = self.url().is_none_or(|url| url.starts_with("postgres"));
        known.then_some(()).ok_or(NotPostgres)
    }
}

/// How a party is called, as a section within `[parties]` says it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manners {
    /// Calls per second by all processes together; 0 sets no limit.
    pub calls_per_second: f64,
    /// Calls at once, when there were none for a while; counts only with a limit.
    pub burst: u32,
    /// Failures in a row after which it is left alone.
    pub failures: i32,
    /// For how long at first, in seconds; then one call finds out whether it answers, and after a failure it is twice as long.
    pub rest_seconds: u64,
    /// For how long at most, in seconds.
    pub longest_rest_seconds: u64,
}

impl Default for Manners {
    fn default() -> Self {
        let Patience { failures, rest, longest, .. } = Patience::default();
        let (rest_seconds, longest_rest_seconds) = (rest.as_secs(), longest.as_secs());
        Self { calls_per_second: 0.0, burst: 20, failures, rest_seconds, longest_rest_seconds }
    }
}

/// Manners that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BadManners {
    /// No rate.
    #[error("calls_per_second is a number from 0 on, not {0}")]
    Rate(f64),
    /// Nothing may be called, or nothing may fail.
    #[error("burst and failures are at least 1")]
    Nothing,
}

impl TryFrom<Manners> for Limits {
    type Error = BadManners;

    fn try_from(manners: Manners) -> Result<Self, BadManners> {
        let Manners { calls_per_second: per_second, burst, failures, rest_seconds, longest_rest_seconds } = manners;
        if !per_second.is_finite() || per_second < 0.0 {
            return Err(BadManners::Rate(per_second));
        }
        if burst < 1 || failures < 1 {
            return Err(BadManners::Nothing);
        }
        let (rest, longest) = (Duration::from_secs(rest_seconds), Duration::from_secs(longest_rest_seconds));
        let rate = (per_second > 0.0).then_some(Rate { per_second, burst });
        Ok(Self { rate, patience: Patience { failures, rest, longest, ..Patience::default() } })
    }
}

/// Serializes a secret as whether it is set.
///
/// # Errors
/// When the serializer fails.
pub fn hidden<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if secret.expose_secret().is_empty() { "" } else { "(set)" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manners_by_default_are_the_limits_by_default() {
        assert_eq!(Limits::try_from(Manners::default()), Ok(Limits::default()));
    }

    #[test]
    fn manners_that_cannot_be_are_refused() {
        let of = |calls_per_second, burst, failures| {
            Limits::try_from(Manners { calls_per_second, burst, failures, ..Manners::default() })
        };
        assert_eq!(of(-1.0, 1, 1), Err(BadManners::Rate(-1.0)));
        assert!(matches!(of(f64::NAN, 1, 1), Err(BadManners::Rate(_))));
        assert_eq!(of(0.0, 0, 1), Err(BadManners::Nothing));
        assert_eq!(of(0.0, 1, 0), Err(BadManners::Nothing));
        assert!(of(2.5, 1, 1).is_ok());
    }

    #[test]
    fn only_postgres_is_served_from_an_address() {
        let at = |url: &str| Database { url: SecretString::from(url), ..Database::default() };
        assert_eq!(at("").check(), Ok(()));
        assert_eq!(at("postgresql://host/name").check(), Ok(()));
        assert_eq!(at("mysql://host/name").check(), Err(NotPostgres));
        assert_eq!((at("").url(), at("postgres://h/n").url()), (None, Some("postgres://h/n")));
    }
}
