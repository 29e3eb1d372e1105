//! A database of our own, and engines on it: one that only queues work, and one that executes it too.

use super::board::Board;
use super::work::{Hands, Job, QUEUE, Trip};
use crate::setting;
use anyhow::{Context, Result};
use engine::{Databases, ENGINE_QUEUE, Engine, Pools, Registry, RunId, Settings};
use sea_orm::ConnectionTrait;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;
use worker::metrics::Metrics;
use worker::{Died, RedisBell, Wire};

/// How much of the queue a worker takes at once, as the product's worker does of its busiest queue.
const ROOM: usize = 1024;

/// What business rows and projections need beside the product's own tables.
const TABLES: &str = "
    create table if not exists bench_order (id bigint primary key, run uuid not null, note text not null);
    create table if not exists bench_trip (run uuid primary key, leg text not null, seq integer not null);
";

/// Where the database is.
pub(super) enum House {
    Postgres(String),
    Sqlite(PathBuf),
}

/// An engine, and the board where its runs' ends are noted.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) engine: Engine,
    pub(super) board: Arc<Board>,
    metrics: Arc<Metrics>,
    wire: Option<Wire>,
    alone: bool,
}

/// A worker at work.
pub(super) struct Shift {
    stop: oneshot::Sender<()>,
    worker: JoinHandle<Result<(), Died>>,
}

impl House {
    /// The database on the private server.
    pub(super) async fn postgres() -> Result<Self> {
        Self::Postgres(setting::text(setting::POSTGRES)?).prepared().await
    }

    /// A file in the contestant's own folder, durable to the last commit.
    pub(super) async fn sqlite() -> Result<Self> {
        Self::Sqlite(PathBuf::from(setting::text(setting::FOLDER)?).join("innkeeper.db")).prepared().await
    }

    async fn prepared(self) -> Result<Self> {
        let databases = self.databases().await?;
        migrations::up(databases.write().pool()).await.context("bring the database to this build's schema")?;
        databases.write().execute_unprepared(TABLES).await?;
        Ok(self)
    }

    pub(super) async fn databases(&self) -> Result<Databases> {
        let databases = match self {
            Self::Postgres(url) => Databases::postgres(url, Pools::default()).await,
            Self::Sqlite(file) => Databases::sqlite(file, Pools::default()).await,
        };
        databases.context("open the database")
    }

    /// Whether processes can ring for each other.
    pub(super) const fn has_a_wire(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// A process that only queues work: the API's side.
    pub(super) async fn desk(&self, ring: bool) -> Result<Home> {
        self.home("api", &[], ring).await
    }

    /// A process that executes what is queued.
    pub(super) async fn home_with_room(&self, ring: bool) -> Result<Home> {
        self.home("worker", &[(ENGINE_QUEUE, ROOM), (QUEUE, ROOM)], ring).await
    }

    async fn home(&self, role: &'static str, rooms: &[(&'static str, usize)], ring: bool) -> Result<Home> {
        let process = Uuid::from_u128(rand::random());
        let metrics = Arc::new(Metrics::new(&prometheus::Registry::new())?);
        let (hands, board) = Hands::new(Arc::clone(&metrics));
        let registry = Registry::new().register::<Job>(hands.clone()).register::<Trip>(hands.clone());
        let wire = if ring { Some(Wire::open(&setting::text(setting::REDIS)?, "bench", process)?) } else { None };
        let mut settings = Settings::new("bench", process, role).rooms(rooms);
        settings.observer = Arc::new(hands);
        settings.ring = wire.clone().map(|wire| Arc::new(RedisBell::new(wire)) as _);
        let engine = Engine::open(settings, self.databases().await?, registry);
        engine.now().await.context("read the business clock")?;
        Ok(Home { engine, board, metrics, wire, alone: matches!(self, Self::Sqlite(_)) })
    }
}

impl Home {
    /// Starts the worker.
    pub(super) fn work(&self) -> Shift {
        let mut settings = worker::Settings::new();
        settings.wire.clone_from(&self.wire);
        settings.metrics = Some(Arc::clone(&self.metrics));
        settings.alone = self.alone;
        let (stop, stopped) = oneshot::channel();
        let until = async move {
            let _ = stopped.await;
        };
        Shift { stop, worker: tokio::spawn(worker::run(self.engine.clone(), settings, until)) }
    }
}

impl Shift {
    /// Ends the worker as a deployment would.
    pub(super) async fn end(self) -> Result<()> {
        let _ = self.stop.send(());
        Ok(self.worker.await??)
    }
}

/// Ids in the order of time, as the product mints them.
pub(super) fn next_run() -> RunId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let micros = (super::wall() * 1e3).to_bits();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    RunId::from_uuid(Uuid::from_u64_pair(micros, number.rotate_right(16) | u64::from(std::process::id())))
}
