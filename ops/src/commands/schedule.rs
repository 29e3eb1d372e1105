//! `innkeeper schedule`: what happens by the clock, when it last did and when it will next, and doing it now.

use super::brake::{FREE, Pause, pulled};
use super::done::Hand;
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
        #[command(flatten)]
        pause: Pause,
    },
    /// Let a paused schedule fire again; what it missed is met by its own policy.
    Resume {
        /// Which schedule.
        name: String,
        #[command(flatten)]
        hand: Hand,
    },
}

impl Schedule {
    pub(crate) async fn run(self, config: &Config) -> Result<ExitCode> {
        let engine = onlooker(config).await?;
        match self {
            Self::List { json } => {
                let list = List::readable(config, engine.readable_schedules().await?);
                list.print(json, "There are no schedules.", line)
            }
            Self::Run { name, hand } => run(&engine, &name, &hand).await,
            Self::Pause { name, pause: by } => pause(&engine, &name, &by).await,
            Self::Resume { name, hand } => resume(&engine, &name, &hand).await,
        }
    }
}

async fn run(engine: &Engine, name: &str, hand: &Hand) -> Result<ExitCode> {
    let view = named(engine, name).await?;
    if view.housekeeping {
        bail!("{name} is housekeeping: its work is done inside a serving process, not by this command");
    }
    let (ran, came) = match hand.write {
        true => {
            let at = engine.run_now(name, &hand.actor).await.with_context(|| format!("run {name}"))?;
            (Some(true), format!("ran at {}", spelled(at)))
        }
        false => (None, String::new()),
    };
    hand.tell("run", stands(&view), (ran, came))
}

async fn pause(engine: &Engine, name: &str, pause: &Pause) -> Result<ExitCode> {
    let Pause { why, hand } = pause;
    let view = named(engine, name).await?;
    let first = match hand.write {
        true => Some(engine.pause_schedule(name, &hand.actor, why).await?),
        false => None,
    };
    hand.tell("pause", stands(&view), (first, "is paused".to_owned()))
}

async fn resume(engine: &Engine, name: &str, hand: &Hand) -> Result<ExitCode> {
    let view = named(engine, name).await?;
    let held = match hand.write {
        true => Some(engine.resume_schedule(name, &hand.actor).await?),
        false => None,
    };
    hand.tell("resume", stands(&view), (held, "goes on".to_owned()))
}

/// A schedule's name, and whether it is held back.
fn stands(view: &ScheduleView) -> (String, String) {
    let name = format!("schedule {}", view.name);
    let held = view.paused.as_ref().map_or(FREE.to_owned(), pulled);
    (name.clone(), format!("{name}, {held}"))
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
        out.push_str(&format!("  {}", pulled(paused)));
    }
    if let Some(failing) = failing {
        out.push_str(&format!("  FAILING {} times: {}", failing.times, failing.why));
    }
    out
}
