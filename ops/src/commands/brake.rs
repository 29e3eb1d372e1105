//! Pauses, by hand: a queue, a workflow or an outside party is held back until somebody lets it go on.

use super::instant::spelled;
use super::look::{List, onlooker};
use super::which;
use crate::config::Config;
use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use engine::{Brake, Circuit, Engine, Target};
use std::process::ExitCode;

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
    why: String,
    #[command(flatten)]
    hand: Hand,
}

/// Who acts, and whether.
#[derive(Debug, Args)]
#[group(id = "who")]
pub(crate) struct Hand {
    /// Really do it.
    #[arg(long)]
    write: bool,
    /// Your id, for whoever finds it paused.
    #[arg(long, default_value = "console")]
    actor: String,
}

impl Party {
    pub(crate) async fn run(self, config: &Config) -> Result<ExitCode> {
        match self {
            Self::List { json } => {
                let brakes = onlooker(config).await?.brakes().await?;
                let parties = brakes.into_iter().filter(|brake| matches!(brake.target, Target::Party(_))).collect();
                List::whole(config, parties).print(json, "There is no outside party.", line)
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
    let stands = stands(&engine, config, &target).await?;
    if !hand.write {
        println!("would pause {stands}; say --write");
    } else if engine.pause(&target, why, &hand.actor).await? {
        println!("{target} is paused");
    } else {
        println!("already: {stands}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets a target go on.
pub(super) async fn resume(config: &Config, target: Target, hand: &Hand) -> Result<ExitCode> {
    let engine = onlooker(config).await?;
    let stands = stands(&engine, config, &target).await?;
    if !hand.write {
        println!("would resume {stands}; say --write");
    } else if engine.resume(&target, &hand.actor).await? {
        println!("{target} goes on");
    } else {
        println!("nothing held {target}");
    }
    Ok(ExitCode::SUCCESS)
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
    Ok(held.map_or_else(|| format!("{target}, nothing holds it"), line))
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
        out.push_str(&format!(", PAUSED since {} by {}: {}", spelled(paused.since), paused.by, paused.why));
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
        out.push_str(", nothing holds it");
    }
    out
}
