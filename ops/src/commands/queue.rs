//! `innkeeper queue`: what waits where, and for how long.

use super::brake::{self, Hand, Pause};
use super::look::{List, onlooker, stranger};
use crate::config::Config;
use anyhow::Result;
use clap::Subcommand;
use engine::{Depth, Target};
use std::process::ExitCode;
use std::time::Duration;
use worker::Chores;

/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    /// Every queue with what is ready, scheduled, in hands and parked.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// One queue, in numbers.
    Depth {
        /// Which queue.
        queue: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Hold back everything in a queue until it is resumed.
    Pause {
        /// Which queue.
        queue: String,
        #[command(flatten)]
        pause: Pause,
    },
    /// Let a queue's work go on.
    Resume {
        /// Which queue.
        queue: String,
        #[command(flatten)]
        hand: Hand,
    },
}

impl Queue {
    pub(crate) async fn run(self, config: &Config) -> Result<ExitCode> {
        match self {
            Self::List { json } => {
                let engine = onlooker(config).await?;
                let depths = engine.depths().await?;
                if !json {
                    println!("{}", row(["queue", "ready", "scheduled", "leased", "parked", "oldest"]));
                }
                let code = List::whole(config, depths).print(json, "Nothing waits.", line)?;
                if !json {
                    let brakes = engine.brakes().await?;
                    brakes
                        .iter()
                        .filter(|brake| brake.holds())
                        .for_each(|brake| println!("HELD  {}", brake::line(brake)));
                    println!("{}", plain_jobs(config).await);
                }
                Ok(code)
            }
            Self::Depth { queue, json } => {
                let depths = onlooker(config).await?.depths().await?;
                let depth = depths.into_iter().find(|depth| depth.queue == queue);
                if depth.is_none() {
                    brake::known_queue(config, &queue)?;
                }
                let empty = Depth { queue, ready: 0, scheduled: 0, leased: 0, parked: 0, oldest_us: 0 };
                let depth = depth.unwrap_or(empty);
                match json {
                    true => println!("{}", serde_json::to_string_pretty(&depth)?),
                    false => println!("{}", line(&depth)),
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Pause { queue, pause } => brake::pause(config, Target::Queue(queue), &pause).await,
            Self::Resume { queue, hand } => brake::resume(config, Target::Queue(queue), &hand).await,
        }
    }
}

fn row(cells: [&str; 6]) -> String {
    let [queue, ready, scheduled, leased, parked, oldest] = cells;
    format!("{queue:<12} {ready:>8} {scheduled:>10} {leased:>8} {parked:>8} {oldest:>12}")
}

fn line(depth: &Depth) -> String {
    let Depth { queue, ready, scheduled, leased, parked, oldest_us } = depth;
    let oldest = format!("{:.1} s", *oldest_us as f64 / 1e6);
    let [ready, scheduled, leased, parked] = [ready, scheduled, leased, parked].map(ToString::to_string);
    row([queue, &ready, &scheduled, &leased, &parked, &oldest])
}

/// What waits in Redis, if that can be said: housekeeping only, nothing that anybody would miss.
async fn plain_jobs(config: &Config) -> String {
    let wire = match config.redis.wire(&config.installation.name, stranger()) {
        Ok(Some(wire)) => wire,
        Ok(None) => return "(no Redis: housekeeping is done where it falls due)".to_owned(),
        Err(error) => return format!("(Redis: {error}; what waits is all in the database)"),
    };
    match tokio::time::timeout(PATIENCE, Chores::waiting(&wire)).await {
        Ok(Ok(jobs)) => format!("({jobs} plain jobs wait in Redis)"),
        Ok(Err(error)) => format!("(Redis does not answer: {error}; what waits is all in the database)"),
        Err(_) => "(Redis does not answer in time; what waits is all in the database)".to_owned(),
    }
}
