//! The product put together: which database, which outside parties, which keys. Every role is made of the same parts.

use crate::config::Config;
use crate::connect;
use anyhow::{Context, Result};
use engine::{Engine, Mirror, Settings, Settling};
use integrations::images::Limits;
use integrations::objects::LocalObjects;
use integrations::payments::sandbox::{SandboxConfig, SandboxGateway};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;
use worker::metrics::{Build, Metrics};
use worker::{Chores, RedisBell, Wire};
use workflows::identity::{Identity, KeyOfKeys};
use workflows::market::Market;
use workflows::parties::Parties;
use workflows::sandbox::Sandbox;
use workflows::{App, Parts, Ports, Reach};

/// How long a step of the sandbox's clock waits for the workers.
const SETTLING: Settling = Settling::Elsewhere(Duration::from_secs(60));

/// What `build.rs` found out.
const BUILD: Build =
    Build { version: env!("CARGO_PKG_VERSION"), revision: env!("INNKEEPER_REVISION"), rustc: env!("INNKEEPER_RUSTC") };

/// The parts of one process.
pub(crate) struct Product {
    /// Runs the processes.
    pub engine: Engine,
    /// Answers the use cases.
    pub app: App,
    /// The pretend gateway, for the task that delivers its webhooks.
    pub gateway: SandboxGateway,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The wire to Redis, when there is one.
    pub wire: Option<Wire>,
    /// Housekeeping.
    pub chores: Chores,
}

impl Product {
    /// Opens everything that the configuration names. `rooms` is what this process executes; none for one that only asks.
    ///
    /// # Errors
    /// When a part cannot be reached or read.
    pub(crate) async fn open(config: &Config, role: &'static str, rooms: &[(&'static str, usize)]) -> Result<Self> {
        let db = connect::databases(config).await?;
        migrations::up(db.write().pool()).await.context("bring the database to this build's schema")?;
        let key = key_of_keys(config)?;
        let clock = Mirror::default();
        let gateway = gateway(config, &key, clock.clone()).await?;
        let (ports, objects) = ports(config, &key, &gateway)?;
        let metrics = Arc::new(Metrics::new(prometheus::default_registry()).context("register the metrics")?);
        metrics.built(BUILD);
        let process = Uuid::from_u128(rand::random());
        let wire = config.redis.wire(&config.installation.name, process)?;

        let reach = Reach {
            gateway: ports.gateway.clone(),
            mailer: ports.mailer.clone(),
            objects: ports.objects.clone(),
            reader: db.read().clone(),
            letters: workflows::mail::Settings {
                from: config.mail.from.clone(),
                api: config.identity.public_url.clone(),
                web: (!config.installation.web_url.is_empty()).then(|| config.installation.web_url.clone()),
            },
            secret: key.link_secret(),
            photos: Limits::default(),
        };
        let chores = Chores::new();
        let registry = chores.scheduled(workflows::registry(reach)).keep(&config.retention)?;
        let registry = Parties::try_from(config.parties)?.limit(registry);
        let mut settings = Settings::new(&config.installation.name, process, role).rooms(rooms);
        settings.ring = wire.clone().map(|wire| Arc::new(RedisBell::new(wire)) as _);
        settings.observer = metrics.clone();
        settings.clock = clock;
        let engine = Engine::open(settings, db, registry);
        engine.now().await.context("read the business clock")?;

        let sandbox = config.installation.sandbox.then(|| Sandbox { gateway: gateway.clone(), settling: SETTLING });
        let app = App::new(Parts {
            engine: engine.clone(),
            ports,
            identity: Identity::new(config.identity.clone(), key),
            market: Market::try_from(config.market)?,
            uploads: Some(objects),
            sandbox,
            wall: workflows::machine_clock(),
        });
        Ok(Self { engine, app, gateway, metrics, wire, chores })
    }
}

/// The key that seals all others: made at the first start of a sandbox, given in production.
fn key_of_keys(config: &Config) -> Result<KeyOfKeys> {
    let file = config.key_file();
    if config.identity.key_file.is_some() {
        return KeyOfKeys::read(&file).context("read the key of keys");
    }
    connect::data_folder(config)?;
    KeyOfKeys::read_or_make(&file).context("read or make the key of keys")
}

/// A secret that follows from the key of keys, so that every process has it and nobody configures it.
fn derived(key: &KeyOfKeys, purpose: &str) -> SecretString {
    SecretString::from(hex::encode(key.derive(purpose, &[])))
}

async fn gateway(config: &Config, key: &KeyOfKeys, clock: Mirror) -> Result<SandboxGateway> {
    let sandbox = SandboxConfig {
        path: config.data("gateway.db"),
        api_key: SecretString::from("sk_sandbox_innkeeper"),
        webhook_secrets: vec![derived(key, "sandbox webhooks")],
        challenge_url: format!("{}/sandbox/challenges", config.identity.public_url),
        clock: Arc::new(move || clock.now()),
    };
    connect::data_folder(config)?;
    SandboxGateway::open(sandbox).await.context("open the sandbox gateway's books")
}

fn ports(config: &Config, key: &KeyOfKeys, gateway: &SandboxGateway) -> Result<(Ports, Arc<LocalObjects>)> {
    let uploads = derived(key, "uploads");
    let route = if config.installation.sandbox { "sandbox/uploads" } else { "uploads" };
    let objects =
        LocalObjects::open(&config.data("objects"), &format!("{}/{route}", config.identity.public_url), &uploads);
    let objects = Arc::new(objects.context("open the folder of objects")?);
    let mailer = config.mail.mailer(&config.data("mail")).context("open the folder of letters")?;
    let ports = Ports { gateway: Arc::new(gateway.clone()), mailer, objects: objects.clone() };
    Ok((ports, objects))
}
