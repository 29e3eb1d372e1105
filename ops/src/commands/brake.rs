//! Pauses, by hand: a queue, a workflow or an outside party is held back until somebody lets it go on.

use super::done::Hand;
use super::instant::spelled;
use super::look::{List, onlooker};
use super::which;
use crate::config::Config;
use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use engine::{Brake, Circuit, Engine, Paused, Target};
use std::process::ExitCode;

/// What is said of everything that is not held back.
pub(super) const FREE: &str = "nothing holds it";

#[derive(Debug, Subcommand)]
pub(crate) enum Party {
    /// Every outside party, and whether it is called.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Call a party no more until it is resumed.
    Pause {
        /// Which party.
        name: String,
        #[command(flatten)]
        pause: Pause,
    },
    /// Call a party again: one call first, the rest once that was answered.
    Resume {
        /// Which party.
        name: String,
        #[command(flatten)]
        hand: Hand,
    },
}

/// A pause.
#[derive(Debug, Args)]
#[group(id = "reason")]
pub(crate) struct Pause {
    /// Why, in words, for whoever finds it paused.
    #[arg(long)]
    pub(super) why: String,
    #[command(flatten)]
    pub(super) hand: Hand,
}

impl Party {
    pub(crate) async fn run(self, config: &Config) -> Result<ExitCode> {
        match self {
            Self::List { json } => {
                let mut brakes = onlooker(config).await?.readable_brakes().await?;
                brakes.rows.retain(|brake| matches!(brake.target, Target::Party(_)));
                List::readable(config, brakes).print(json, "There is no outside party.", line)
            }
            Self::Pause { name, pause: by } => pause(config, Target::Party(name), &by).await,
            Self::Resume { name, hand } => resume(config, Target::Party(name), &hand).await,
        }
    }
}

/// Holds a target back.
pub(super) async fn pause(config: &Config, target: Target, pause: &Pause) -> Result<ExitCode> {
    let Pause { why, hand } = pause;
    let engine = onlooker(config).await?;
    let about = stands(&engine, config, &target).await?;
    let first = match hand.write {
        true => Some(engine.pause(&target, why, &hand.actor).await?),
        false => None,
    };
    hand.tell("pause", (target.to_string(), about), (first, "is paused".to_owned()))
}

/// Lets a target go on.
pub(super) async fn resume(config: &Config, target: Target, hand: &Hand) -> Result<ExitCode> {
    let engine = onlooker(config).await?;
    let about = stands(&engine, config, &target).await?;
    let held = match hand.write {
        true => Some(engine.resume(&target, &hand.actor).await?),
        false => None,
    };
    hand.tell("resume", (target.to_string(), about), (held, "goes on".to_owned()))
}

/// Limits how much of a queue is in hands at once, or lifts the limit.
pub(super) async fn limit(config: &Config, queue: String, most: Option<i32>, hand: &Hand) -> Result<ExitCode> {
    let (engine, target) = (onlooker(config).await?, Target::Queue(queue.clone()));
    let about = stands(&engine, config, &target).await?;
    let new = match hand.write {
        true => Some(engine.limit(&queue, most, &hand.actor).await?),
        false => None,
    };
    let came = most.map_or_else(|| "is as wide as its room".to_owned(), |most| format!("has at most {most} at once"));
    hand.tell("limit", (target.to_string(), about), (new, came))
}

/// How a target stands; a misspelt one must not look as if it were held.
async fn stands(engine: &Engine, config: &Config, target: &Target) -> Result<String> {
    let brakes = engine.brakes().await?;
    let held = brakes.iter().find(|brake| brake.target == *target);
    match target {
        Target::Workflow(name) => which::check(engine, Some(name))?,
        Target::Party(name) => ensure!(held.is_some(), "there is no party {name:?}"),
        Target::Queue(name) => known_queue(config, name)?,
    }
    Ok(held.map_or_else(|| format!("{target}, {FREE}"), line))
}

/// Fails for a queue that no build has.
pub(super) fn known_queue(config: &Config, name: &str) -> Result<()> {
    let rooms = config.worker.rooms();
    let names: Vec<&str> = rooms.iter().map(|(name, _)| *name).collect();
    ensure!(names.contains(&name), "there is no queue {name:?}; there are {}", names.join(", "));
    Ok(())
}

/// A brake, in a line.
pub(super) fn line(brake: &Brake) -> String {
    let Brake { target, paused, circuit, failures, most } = brake;
    let mut out = target.to_string();
    if let Some(paused) = paused {
        out.push_str(&format!(", {}", pulled(paused)));
    }
    match circuit {
        Circuit::Closed => {}
        Circuit::Open { until } => {
            out.push_str(&format!(", circuit OPEN until {} after {failures} failures", spelled(*until)));
        }
        Circuit::HalfOpen => out.push_str(", circuit half open: one call at a time"),
    }
    if let Some(most) = most {
        out.push_str(&format!(", at most {most} at once"));
    } else if !brake.holds() {
        out.push_str(&format!(", {FREE}"));
    }
    out
}

/// A pause, in words.
pub(super) fn pulled(paused: &Paused) -> String {
    let Paused { by, why, since } = paused;
    format!("PAUSED since {} by {by}: {why}", spelled(*since))
}
