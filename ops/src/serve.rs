//! The long-lived roles: the API, the worker, or both in one process, from the first connection to the graceful end.

use crate::config::Config;
use crate::product::Product;
use anyhow::{Context, Result, bail};
use api::Health;
use fs4::fs_std::FileExt;
use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use worker::Wire;
use worker::metrics::Metrics;

/// Between a readiness of 503 and the end of taking connections: long enough for a balancer's next look.
const NOTICE: Duration = Duration::from_millis(500);
/// Between two passes of the pretend gateway over its undelivered webhooks.
const WEBHOOKS: Duration = Duration::from_millis(200);

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its name, for heartbeats and logs.
    pub name: &'static str,
    /// Serve HTTP.
    pub api: bool,
    /// Execute work.
    pub worker: bool,
}

impl Role {
    /// Everything in one process.
    pub(crate) const ALL: Self = Self { name: "all", api: true, worker: true };
    /// Only HTTP.
    pub(crate) const API: Self = Self { name: "api", api: true, worker: false };
    /// Only work.
    pub(crate) const WORKER: Self = Self { name: "worker", api: false, worker: true };
}

/// A running process: where it listens, and its end.
pub(crate) struct Running {
    /// Where the API listens, when it does.
    pub address: Option<SocketAddr>,
    /// Where `/metrics` listens.
    pub metrics: SocketAddr,
    /// Asks for the graceful end.
    pub stop: CancellationToken,
    done: tokio::task::JoinHandle<Result<()>>,
}

impl Running {
    /// Waits for the end.
    ///
    /// # Errors
    /// When a part died.
    pub(crate) async fn ended(self) -> Result<()> {
        self.done.await.context("the process's own task")?
    }
}

/// Starts a role and returns once it serves.
///
/// # Errors
/// When a part cannot be opened, an address is taken, or another process has the data folder.
pub(crate) async fn start(config: Config, role: Role) -> Result<Running> {
    let lock = alone(&config)?;
    let rooms = config.worker.rooms();
    let product = Product::open(&config, role.name, if role.worker { &rooms } else { &[] }).await?;
    let stop = CancellationToken::new();
    let health = Health::default();

    let metrics =
        TcpListener::bind(config.api.metrics_listen).await.context("listen for /metrics (api.metrics_listen)")?;
    let public = match role.api {
        true => Some(TcpListener::bind(config.api.listen).await.context("listen for the API (api.listen)")?),
        false => None,
    };
    let (address, scraped) = (public.as_ref().map(TcpListener::local_addr).transpose()?, metrics.local_addr()?);
    let token = stop.clone();
    let done = tokio::spawn(async move {
        let _lock = lock;
        run(config, product, Listeners { public, metrics }, (role, health, token)).await
    });
    Ok(Running { address, metrics: scraped, stop, done })
}

/// The sockets of a process.
struct Listeners {
    public: Option<TcpListener>,
    metrics: TcpListener,
}

async fn run(
    config: Config,
    product: Product,
    sockets: Listeners,
    (role, health, stop): (Role, Health, CancellationToken),
) -> Result<()> {
    let closing = CancellationToken::new();
    let scrape = listening(api::serve(sockets.metrics, api::metrics::router(), closing.clone().cancelled_owned()));
    let gathering =
        tokio::spawn(gather(product.engine.clone(), (product.metrics.clone(), product.wire.clone()), closing.clone()));
    let webhooks =
        tokio::spawn(deliver(product.gateway.clone(), config.identity.public_url.clone(), (role, closing.clone())));

    let http = async {
        let Some(listener) = sockets.public else { return stop.cancelled().await };
        let router = api::router(product.app.clone(), &config.api, health.clone());
        let leaving = CancellationToken::new();
        let served = listening(api::serve(listener, router, leaving.clone().cancelled_owned()));
        stop.cancelled().await;
        health.drain();
        tokio::time::sleep(NOTICE).await;
        leaving.cancel();
        let limit = Duration::from_secs(config.worker.drain_seconds);
        if tokio::time::timeout(limit, served).await.is_err() {
            tracing::warn!("requests were still running at the end of the drain");
        }
    };
    let work = async {
        if !role.worker {
            return Ok(());
        }
        let mut settings = worker::Settings::new();
        settings.wire.clone_from(&product.wire);
        settings.chores = Some(product.chores.clone());
        settings.metrics = Some(product.metrics.clone());
        settings.alone = config.embedded();
        settings.pace.poll = Duration::from_millis(config.worker.poll_ms);
        settings.pace.drain = Duration::from_secs(config.worker.drain_seconds);
        let ended = worker::run(product.engine.clone(), settings, stop.cancelled()).await;
        // A worker that died takes the process with it: a supervisor starts a whole one again.
        stop.cancel();
        ended
    };
    let ((), worked) = tokio::join!(http, work);
    closing.cancel();
    let _ = tokio::join!(gathering, webhooks, scrape);
    worked.context("the worker")
}

/// A listener's task; its failure is logged where it happens.
fn listening(serving: impl Future<Output = std::io::Result<()>> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "a listener failed");
        }
    })
}

async fn gather(engine: engine::Engine, (metrics, wire): (Arc<Metrics>, Option<Wire>), closing: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(2));
    while closing.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.gather(&engine, wire.as_ref()).await;
    }
}

/// The pretend gateway's side: it notifies us of what happened in its books, as a real one would.
async fn deliver(
    gateway: integrations::payments::sandbox::SandboxGateway,
    site: String,
    (role, closing): (Role, CancellationToken),
) {
    if !role.worker {
        return;
    }
    let (http, url) = (reqwest::Client::new(), format!("{site}/webhooks/sandbox"));
    let mut ticks = tokio::time::interval(WEBHOOKS);
    while closing.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = gateway.deliver_webhooks(&http, &url).await {
            tracing::debug!(%error, "the sandbox's webhooks wait");
        }
    }
}

/// The embedded database belongs to one serving process at a time.
fn alone(config: &Config) -> Result<Option<File>> {
    if !config.embedded() {
        return Ok(None);
    }
    let folder = &config.installation.data;
    std::fs::create_dir_all(folder).with_context(|| format!("make the data folder {}", folder.display()))?;
    let lock = File::create(folder.join("lock")).context("make the lock of the data folder")?;
    if !FileExt::try_lock_exclusive(&lock).context("lock the data folder")? {
        bail!(
            "another process serves {}: choose another folder with --data, or PostgreSQL for several processes",
            folder.display()
        );
    }
    Ok(Some(lock))
}

/// Serves a role until SIGTERM or SIGINT.
///
/// # Errors
/// As [`start`].
pub(crate) async fn until_signalled(config: Config, role: Role) -> Result<()> {
    let running = start(config, role).await?;
    match running.address {
        Some(address) => println!(
            "serving http://{address}, reference at http://{address}/docs, metrics at http://{}/metrics",
            running.metrics
        ),
        None => println!("working, metrics at http://{}/metrics", running.metrics),
    }
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = running.stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        stop.cancel();
    });
    running.ended().await
}
