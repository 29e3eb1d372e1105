//! `innkeeper demo`: a marketplace on a fresh sandbox, played over HTTP, every step's result checked.

mod client;
mod ledger;
mod letters;
mod people;
mod picture;
mod seed;
mod story;
mod telling;

use crate::config::Config;
use crate::serve::{self, Role};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use client::Client;
use std::net::TcpListener;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Instant;
use telling::Telling;

/// How the demo runs.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End after the story; exit code 0 only if every step's result was what it should be.
    #[arg(long)]
    exit: bool,
    /// How many homes to publish.
    #[arg(long, default_value_t = 60)]
    homes: usize,
}

/// What the story works with.
pub(crate) struct Stage {
    pub(crate) client: Client,
    /// Where letters are written.
    pub(crate) letters: PathBuf,
}

impl Demo {
    pub(crate) async fn run(self, mut config: Config) -> Result<ExitCode> {
        let began = Instant::now();
        let folder =
            tempfile::Builder::new().prefix("innkeeper-demo-").tempdir().context("make a folder for the demo")?;
        fresh(&mut config, folder.path().to_path_buf())?;
        let site = config.identity.public_url.clone();
        let letters = config.data("mail");
        let mut asked = pin!(serve::asked_to_end()?);
        let running = serve::start(config.clone(), Role::ALL).await?;
        let mut telling = Telling::begin();
        telling.say(&format!("Innkeeper serves {site} from {}", folder.path().display()));

        let stage = Stage { client: Client::new(&site)?, letters };
        let outcome = tokio::select! {
            told = story::play(&stage, &mut telling, self.homes) => told,
            () = &mut asked => Err(anyhow!("somebody asked it to end")),
        };
        let books = match &outcome {
            Ok(_) => Some(ledger::trial_balance(&config).await?),
            Err(_) => None,
        };
        if let (Ok(told), Some(books)) = (&outcome, &books) {
            telling.end(told, books, began.elapsed());
        }
        let whole = outcome.as_ref().is_ok() && books.as_ref().is_some_and(ledger::Trial::balances);
        if let Err(error) = &outcome {
            eprintln!("\nThe story broke off: {error:#}");
        }
        if !self.exit && whole {
            telling.what_next(&site);
            asked.await;
        }
        running.stop.cancel();
        running.ended().await?;
        Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A sandbox of its own: another folder, free ports, no server that the configuration may name.
fn fresh(config: &mut Config, folder: PathBuf) -> Result<()> {
    config.installation.data = folder;
    config.installation.sandbox = true;
    config.installation.name = "demo".to_owned();
    config.database.url = secrecy::SecretString::default();
    config.redis.url = secrecy::SecretString::default();
    config.identity.key_file = None;
    for address in [&mut config.api.listen, &mut config.api.metrics_listen] {
        if TcpListener::bind(*address).is_err() {
            *address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).context("find a free port")?;
        }
    }
    config.identity.public_url = format!("http://{}", config.api.listen);
    Ok(())
}
