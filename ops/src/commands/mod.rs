//! The commands, one module each. Reading is free; whatever changes something says `--write`, or its name says it (`migrate`).

mod backup;
mod brake;
mod clock;
mod doctor;
mod done;
mod instant;
mod look;
mod metrics;
mod migrate;
mod operator;
mod queue;
mod schedule;
mod show_config;
mod span;
mod which;
mod workflow;

use crate::config::{self, Loaded, Origin};
use crate::serve::{self, Role};
use crate::{demo, logging};
use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// The back end of a home-sharing marketplace: bookings, payments and payouts that survive a kill at any instant.
#[derive(Debug, Parser)]
#[command(name = "innkeeper", version, about)]
pub(crate) struct Cli {
    /// The configuration file; `innkeeper.toml` here when there is one.
    #[arg(long, global = true, value_name = "FILE", env = "INNKEEPER_CONFIG")]
    config: Option<PathBuf>,
    /// The data folder of the embedded default, over what the configuration says.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a marketplace on a fresh sandbox, checking every step, then go on serving it.
    Demo(demo::Demo),
    /// Serve everything in one process, on the lasting data folder.
    Up,
    /// Serve HTTP.
    Api,
    /// Execute work.
    Worker,
    /// Bring the database to this build's schema.
    Migrate,
    /// Check everything the product depends on, and say how to mend what fails.
    Doctor,
    /// Show the configuration in force and where each value comes from.
    Config,
    /// The people who look after the marketplace.
    #[command(subcommand)]
    Operator(operator::Operator),
    /// What `/metrics` shows, as a table.
    Metrics,
    /// Copy the embedded database, consistent at one instant, with the list of its objects.
    Backup(backup::Backup),
    /// The business clock of a sandbox.
    #[command(subcommand)]
    Clock(clock::Clock),
    /// Runs of workflows: look at them, prove them, mend what is parked.
    #[command(subcommand)]
    Workflow(workflow::Workflow),
    /// What happens by the clock: look at it, run it now, pause it.
    #[command(subcommand)]
    Schedule(schedule::Schedule),
    /// The outside parties: whether they are called, and holding them back.
    #[command(subcommand)]
    Party(brake::Party),
    /// What waits in the queues.
    #[command(subcommand)]
    Queue(queue::Queue),
}

impl Cli {
    /// Runs the command to its end.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut loaded = config::load(self.config.as_deref())?;
        if let Some(data) = self.data {
            loaded.config.installation.data = data;
            loaded.origins.insert("installation.data".to_owned(), Origin::Option("--data"));
        }
        logging::start(&loaded)?;
        worker::runtime()?.block_on(dispatch(self.command, loaded))
    }
}

async fn dispatch(command: Command, loaded: Loaded) -> Result<ExitCode> {
    let config = &loaded.config.clone();
    match command {
        Command::Demo(demo) => return demo.run(loaded.config).await,
        Command::Up => serve::until_signalled(loaded.config, Role::ALL).await?,
        Command::Api => serve::until_signalled(loaded.config, Role::API).await?,
        Command::Worker => serve::until_signalled(loaded.config, Role::WORKER).await?,
        Command::Migrate => migrate::run(config).await?,
        Command::Doctor => return doctor::run(config).await,
        Command::Config => show_config::run(&loaded)?,
        Command::Metrics => print!("{}", metrics::page()?),
        Command::Operator(operator) => operator.run(config).await?,
        Command::Backup(backup) => backup.run(config).await?,
        Command::Clock(clock) => clock.run(config).await?,
        Command::Workflow(workflow) => return workflow.run(config).await,
        Command::Schedule(schedule) => return schedule.run(config).await,
        Command::Party(party) => return party.run(config).await,
        Command::Queue(queue) => return queue.run(config).await,
    }
    Ok(ExitCode::SUCCESS)
}
