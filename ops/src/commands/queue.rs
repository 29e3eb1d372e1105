//! `innkeeper queue`: what waits where, and for how long.

use super::brake::{self, Pause};
use super::done::Hand;
use super::look::{List, code, onlooker, stranger, tell_damaged};
use crate::config::Config;
use anyhow::Result;
use clap::Subcommand;
use engine::{Brake, Damaged, Depth, Readable, Target};
use serde::Serialize;
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
    /// Say how much of a queue may be in hands at once, in all processes together.
    Limit {
        /// Which queue.
        queue: String,
        /// So much.
        #[arg(long, value_name = "N", required_unless_present = "none", value_parser = clap::value_parser!(i32).range(1..=100_000))]
        at_once: Option<i32>,
        /// As much as the processes have room for.
        #[arg(long, conflicts_with = "at_once")]
        none: bool,
        #[command(flatten)]
        hand: Hand,
    },
}

impl Queue {
    pub(crate) async fn run(self, config: &Config) -> Result<ExitCode> {
        match self {
            Self::List { json } => list(config, json).await,
            Self::Depth { queue, json } => depth(config, queue, json).await,
            Self::Pause { queue, pause } => brake::pause(config, Target::Queue(queue), &pause).await,
            Self::Resume { queue, hand } => brake::resume(config, Target::Queue(queue), &hand).await,
            Self::Limit { queue, at_once, none: _, hand } => brake::limit(config, queue, at_once, &hand).await,
        }
    }
}

/// What waits, what is held back or limited, and what Redis says.
#[derive(Serialize)]
struct Overview {
    #[serde(flatten)]
    depths: List<Depth>,
    brakes: Vec<Brake>,
    redis: PlainJobs,
}

/// Housekeeping that waits in Redis: nothing that anybody would miss.
#[derive(Serialize)]
struct PlainJobs {
    /// How many, if that can be said.
    waiting: Option<u64>,
    /// That, or why it cannot.
    says: String,
}

async fn list(config: &Config, json: bool) -> Result<ExitCode> {
    let engine = onlooker(config).await?;
    let mut depths = List::readable(config, engine.readable_depths().await?);
    let Readable { rows, damaged } = engine.readable_brakes().await?;
    depths.unreadable.extend(damaged);
    let brakes = rows.into_iter().filter(|brake| brake.holds() || brake.most.is_some()).collect();
    let overview = Overview { depths, brakes, redis: PlainJobs::ask(config).await };
    match json {
        true => println!("{}", serde_json::to_string_pretty(&overview)?),
        false => overview.tell()?,
    }
    Ok(overview.depths.code())
}

/// One queue, and what may be in it and cannot be read.
#[derive(Serialize)]
struct OneDepth {
    #[serde(flatten)]
    depth: Depth,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<Damaged>,
}

async fn depth(config: &Config, queue: String, json: bool) -> Result<ExitCode> {
    let Readable { rows, damaged: mut unreadable } = onlooker(config).await?.readable_depths().await?;
    let found = rows.into_iter().find(|depth| depth.queue == queue);
    // What stands under no name of ours may belong here.
    let elsewhere = |other: &str| other != queue && brake::known_queue(config, other).is_ok();
    unreadable.retain(|Damaged { what, .. }| !what.strip_prefix("queue ").is_some_and(elsewhere));
    if found.is_none() {
        brake::known_queue(config, &queue)?;
    }
    let empty = Depth { queue, ready: 0, scheduled: 0, leased: 0, parked: 0, oldest_us: 0 };
    let one = OneDepth { depth: found.unwrap_or(empty), unreadable };
    match json {
        true => println!("{}", serde_json::to_string_pretty(&one)?),
        false => println!("{}", line(&one.depth)),
    }
    if !json {
        tell_damaged(&one.unreadable);
    }
    Ok(code(&one.unreadable))
}

impl Overview {
    fn tell(&self) -> Result<()> {
        let Self { depths, brakes, redis } = self;
        println!("{}", row(["queue", "ready", "scheduled", "leased", "parked", "oldest"]));
        depths.print(false, "Nothing waits.", line)?;
        for brake in brakes {
            println!("{}  {}", if brake.holds() { "HELD" } else { "LIMITED" }, brake::line(brake));
        }
        println!("({})", redis.says);
        Ok(())
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

impl PlainJobs {
    async fn ask(config: &Config) -> Self {
        let unknown = |says: String| Self { waiting: None, says };
        let wire = match config.redis.wire(&config.installation.name, stranger()) {
            Ok(Some(wire)) => wire,
            Ok(None) => return unknown("no Redis: housekeeping is done where it falls due".to_owned()),
            Err(error) => return unknown(format!("Redis: {error}; what waits is all in the database")),
        };
        match tokio::time::timeout(PATIENCE, Chores::waiting(&wire)).await {
            Ok(Ok(jobs)) => Self { waiting: Some(jobs), says: format!("{jobs} plain jobs wait in Redis") },
            Ok(Err(error)) => unknown(format!("Redis does not answer: {error}; what waits is all in the database")),
            Err(_) => unknown("Redis does not answer in time; what waits is all in the database".to_owned()),
        }
    }
}
