//! The `[identity]` section of the configuration.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Who we say we are, how long a login lasts, and where the key of keys lies.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where people reach us: the issuer of tokens and the root of links in mails. Never taken from a request.
    pub public_url: String,
    /// Whom tokens are for.
    pub audience: String,
    /// How long an access token counts, in minutes; at most 15.
    pub access_minutes: u16,
    /// A session ends when it is not renewed for this long, in days.
    pub idle_days: u16,
    /// A session ends after this long in any case, in days.
    pub session_days: u16,
    /// How long the link in a verification mail works, in minutes; at most 60.
    pub link_minutes: u16,
    /// The file with the key that seals all other keys: 64 hexadecimal digits, readable by its owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Passwords hashed at once; the number of processors when absent. Each takes 19 MiB while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hashers: Option<NonZeroUsize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            audience: "innkeeper".to_owned(),
            access_minutes: 10,
            idle_days: 14,
            session_days: 60,
            link_minutes: 60,
            key_file: None,
            hashers: None,
        }
    }
}

impl Settings {
    /// The keys that name a file themselves, so that `…_FILE` in the environment is the key and not a file to read it from.
    pub const FILES: &[&str] = &["key_file"];

    /// How long an access token counts.
    pub(crate) fn access(&self) -> TimeDelta {
        TimeDelta::minutes(self.access_minutes.clamp(1, 15).into())
    }

    pub(crate) fn idle(&self) -> TimeDelta {
        TimeDelta::days(self.idle_days.max(1).into())
    }

    pub(crate) fn session(&self) -> TimeDelta {
        TimeDelta::days(self.session_days.max(1).into())
    }

    pub(crate) fn link(&self) -> TimeDelta {
        TimeDelta::minutes(self.link_minutes.clamp(1, 60).into())
    }
}
