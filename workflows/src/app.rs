//! What every use case works with: the engine, the outside parties, and who somebody is.

use std::net::IpAddr;
use std::sync::Arc;

use domain::Timestamp;
use engine::{Engine, Link, Origin};
use integrations::mail::SharedMailer;
use integrations::objects::{LocalObjects, SharedObjectStore};
use integrations::payments::SharedGateway;
use sea_orm::ConnectionTrait as _;

use crate::Error;
use crate::identity::Identity;
use crate::market::Market;
use crate::sandbox::Sandbox;

/// The product, ready to be asked; clones are cheap and share everything.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
pub struct Parts {
    /// Runs the processes and owns the connections.
    pub engine: Engine,
    /// The outside parties.
    pub ports: Ports,
    /// Keys, passwords and the brake on guessing.
    pub identity: Identity,
    /// The platform's terms and waiting times.
    pub market: Market,
    /// The folder that takes uploads, where files are kept in one.
    pub uploads: Option<Arc<LocalObjects>>,
    /// The stand-ins, when this is a sandbox.
    pub sandbox: Option<Sandbox>,
    /// Real time: see [`App::wall`].
    pub wall: WallClock,
}

/// The outside parties that use cases need. Calling one inside a transaction is forbidden; computing (a presigned upload, a
/// signature) is not calling.
#[derive(Clone)]
pub struct Ports {
    /// Moves money.
    pub gateway: SharedGateway,
    /// Carries letters.
    pub mailer: SharedMailer,
    /// Keeps files.
    pub objects: SharedObjectStore,
}

/// Tells real time.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place where real time enters; everybody else is handed it")]
pub fn machine_clock() -> WallClock {
    Arc::new(|| domain::time::truncated(chrono::Utc::now() + engine::faults::astray()))
}

/// Who asks, before and after it is known who they are.
#[derive(Debug, Clone)]
pub struct Asker {
    /// From where.
    pub ip: IpAddr,
    /// What the device calls itself.
    pub agent: Option<String>,
    /// For the journal: ids only.
    pub origin: Origin,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Real time. Tokens, sessions, links and stored answers age by it, whatever a sandbox makes of the business clock.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        (self.wall)()
    }

    /// Connections that only read, outside any transaction.
    #[must_use]
    pub fn reader(&self) -> &Link {
        self.engine.databases().read()
    }

    /// Fails while the database does not answer.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn reach_database(&self) -> Result<(), Error> {
        self.reader().execute_unprepared("SELECT 1").await?;
        Ok(())
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
