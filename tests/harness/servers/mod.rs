//! The servers that tests talk to: reused when the environment names them, otherwise started once for this process.
//!
//! A test that only needs *a* database or *a* Redis takes the shared ones. A test that stops, empties or kills a server starts its own
//! with [`Postgres::start`] or [`Redis::start`].

mod disk;
mod find;
mod leash;
mod owned;
mod postgres;
mod redis;

use std::env;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};

pub use disk::SmallDisk;
pub use leash::Leash;
pub use owned::{limit_memory, send_signal};
pub use postgres::Postgres;
pub use redis::{Redis, fresh_redis};

/// Names the administrator's URL of a Postgres server to reuse: a role that may create databases.
pub const POSTGRES_VARIABLE: &str = "INNKEEPER_TEST_POSTGRES";
/// Names the URL of a Redis server to reuse; its numbered databases are handed out in turn and emptied.
pub const REDIS_VARIABLE: &str = "INNKEEPER_TEST_REDIS";

/// The administrator's URL of the Postgres server that all tests of this process share.
pub fn shared_postgres() -> Result<&'static str> {
    static SERVER: OnceLock<Result<Named<Postgres>, String>> = OnceLock::new();
    once(&SERVER, Named::postgres)
}

/// The URL of the Redis server that all tests of this process share.
pub fn shared_redis() -> Result<&'static str> {
    static SERVER: OnceLock<Result<Named<Redis>, String>> = OnceLock::new();
    once(&SERVER, Named::redis)
}

/// A static is never dropped: the server's [`Leash`] ends it with the process.
fn once<S>(
    cell: &'static OnceLock<Result<Named<S>, String>>,
    find: impl FnOnce() -> Result<Named<S>>,
) -> Result<&'static str> {
    let named = cell.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    named.as_ref().map(|named| named.url.as_str()).map_err(|error| anyhow!("{error}"))
}

/// A server's address, and the server itself if it is ours.
pub struct Named<S> {
    /// Where tests find it.
    pub url: String,
    _ours: Option<S>,
}

impl Named<Postgres> {
    /// The server that the environment names, or else a new one.
    pub fn postgres() -> Result<Self> {
        Self::or_start(POSTGRES_VARIABLE, || Postgres::start().map(|server| (server.url(), server)))
    }
}

impl Named<Redis> {
    /// The server that the environment names, or else a new one.
    pub fn redis() -> Result<Self> {
        Self::or_start(REDIS_VARIABLE, || Redis::start().map(|server| (server.url(), server)))
    }
}

impl<S> Named<S> {
    fn or_start(variable: &str, start: impl FnOnce() -> Result<(String, S)>) -> Result<Self> {
        if let Some(url) = env::var(variable).ok().filter(|url| !url.is_empty()) {
            return Ok(Self { url, _ours: None });
        }
        let (url, server) = start().with_context(|| format!("start a server of our own, as {variable} names none"))?;
        Ok(Self { url, _ours: Some(server) })
    }
}
