//! One serving process at work: its listeners, its worker, what runs beside them, and the order in which they end.

use super::Role;
use crate::config::Config;
use crate::product::Product;
use anyhow::{Context, Result};
use api::Health;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Between a readiness of 503 and the end of taking connections: long enough for a balancer's next look.
const NOTICE: Duration = Duration::from_millis(500);
/// Between two passes of the pretend gateway over its undelivered webhooks.
const WEBHOOKS: Duration = Duration::from_millis(200);
/// Between two looks at what operators measure.
const LOOKS: Duration = Duration::from_secs(2);
/// What runs beside the work has nothing to finish.
const LAST: Duration = Duration::from_secs(2);

/// What one process is made of.
pub(super) struct Process {
    pub(super) config: Config,
    pub(super) product: Product,
    pub(super) role: Role,
    pub(super) health: Health,
    pub(super) stop: CancellationToken,
}

impl Process {
    /// Serves until told to stop: first the requests and the work come to their ends, then what runs beside them.
    pub(super) async fn run(self, public: Option<TcpListener>, metrics: TcpListener) -> Result<()> {
        let closing = CancellationToken::new();
        let scrape = api::serve(metrics, api::metrics::router(), closing.clone().cancelled_owned());
        let (scrape, looks, webhooks) = (listening(scrape), self.looks(&closing), self.webhooks(&closing));
        let ((), worked) = tokio::join!(self.requests(public), self.work());
        closing.cancel();
        let beside = async { tokio::join!(scrape, looks, webhooks) };
        let _ = tokio::time::timeout(LAST, beside).await;
        worked
    }

    /// Readiness goes first, so that balancers look elsewhere before connections are refused; running requests end in peace.
    async fn requests(&self, public: Option<TcpListener>) {
        let Some(listener) = public else { return self.stop.cancelled().await };
        let router = api::router(self.product.app.clone(), &self.config.api, self.health.clone());
        let leaving = CancellationToken::new();
        let served = listening(api::serve(listener, router, leaving.clone().cancelled_owned()));
        self.stop.cancelled().await;
        self.health.drain();
        tokio::time::sleep(NOTICE).await;
        leaving.cancel();
        if tokio::time::timeout(self.config.worker.drain(), served).await.is_err() {
            tracing::warn!("requests were still running at the end of the drain");
        }
    }

    /// A worker that died takes the process with it: a supervisor starts a whole one again.
    async fn work(&self) -> Result<()> {
        if !self.role.worker {
            return Ok(());
        }
        let mut settings = worker::Settings::new();
        settings.wire.clone_from(&self.product.wire);
        settings.chores = Some(self.product.chores.clone());
        settings.metrics = Some(self.product.metrics.clone());
        settings.alone = self.config.embedded();
        settings.pace = self.config.worker.pace();
        let ended = worker::run(self.product.engine.clone(), settings, self.stop.cancelled()).await;
        self.stop.cancel();
        ended.context("the worker")
    }

    /// Measures, and says whether we do without Redis.
    fn looks(&self, closing: &CancellationToken) -> JoinHandle<()> {
        let Product { engine, metrics, wire, .. } = &self.product;
        let (engine, metrics, wire, health) = (engine.clone(), metrics.clone(), wire.clone(), self.health.clone());
        every(LOOKS, closing, move || {
            let (engine, metrics, wire, health) = (engine.clone(), metrics.clone(), wire.clone(), health.clone());
            async move {
                metrics.gather(&engine, wire.as_ref()).await;
                match &wire {
                    Some(wire) if wire.ping().await.is_err() => health.degraded("redis"),
                    _ => health.recovered("redis"),
                }
            }
        })
    }

    /// The pretend gateway's side: it notifies us of what happened in its books, as a real one would.
    fn webhooks(&self, closing: &CancellationToken) -> JoinHandle<()> {
        let (gateway, http) = (self.product.gateway.clone(), reqwest::Client::new());
        let url = format!("{}/webhooks/sandbox", self.config.identity.public_url);
        let delivers = self.role.worker;
        every(WEBHOOKS, closing, move || {
            let (gateway, http, url) = (gateway.clone(), http.clone(), url.clone());
            async move {
                if delivers && let Err(error) = gateway.deliver_webhooks(&http, &url).await {
                    tracing::debug!(%error, "the sandbox's webhooks wait");
                }
            }
        })
    }
}

/// A listener's task; its failure is logged where it happens.
fn listening(serving: impl Future<Output = io::Result<()>> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "a listener failed");
        }
    })
}

/// Does something again and again until the end.
fn every<F>(
    pause: Duration,
    closing: &CancellationToken,
    mut look: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send,
{
    let closing = closing.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(pause);
        while closing.run_until_cancelled(ticks.tick()).await.is_some() {
            look().await;
        }
    })
}
