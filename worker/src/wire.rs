//! The wire to Redis: one address, one set of patiences, and whether it works just now. Nothing waits for it.

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, RedisError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// How long a connection may take to come about.
pub(crate) const CONNECTING: Duration = Duration::from_secs(2);
/// How long an answer may take. The library's half a second is shorter than a rewrite of the append-only file can stall Redis, and
/// apalis ends its worker at the first late answer.
pub(crate) const ANSWERING: Duration = Duration::from_secs(10);

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the address of Redis cannot be used")]
pub struct WireError(#[from] RedisError);

/// What this process knows of Redis. Cheap to clone; opening it connects to nothing.
#[derive(Clone)]
pub struct Wire {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    environment: String,
    process: Uuid,
    up: AtomicBool,
    errors: AtomicU64,
}

impl Wire {
    /// A wire to this address. `environment` separates those who share a Redis, `process` tells one's own rings from others'.
    ///
    /// # Errors
    /// When the address cannot be read.
    pub fn open(url: &str, environment: &str, process: Uuid) -> Result<Self, WireError> {
        let (client, environment) = (Client::open(url)?, environment.to_owned());
        let (up, errors) = (AtomicBool::new(false), AtomicU64::new(0));
        Ok(Self { inner: Arc::new(Inner { client, environment, process, up, errors }) })
    }

    /// Whether Redis answered when it was last asked.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.inner.up.load(Ordering::Relaxed)
    }

    /// How often Redis could not be reached, said no or did not answer in time.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.inner.errors.load(Ordering::Relaxed)
    }

    /// The name of something of ours in Redis.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("innkeeper:{}:{name}", self.inner.environment)
    }

    pub(crate) fn process(&self) -> Uuid {
        self.inner.process
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    /// Notes whether Redis works; a change is told once.
    pub(crate) fn note<T, E: std::fmt::Display>(&self, outcome: Result<T, E>) -> Result<T, E> {
        let up = outcome.is_ok();
        self.inner.errors.fetch_add(u64::from(!up), Ordering::Relaxed);
        if self.inner.up.swap(up, Ordering::Relaxed) != up {
            match &outcome {
                Ok(_) => tracing::info!("Redis answers"),
                Err(error) => tracing::warn!(error = %error, "Redis is away; work is found by the poll"),
            }
        }
        outcome
    }

    /// A plain connection. Its user drops it at the first error and asks for another.
    pub(crate) async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let patience =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECTING)).set_response_timeout(Some(ANSWERING));
        self.inner.client.get_multiplexed_async_connection_with_config(&patience).await
    }

    /// Asks Redis for a sign of life.
    ///
    /// # Errors
    /// When it cannot be reached or does not answer.
    pub async fn ping(&self) -> Result<(), RedisError> {
        let asking = async { redis::cmd("PING").exec_async(&mut self.connection().await?).await };
        self.note(asking.await)
    }

    /// A connection that mends itself, as apalis wants one.
    pub(crate) async fn managed(&self) -> Result<ConnectionManager, RedisError> {
        let patience = ConnectionManagerConfig::new()
            .set_response_timeout(Some(ANSWERING))
            .set_connection_timeout(Some(CONNECTING))
            .set_number_of_retries(20)
            .set_max_delay(Duration::from_secs(2));
        // It would try for most of a minute; our own pauses are between tries, not within one.
        let manager = self.inner.client.get_connection_manager_with_config(patience);
        match tokio::time::timeout(CONNECTING, manager).await {
            Ok(manager) => manager,
            Err(_) => Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
        }
    }
}
