//! The engine of one process: its connections, its processes, its hands and its writer.

use crate::bell::{Bell, Ring};
use crate::brake::Brakes;
use crate::clock::Mirror;
use crate::databases::Databases;
use crate::event::{Input, Manner, Verdict, What};
use crate::hands::Hands;
use crate::observe::{Observe, Unobserved};
use crate::recent::Recent;
use crate::registry::Registry;
use crate::step::encode;
use crate::tx::{TurnError, Tx, event_input};
use crate::writer::{Writer, writer};
use crate::{EventKey, Moved, Origin, RunId, Timestamp, Workflow, faults};
use sea_orm::DbErr;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// How an engine is set up.
pub struct Settings {
    /// The environment's name: part of every key that goes to an outside party, so that two environments never share one.
    pub environment: String,
    /// This process, new at every start; its heartbeat row has this id.
    pub process: Uuid,
    /// What kind of process it is, for the heartbeat row.
    pub role: &'static str,
    /// Queues and how much of each this process executes at once. Empty: it only queues work.
    pub rooms: Vec<(&'static str, usize)>,
    /// The most turns in one commit.
    pub group: usize,
    /// A lease is rescued when its process's heartbeat is older than this.
    pub rescue_after: Duration,
    /// A wire to the bells of other processes.
    pub ring: Option<Arc<dyn Ring>>,
    /// What is known of the brakes is read anew by the first claim after this long. Pauses do not depend on it.
    pub look: Duration,
    /// Who hears what happens.
    pub observer: Arc<dyn Observe>,
    /// Where this process mirrors the business clock.
    pub clock: Mirror,
}

impl Settings {
    /// Settings for a process with this identity.
    #[must_use]
    pub fn new(environment: impl Into<String>, process: Uuid, role: &'static str) -> Self {
        Self {
            environment: environment.into(),
            process,
            role,
            rooms: vec![],
            group: 512,
            rescue_after: Duration::from_secs(10),
            ring: None,
            look: Duration::from_millis(250),
            observer: Arc::new(Unobserved),
            clock: Mirror::default(),
        }
    }

    /// With room for this much work per queue.
    #[must_use]
    pub fn rooms(mut self, rooms: &[(&'static str, usize)]) -> Self {
        self.rooms = rooms.to_vec();
        self
    }
}

/// What every part of the engine shares.
pub(crate) struct Core {
    pub(crate) environment: String,
    pub(crate) role: &'static str,
    pub(crate) group: usize,
    pub(crate) rescue_after: Duration,
    pub(crate) db: Databases,
    pub(crate) registry: Registry,
    pub(crate) hands: Hands,
    pub(crate) brakes: Brakes,
    /// How often this process has claimed.
    pub(crate) claims: AtomicU64,
    /// The lane, by queue, that the last claim of lanes ended at.
    pub(crate) lanes: Mutex<BTreeMap<&'static str, String>>,
    pub(crate) bell: Bell,
    pub(crate) observer: Arc<dyn Observe>,
    pub(crate) clock: Mirror,
    pub(crate) recent: Recent,
}

/// The durable runtime of one process. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) core: Arc<Core>,
    writer: Writer,
}

impl Engine {
    /// Sets the engine up and starts its writer. Must be called within a tokio runtime.
    #[must_use]
    pub fn open(settings: Settings, db: Databases, registry: Registry) -> Self {
        let Settings { environment, process, role, rooms, group, rescue_after, ring, look, observer, clock } = settings;
        db.heard_by(&observer);
        let core = Arc::new(Core {
            environment,
            role,
            group: group.max(1),
            rescue_after,
            db,
            registry,
            hands: Hands::new(process, &rooms),
            brakes: Brakes::new(look),
            claims: AtomicU64::new(0),
            lanes: Mutex::default(),
            bell: Bell::with(ring),
            observer,
            clock,
            recent: Recent::default(),
        });
        let writer = writer(Arc::clone(&core));
        Self { core, writer }
    }

    /// The connections.
    #[must_use]
    pub fn databases(&self) -> &Databases {
        &self.core.db
    }

    /// What this process holds.
    #[must_use]
    pub fn hands(&self) -> &Hands {
        &self.core.hands
    }

    /// The processes of this build.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.core.registry
    }

    /// Begins a write unit. Call it within [`detached`].
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(&self) -> Result<Tx, DbErr> {
        faults::point("caller_before_begin");
        let inner = self.core.db.write.begin().await?;
        faults::point("caller_after_begin");
        Ok(Tx::new(inner, Arc::clone(&self.core)))
    }

    /// The business clock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn now(&self) -> Result<Timestamp, DbErr> {
        let (now, real) = crate::tx::clocks(&self.core.db.read).await?;
        self.core.clock.note(now.timestamp_micros(), real);
        Ok(now)
    }

    /// The lease clock: the database's own time, which no sandbox moves.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn real_now(&self) -> Result<Timestamp, DbErr> {
        Ok(crate::storage::instant(crate::tx::clocks(&self.core.db.read).await?.1))
    }

    /// Has an input committed by the writer, together with whatever else is waiting.
    ///
    /// # Errors
    /// [`TurnError::Poison`] when the author's code fails on it, [`TurnError::Storage`] when its statements do. Lost connections are
    /// not errors here: the writer tries until the database is back.
    pub async fn submit(&self, input: Input) -> Result<Verdict, TurnError> {
        self.writer.submit(input).await
    }

    /// Begins a run through the writer.
    ///
    /// # Errors
    /// As [`Tx::start`].
    pub async fn start<W: Workflow>(
        &self,
        run: RunId,
        key: &str,
        input: &W::Input,
        origin: Origin,
    ) -> Result<Moved, TurnError> {
        let what =
            What::Start { workflow: W::NAME.to_owned(), key: key.to_owned(), input: encode(input), parent: None };
        TurnError::of(self.submit(Input::new(run, what).caused_by(origin)).await?)
    }

    /// Sends a command through the writer.
    ///
    /// # Errors
    /// As [`Tx::send`].
    pub async fn send<W: Workflow>(
        &self,
        run: RunId,
        event: &W::Event,
        key: EventKey,
        origin: Origin,
    ) -> Result<Moved, TurnError> {
        TurnError::of(self.submit(event_input::<W>(run, event, key, Manner::Command).caused_by(origin)).await?)
    }

    /// Tells a run a fact through the writer.
    ///
    /// # Errors
    /// As [`Tx::note`].
    pub async fn note<W: Workflow>(
        &self,
        run: RunId,
        event: &W::Event,
        key: EventKey,
        origin: Origin,
    ) -> Result<Moved, TurnError> {
        TurnError::of(self.submit(event_input::<W>(run, event, key, Manner::Fact).caused_by(origin)).await?)
    }

    /// Lets the timers of a run that are due fire now. A rival who meets an expired hold calls this, then takes the nights.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub async fn fire_due(&self, run: RunId) -> Result<Verdict, TurnError> {
        self.submit(Input::new(run, What::Due)).await
    }

    /// Rings this process's bell, for whoever hears one from elsewhere.
    pub fn ring_here(&self) {
        self.core.bell.ring_here();
    }

    /// Waits for the bell.
    pub async fn rung(&self) {
        self.core.bell.rung().await;
    }
}

/// Runs a write unit to its end even if the caller hangs up: a dropped request must never leave half a transaction on a connection.
///
/// # Panics
/// When the unit panics, the panic goes on in the caller.
pub async fn detached<T: Send + 'static>(unit: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(unit).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down; nobody is left to answer.
            Err(_) => std::future::pending().await,
        },
    }
}
