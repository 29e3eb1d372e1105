//! All sections together. Each is a struct in the crate that it configures, which says what its keys mean, what they are by default and
//! which of them are secrets; here are only the two that concern the process itself.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Table;

/// Everything that can be set.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Which installation this is and where it keeps its files.
    pub installation: Installation,
    /// Where the truth is.
    pub database: engine::config::Database,
    /// The wire between processes; optional.
    pub redis: worker::config::Redis,
    /// How the API listens.
    pub api: api::Settings,
    /// Logins and keys.
    pub identity: workflows::identity::Settings,
    /// What the platform takes, and how long everything may take.
    pub market: workflows::market::Settings,
    /// How letters leave.
    pub mail: integrations::mail::Settings,
    /// How much is executed at once.
    pub worker: worker::config::Worker,
    /// How long finished runs are kept, by workflow.
    pub retention: BTreeMap<String, engine::Kept>,
    /// How fast outside parties are called, and when they are left alone.
    pub parties: workflows::parties::Settings,
    /// What is logged.
    pub log: Log,
}

/// By section, the keys whose values are never repeated, whatever is wrong with them.
pub(super) const SECRETS: &[(&str, &[&str])] = &[
    ("database", engine::config::Database::SECRETS),
    ("redis", worker::config::Redis::SECRETS),
    ("mail", integrations::mail::Settings::SECRETS),
];

/// By section, the keys that name a file, as opposed to `…_FILE` variables that read one.
pub(super) const FILES: &[(&str, &[&str])] = &[("identity", workflows::identity::Settings::FILES)];

/// Which installation this is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Installation {
    /// Its name: part of every key that goes to an outside party, so two installations never share one.
    pub name: String,
    /// The folder of the embedded default: database, photographs, mail, keys.
    pub data: PathBuf,
    /// Pretend money, a clock that can be moved, and their routes. Never in production.
    pub sandbox: bool,
    /// Where people use the product in a browser: letters lead there. Empty while there is no such place.
    pub web_url: String,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// What to write, as `tracing` filters: `info,engine=debug`.
    pub filter: String,
    /// A JSON object per line instead of text.
    pub json: bool,
}

impl Default for Installation {
    fn default() -> Self {
        Self { name: "local".to_owned(), data: PathBuf::from(".innkeeper"), sandbox: true, web_url: String::new() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "warn".to_owned(), json: false }
    }
}

impl Config {
    pub(super) fn deserialize_table(table: Table) -> Result<Self> {
        Self::deserialize(table).context("the configuration does not fit")
    }

    /// Whether the values fit together.
    pub(super) fn check(&self) -> Result<()> {
        workflows::market::Market::try_from(self.market)?;
        workflows::parties::Parties::try_from(self.parties)?;
        self.database.check()?;
        let name = &self.installation.name;
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        ensure!(plain && !name.is_empty(), "installation.name is lower-case letters, digits and hyphens, not {name:?}");
        let sealed = self.installation.sandbox || self.identity.key_file.is_some();
        ensure!(
            sealed,
            "outside the sandbox identity.key_file must name the key that seals all others (INNKEEPER_IDENTITY__KEY_FILE)"
        );
        Ok(())
    }

    /// Whether the truth is a SQLite file in the data folder.
    pub(crate) fn embedded(&self) -> bool {
        self.database.url().is_none()
    }

    /// A place in the data folder.
    pub(crate) fn data(&self, place: &str) -> PathBuf {
        self.installation.data.join(place)
    }

    /// The key that seals all others.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.identity.key_file.as_deref().map_or_else(|| self.data("key"), Path::to_path_buf)
    }
}
