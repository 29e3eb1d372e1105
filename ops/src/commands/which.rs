//! Which runs and which work a command is about, as arguments.

use super::span;
use anyhow::{Result, ensure};
use clap::Args;
use engine::{Engine, RunFilter, Standing, WorkFilter};
use std::time::Duration;

/// How many rows a list shows unless told otherwise.
const MOST: u64 = 1000;

/// Which runs.
#[derive(Debug, Default, Args)]
pub(super) struct WhichRuns {
    /// Only of this workflow.
    #[arg(long)]
    workflow: Option<String>,
    /// Only in the state of this name.
    #[arg(long)]
    state: Option<String>,
    /// Only those that have not ended.
    #[arg(long, conflicts_with = "finished")]
    open: bool,
    /// Only those that have ended.
    #[arg(long)]
    finished: bool,
    /// Only those that met a fact without a place.
    #[arg(long)]
    unexpected: bool,
    /// Only those that took nothing in for so long: 90s, 15m, 36h, 14d.
    #[arg(long, value_parser = span::argument)]
    older_than: Option<Duration>,
    /// At most so many.
    #[arg(long, default_value_t = MOST)]
    pub(super) limit: u64,
}

/// Which waiting work.
#[derive(Debug, Default, Args)]
pub(super) struct WhichWork {
    /// Only of this workflow.
    #[arg(long)]
    workflow: Option<String>,
    /// Only of runs in the state of this name.
    #[arg(long)]
    state: Option<String>,
    /// Only in this queue.
    #[arg(long)]
    queue: Option<String>,
    /// Only the effect or timer of this name.
    #[arg(long)]
    name: Option<String>,
    /// Only after a failure of this class: misconfigured, spent, unknown, poison, crashed.
    #[arg(long)]
    error_class: Option<String>,
    /// Only what was due so long ago: 90s, 15m, 36h, 14d.
    #[arg(long, value_parser = span::argument)]
    older_than: Option<Duration>,
    /// At most so many.
    #[arg(long, default_value_t = MOST)]
    pub(super) limit: u64,
}

impl WhichRuns {
    /// Nothing narrows it down.
    pub(super) const fn is_everything(&self) -> bool {
        let Self { workflow, state, open, finished, unexpected, older_than, limit: _ } = self;
        workflow.is_none() && state.is_none() && older_than.is_none() && !*open && !*finished && !*unexpected
    }

    pub(super) async fn filter(&self, engine: &Engine) -> Result<RunFilter> {
        let Self { workflow, state, open, finished, unexpected, older_than, limit: _ } = self;
        check(engine, workflow.as_deref())?;
        Ok(RunFilter {
            workflow: workflow.clone(),
            state: state.clone(),
            finished: (*open || *finished).then_some(*finished),
            unexpected: *unexpected,
            quiet_since: match older_than {
                Some(span) => Some(engine.now().await? - *span),
                None => None,
            },
        })
    }
}

impl WhichWork {
    /// Nothing narrows it down.
    pub(super) const fn is_everything(&self) -> bool {
        let Self { workflow, state, queue, name, error_class, older_than, limit: _ } = self;
        let nothing = workflow.is_none() && state.is_none() && queue.is_none() && name.is_none();
        nothing && error_class.is_none() && older_than.is_none()
    }

    /// Parked work that fits.
    pub(super) async fn parked(&self, engine: &Engine) -> Result<WorkFilter> {
        let Self { workflow, state, queue, name, error_class, older_than, limit: _ } = self;
        check(engine, workflow.as_deref())?;
        Ok(WorkFilter {
            run: None,
            workflow: workflow.clone(),
            state: state.clone(),
            queue: queue.clone(),
            name: name.clone(),
            standing: Some(Standing::Parked),
            error_class: error_class.clone(),
            due_before: match older_than {
                Some(span) => Some(engine.now().await? - *span),
                None => None,
            },
        })
    }
}

/// A misspelt workflow must not look like one without runs.
pub(super) fn check(engine: &Engine, workflow: Option<&str>) -> Result<()> {
    let Some(workflow) = workflow else { return Ok(()) };
    let known: Vec<_> = engine.registry().names().collect();
    ensure!(known.contains(&workflow), "there is no workflow {workflow:?}; there are {}", known.join(", "));
    Ok(())
}
