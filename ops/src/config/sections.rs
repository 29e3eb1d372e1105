//! The sections. Those of a crate are its own; here are the ones that only the composition knows.

use anyhow::{Context, Result, ensure};
use engine::{Limits, Patience, Rate};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Table;

/// Keys that name a file, as opposed to `…_FILE` variables that read one.
pub(super) const FILE_KEYS: &[&str] = &["key_file"];

/// Keys whose values are never repeated, whatever is wrong with them.
pub(super) const SECRET_KEYS: &[(&str, &str)] = &[("database", "url"), ("redis", "url"), ("mail", "password")];

/// Everything that can be set.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Which installation this is and where it keeps its files.
    pub installation: Installation,
    /// Where the truth is.
    pub database: Database,
    /// The wire between processes; optional.
    pub redis: Redis,
    /// How the API listens.
    pub api: api::Settings,
    /// Logins and keys.
    pub identity: workflows::identity::Settings,
    /// What the platform takes, and how long everything may take.
    pub market: workflows::market::Settings,
    /// How letters leave.
    pub mail: Mail,
    /// How much is executed at once.
    pub worker: Worker,
    /// How long finished runs are kept, by workflow.
    pub retention: BTreeMap<String, engine::Kept>,
    /// How fast outside parties are called, and when they are left alone.
    pub parties: Parties,
    /// What is logged.
    pub log: Log,
}

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

/// Where the truth is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Database {
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

/// The wire between processes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Redis {
    /// `redis://…`; empty does without: everything goes on, slower between processes.
    #[serde(serialize_with = "hidden")]
    pub url: SecretString,
}

/// How letters leave.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mail {
    /// `folder` writes .eml files into the data folder, `smtp` sends.
    pub transport: Transport,
    /// Who writes, as `Name <address>` or an address alone.
    pub from: String,
    /// The SMTP server, which its certificate must name.
    pub host: String,
    /// Its port: 465 for TLS, 587 for STARTTLS.
    pub port: u16,
    /// `tls`, `starttls`, or `plain` for a server on this machine.
    pub security: Security,
    /// Who we are to the server; empty for nobody.
    pub user: String,
    /// The password.
    #[serde(serialize_with = "hidden")]
    pub password: SecretString,
}

/// How letters leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// As files in a folder.
    Folder,
    /// To an SMTP server.
    Smtp,
}

/// How the connection to the SMTP server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after STARTTLS, required.
    Starttls,
    /// None.
    Plain,
}

/// How much a worker executes at once, by queue, and how patient it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Worker {
    /// Timers, and runs that start and tell each other.
    pub engine: usize,
    /// Calls to the payment gateway.
    pub payments: usize,
    /// Letters.
    pub mail: usize,
    /// Photographs; each takes a processor while it lasts.
    pub photos: usize,
    /// The longest that due work waits when no bell was heard, in milliseconds.
    pub poll_ms: u64,
    /// How long running work may take to finish at the end, in seconds.
    pub drain_seconds: u64,
}

/// The outside parties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parties {
    /// The payment gateway.
    pub gateway: Manners,
    /// The mail server.
    pub mail: Manners,
    /// The object store.
    pub objects: Manners,
}

/// How a party is called.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Manners {
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

impl Default for Database {
    fn default() -> Self {
        Self { url: SecretString::default(), write_connections: 12, read_connections: 12, patience_seconds: 10 }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            transport: Transport::Folder,
            from: "Innkeeper <stay@innkeeper.localhost>".to_owned(),
            host: "localhost".to_owned(),
            port: 465,
            security: Security::Tls,
            user: String::new(),
            password: SecretString::default(),
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self { engine: 256, payments: 32, mail: 16, photos: 2, poll_ms: 300, drain_seconds: 20 }
    }
}

impl Worker {
    /// The room in each queue.
    pub(crate) fn rooms(&self) -> [(&'static str, usize); 4] {
        [(engine::ENGINE_QUEUE, self.engine), ("payments", self.payments), ("mail", self.mail), ("photos", self.photos)]
    }
}

impl Default for Manners {
    fn default() -> Self {
        let Patience { failures, rest, longest, .. } = Patience::default();
        let (rest_seconds, longest_rest_seconds) = (rest.as_secs(), longest.as_secs());
        Self { calls_per_second: 0.0, burst: 20, failures, rest_seconds, longest_rest_seconds }
    }
}

impl Manners {
    /// As the engine has it.
    pub(crate) fn limits(self) -> Limits {
        let Self { calls_per_second: per_second, burst, failures, rest_seconds, longest_rest_seconds } = self;
        let (rest, longest) = (Duration::from_secs(rest_seconds), Duration::from_secs(longest_rest_seconds));
        let rate = (per_second > 0.0).then_some(Rate { per_second, burst });
        Limits { rate, patience: Patience { failures, rest, longest, ..Patience::default() } }
    }

    fn check(self, party: &str) -> Result<()> {
        let Self { calls_per_second, burst, failures, .. } = self;
        let fast = calls_per_second.is_finite() && calls_per_second >= 0.0;
        ensure!(fast, "parties.{party}.calls_per_second is a number from 0 on, not {calls_per_second}");
        ensure!(burst >= 1 && failures >= 1, "parties.{party}.burst and parties.{party}.failures are at least 1");
        Ok(())
    }
}

impl Parties {
    /// Every party by its name in the registry.
    pub(crate) fn named(self) -> [(&'static str, Manners); 3] {
        let Self { gateway, mail, objects } = self;
        [(workflows::GATEWAY, gateway), (workflows::MAIL, mail), (workflows::OBJECTS, objects)]
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "warn".to_owned(), json: false }
    }
}

/// A secret shows only whether it is set.
fn hidden<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if secret.expose_secret().is_empty() { "" } else { "(set)" })
}

impl Config {
    pub(super) fn deserialize_table(table: Table) -> Result<Self> {
        Self::deserialize(table).context("the configuration does not fit")
    }

    /// Whether the values fit together.
    pub(super) fn check(&self) -> Result<()> {
        workflows::market::Market::try_from(self.market)?;
        self.parties.named().into_iter().try_for_each(|(party, manners)| manners.check(party))?;
        let name = &self.installation.name;
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        ensure!(plain && !name.is_empty(), "installation.name is lower-case letters, digits and hyphens, not {name:?}");
        ensure!(self.embedded() || self.database_url().starts_with("postgres"), "database.url begins with postgres://");
        let sealed = self.installation.sandbox || self.identity.key_file.is_some();
        ensure!(
            sealed,
            "outside the sandbox identity.key_file must name the key that seals all others (INNKEEPER_IDENTITY__KEY_FILE)"
        );
        Ok(())
    }

    /// Whether the truth is a SQLite file in the data folder.
    pub(crate) fn embedded(&self) -> bool {
        self.database_url().is_empty()
    }

    /// The address of the PostgreSQL server; empty when embedded.
    pub(crate) fn database_url(&self) -> &str {
        self.database.url.expose_secret()
    }

    /// The address of the Redis server, when there is one.
    pub(crate) fn redis_url(&self) -> Option<&str> {
        Some(self.redis.url.expose_secret()).filter(|url| !url.is_empty())
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
