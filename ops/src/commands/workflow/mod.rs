//! `innkeeper workflow`: runs, what became of them, and what waits for a person. Read-only unless `--write`.

mod evolve;
mod mend;
mod prove;
mod show;

use super::brake;
use super::done;
use super::instant::spelled;
use super::look::{List, onlooker};
use super::which::{WhichRuns, WhichWork};
use crate::config::Config;
use anyhow::{Context, Result};
use clap::Subcommand;
use engine::{Listed, RunId, RunView, Target, Timestamp, WorkId};
use mend::Hand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Workflow {
    /// Runs, the newest first.
    List {
        #[command(flatten)]
        which: WhichRuns,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Work that waits for a person, what was due longest ago first.
    Parked {
        #[command(flatten)]
        which: WhichWork,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// A run's whole story: every turn, what it queued, what became of that, and what it posted.
    Show {
        /// `run_…`, or the id of the booking, payment, payout or photograph that it is.
        run: String,
        /// As it stood at this instant (RFC 3339), with its state then.
        #[arg(long)]
        at: Option<Timestamp>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prove runs from their journals: the hash chain, and every step decided again by this build.
    Replay {
        /// Which run; every run when absent.
        run: Option<String>,
        /// Every run of this workflow.
        #[arg(long, conflicts_with = "run")]
        workflow: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Try parked work again: one piece, or all that fits.
    Retry {
        /// Which work, as `parked` lists it.
        work: Option<WorkId>,
        #[command(flatten)]
        which: WhichWork,
        #[command(flatten)]
        hand: Hand,
    },
    /// Answer for parked work: the event becomes its outcome, in your name.
    Resolve {
        /// Which work, as `parked` lists it.
        work: Option<WorkId>,
        /// The event, as JSON.
        #[arg(long)]
        event: String,
        #[command(flatten)]
        which: WhichWork,
        #[command(flatten)]
        hand: Hand,
    },
    /// End runs by their workflow's own command for that: one run, or all that fit.
    Cancel {
        /// `run_…`, or the id of what the run is.
        run: Option<String>,
        #[command(flatten)]
        which: WhichRuns,
        #[command(flatten)]
        hand: Hand,
    },
    /// How many runs and how much work there are of each persisted name and shape: what has none may be deleted.
    Census {
        /// Only this workflow.
        workflow: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Hold back everything that a workflow's runs have queued, until it is resumed.
    Pause {
        /// Which workflow.
        workflow: String,
        #[command(flatten)]
        pause: brake::Pause,
    },
    /// Let a workflow's work go on.
    Resume {
        /// Which workflow.
        workflow: String,
        #[command(flatten)]
        hand: done::Hand,
    },
    /// Write the rows that people read again from the states of a workflow's runs; tells what would change.
    Reproject {
        /// Which workflow.
        workflow: String,
        /// Really do it.
        #[arg(long)]
        write: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Takes `run_…`, a bare UUID, or any public id: they share the UUID of the run.
fn run_id(text: &str) -> Result<RunId> {
    let bare = text.split_once('_').map_or(text, |(_, id)| id);
    bare.parse().with_context(|| format!("{text:?} is no id of ours"))
}

impl Workflow {
    pub(crate) async fn run(self, config: &Config) -> Result<ExitCode> {
        let engine = onlooker(config).await?;
        match self {
            Self::List { which, json } => {
                let filter = which.filter(&engine).await?;
                let page = async |after, most| engine.list_runs(&filter, after, most).await;
                List::read(config, which.limit, page).await.print(json, "There is no such run.", run_line)
            }
            Self::Parked { which, json } => {
                mend::parked(&engine, config, &which).await?.print(json, "Nothing waits for a person.", show::work_line)
            }
            Self::Show { run, at, json } => show::show(&engine, run_id(&run)?, at, json).await,
            Self::Replay { run, workflow, json } => {
                prove::replay(&engine, run.as_deref().map(run_id).transpose()?, workflow.as_deref(), json).await
            }
            Self::Retry { work, which, hand } => mend::retry(&engine, config, (work, which), &hand).await,
            Self::Resolve { work, event, which, hand } => {
                mend::resolve(&engine, config, (work, which), (&event, &hand)).await
            }
            Self::Cancel { run, which, hand } => {
                mend::cancel(&engine, config, (run.as_deref().map(run_id).transpose()?, which), &hand).await
            }
            Self::Census { workflow, json } => evolve::census(&engine, config, workflow.as_deref(), json).await,
            Self::Pause { workflow, pause } => brake::pause(config, Target::Workflow(workflow), &pause).await,
            Self::Resume { workflow, hand } => brake::resume(config, Target::Workflow(workflow), &hand).await,
            Self::Reproject { workflow, write, json } => evolve::reproject(&engine, &workflow, write, json).await,
        }
    }
}

fn run_line(view: &RunView) -> String {
    let RunView { run, workflow, key, state_name, seq, finished, unexpected, updated_at, .. } = view;
    let ended = if *finished { "finished" } else { "open" };
    let flag = if *unexpected > 0 { format!("  UNEXPECTED {unexpected}") } else { String::new() };
    format!("{run}  {workflow:<9} {state_name:<16} {ended:<8}  turn {seq:<3} {}  {key}{flag}", spelled(*updated_at))
}

/// The readable rows of a list, as acts go over them.
fn readable<T>(rows: Vec<Listed<T>>) -> impl Iterator<Item = T> {
    rows.into_iter().filter_map(|row| match row {
        Listed::Read(row) => Some(row),
        Listed::Unreadable { .. } => None,
    })
}
