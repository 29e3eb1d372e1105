//! The long-lived roles: the API, the worker, or both in one process, from the first connection to the graceful end.

mod process;

use crate::config::Config;
use crate::connect;
use crate::product::Product;
use anyhow::{Context, Error, Result, anyhow, bail};
use api::Health;
use fs4::fs_std::FileExt;
use integrations::mail::Transport;
use process::Process;
use std::fs::File;
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

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

    let metrics = listen("/metrics", config.api.metrics_listen, "api.metrics_listen").await?;
    let public = match role.api {
        true => Some(listen("the API", config.api.listen, "api.listen").await?),
        false => None,
    };
    let (address, scraped) = (public.as_ref().map(TcpListener::local_addr).transpose()?, metrics.local_addr()?);
    let process = Process { config, product, role, health, stop: stop.clone() };
    let done = tokio::spawn(async move {
        let _lock = lock;
        process.run(public, metrics).await
    });
    Ok(Running { address, metrics: scraped, stop, done })
}

/// Takes an address, or says by which setting another one is chosen.
async fn listen(what: &str, address: SocketAddr, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            let variable = setting.replace('.', "__").to_uppercase();
            anyhow!(
                "{address} is in use by another program, so {what} cannot listen there: \
                set {setting} (INNKEEPER_{variable}) to an address that is free"
            )
        }
        _ => Error::from(error).context(format!("listen for {what} on {address} ({setting})")),
    })
}

/// The embedded database belongs to one serving process at a time.
fn alone(config: &Config) -> Result<Option<File>> {
    if !config.embedded() {
        return Ok(None);
    }
    let folder = &config.installation.data;
    connect::data_folder(config)?;
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
    let (words, grace) = (words(&config), config.worker.drain_seconds);
    let running = start(config, role).await?;
    match running.address {
        Some(address) => println!(
            "serving http://{address}, reference at http://{address}/docs, metrics at http://{}/metrics",
            running.metrics
        ),
        None => println!("working, metrics at http://{}/metrics", running.metrics),
    }
    for word in &words {
        println!("{word}");
    }
    let asked = asked_to_end()?;
    let stop = running.stop.clone();
    tokio::spawn(async move {
        asked.await;
        println!("draining: nothing new is begun, and what runs has {grace} s to end");
        stop.cancel();
    });
    running.ended().await?;
    println!("stopped");
    Ok(())
}

/// What whoever starts it should know at once.
fn words(config: &Config) -> Vec<String> {
    let mut words = vec![];
    if config.mail.transport == Transport::Folder {
        words.push(format!("letters are written to {}", config.data("mail").display()));
    }
    words.push(match config.installation.sandbox {
        true => "sandbox: pretend money, and a clock that anybody can move (installation.sandbox)".to_owned(),
        false => "WARNING: this build has no real payment gateway yet; money is only written into the sandbox gateway's books".to_owned(),
    });
    words
}

/// Comes back at SIGTERM or SIGINT, which from now on no longer end the process by themselves.
///
/// # Errors
/// When the signals cannot be taken.
pub(crate) fn asked_to_end() -> Result<impl Future<Output = ()>> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
    })
}
