//! `innkeeper schedule`: what happens by the clock, when it last did and when it will next, and doing it now.

use super::instant::spelled;
use super::look::{List, onlooker};
use crate::config::Config;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use engine::{Engine, ScheduleView};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    /// Every schedule, its last tick and its next.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Do a schedule's work now: a tick of its own that changes nothing about the others.
    Run {
        /// Which schedule.
        name: String,
        #[command(flatten)]
        hand: Hand,
    },
    /// Keep a schedule from firing until it is resumed.
    Pause {
        /// Which schedule.
        name: String,
        /// Why, in words, for whoever finds it paused.
        #[arg(long)]
        why: String,
        #[command(flatten)]
        hand: Hand,
    },
    /// Let a paused schedule fire again; what it missed is met by its own policy.
    Resume {
        /// Which schedule.
        name: String,
        #[command(flatten)]
        hand: Hand,
    },
}

/// Who acts, and whether.
#[derive(Debug, clap::Args)]
pub(crate) struct Hand {
    /// Really do it.
    #[arg(long)]
    write: bool,
    /// Your id, for the record.
    #[arg(long, default_value = "console")]
    actor: String,
}

impl Schedule {
    pub(crate) async fn run(self, config: &Config) -> Result<ExitCode> {
        let engine = onlooker(config).await?;
        match self {
            Self::List { json } => {
                let list = List::whole(config, engine.schedules().await?);
                return list.print(json, "There are no schedules.", line);
            }
            Self::Run { name, hand } => run(&engine, &name, &hand).await?,
            Self::Pause { name, why, hand } => {
                let view = named(&engine, &name).await?;
                if !hand.write {
                    println!(
                        "would pause {name}{}; say --write",
                        if view.paused.is_some() { ", which is paused" } else { "" }
                    );
                } else if engine.pause_schedule(&name, &hand.actor, &why).await? {
                    println!("{name} is paused");
                } else {
                    println!("{name} was paused already");
                }
            }
            Self::Resume { name, hand } => {
                let view = named(&engine, &name).await?;
                if !hand.write {
                    println!(
                        "would resume {name}{}; say --write",
                        if view.paused.is_none() { ", which runs" } else { "" }
                    );
                } else if engine.resume_schedule(&name, &hand.actor).await? {
                    println!("{name} goes on");
                } else {
                    println!("{name} was not paused");
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn run(engine: &Engine, name: &str, hand: &Hand) -> Result<()> {
    let view = named(engine, name).await?;
    if view.housekeeping {
        bail!("{name} is housekeeping: its work is done inside a serving process, not by this command");
    }
    if !hand.write {
        println!("would run {name} now; say --write");
        return Ok(());
    }
    let at = engine.run_now(name, &hand.actor).await.with_context(|| format!("run {name}"))?;
    println!("{name} ran at {}", spelled(at));
    Ok(())
}

async fn named(engine: &Engine, name: &str) -> Result<ScheduleView> {
    let all = engine.schedules().await?;
    let names: Vec<_> = all.iter().map(|view| view.name).collect();
    let found = all.iter().find(|view| view.name == name).cloned();
    found.with_context(|| format!("there is no schedule {name:?}; there are {}", names.join(", ")))
}

fn line(view: &ScheduleView) -> String {
    let ScheduleView { name, cron, zone, last, next, paused, failing, .. } = view;
    let at = |instant: Option<chrono::DateTime<chrono::Utc>>| instant.map_or("-".to_owned(), spelled);
    let mut out = format!(
        "{name:<26} {cron:<18} {zone:<14} last {}  next {}",
        at(last.as_ref().map(|tick| tick.instant)),
        at(*next)
    );
    if let Some(paused) = paused {
        out.push_str(&format!("  PAUSED by {}: {}", paused.by, paused.why));
    }
    if let Some(failing) = failing {
        out.push_str(&format!("  FAILING {} times: {}", failing.times, failing.why));
    }
    out
}
