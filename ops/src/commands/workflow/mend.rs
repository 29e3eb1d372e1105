//! Acts on runs and on parked work, one or all that fit: told first, done with `--write`, in the name of whoever does it.

use super::super::done::Done;
use super::super::look::{List, stranger};
use super::super::which::{WhichRuns, WhichWork};
use super::show::work_line;
use crate::config::Config;
use anyhow::{Result, bail, ensure};
use clap::Args;
use engine::{Damaged, Engine, EventKey, Origin, RunFilter, RunId, TurnError, WorkFilter, WorkId, WorkView};
use std::process::ExitCode;

/// Who acts, and how.
#[derive(Debug, Args)]
pub(in crate::commands) struct Hand {
    /// Really do it.
    #[arg(long)]
    write: bool,
    /// Everything, when nothing narrows it down.
    #[arg(long)]
    all: bool,
    /// Your id, for the journal and the audit.
    #[arg(long, default_value = "console")]
    actor: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Hand {
    /// One act, one origin: its request id makes the audit's facts of this command one group.
    fn origin(&self) -> Origin {
        Origin { request_id: Some(format!("cli-{}", stranger().simple())), ..Origin::actor(&self.actor) }
    }

    /// A command that names nothing and narrows nothing down is a slip of the hand.
    fn must_mean_it(&self, named: bool, everything: bool) -> Result<()> {
        ensure!(named || !everything || self.all, "name one, narrow it down (--workflow, --state, …), or say --all");
        Ok(())
    }

    fn tell(&self, verb: &str, done: &[Done]) -> Result<ExitCode> {
        let many = |outcome| done.iter().filter(|one| one.outcome == outcome).count();
        let (refused, unread) = (many("refused"), many("unread"));
        if self.json {
            println!("{}", serde_json::to_string_pretty(done)?);
        } else {
            for Done { about, outcome, note, .. } in done {
                let note = note.as_deref().map(|note| format!("  ({note})")).unwrap_or_default();
                println!("{outcome:<8} {verb}  {about}{note}");
            }
            let fine = done.len() - refused - unread - many("left");
            match (done.len(), self.write) {
                (0, _) => println!("There is nothing of that kind."),
                (_, true) => println!("{fine} done, {refused} refused"),
                (_, false) => println!("would {verb} {fine}, refuse {refused}; say --write"),
            }
        }
        Ok(if refused + unread == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What an act is about: what can be read of it, and what the act passes over.
struct Meant<T> {
    rows: Vec<T>,
    passed_over: Vec<Done>,
}

impl<T> From<T> for Meant<T> {
    fn from(row: T) -> Self {
        Self { rows: vec![row], passed_over: vec![] }
    }
}

impl<T> From<List<T>> for Meant<T> {
    fn from(list: List<T>) -> Self {
        let passed = |what: String, outcome, why| Done { about: what.clone(), what, outcome, note: Some(why) };
        let damaged = list.unreadable.into_iter().map(|Damaged { what, why }| passed(what, "unread", why));
        let end = if list.failed { "unread" } else { "left" };
        let rest = list.incomplete.map(|why| passed("whatever comes after".to_owned(), end, why));
        Self { rows: list.data, passed_over: damaged.chain(rest).collect() }
    }
}

/// Parked work that fits.
pub(super) async fn parked(engine: &Engine, config: &Config, which: &WhichWork) -> Result<List<WorkView>> {
    let filter = which.parked(engine).await?;
    Ok(List::read(config, which.limit, async |after, most| engine.list_work(&filter, after, most).await).await)
}

/// The parked work that an act is about.
async fn meant(
    engine: &Engine,
    config: &Config,
    (work, which): (Option<WorkId>, WhichWork),
    hand: &Hand,
) -> Result<Meant<WorkView>> {
    hand.must_mean_it(work.is_some(), which.is_everything())?;
    let Some(work) = work else { return Ok(parked(engine, config, &which).await?.into()) };
    let filter = WorkFilter { run: Some(work.run), ..WorkFilter::parked() };
    let found = engine.list_work(&filter, None, 1000).await?;
    match super::readable(found.rows).find(|view| view.work == work) {
        Some(view) => Ok(view.into()),
        None => bail!("{work} is not parked"),
    }
}

pub(super) async fn retry(
    engine: &Engine,
    config: &Config,
    which: (Option<WorkId>, WhichWork),
    hand: &Hand,
) -> Result<ExitCode> {
    let Meant { rows, passed_over: mut done } = meant(engine, config, which, hand).await?;
    let origin = hand.origin();
    for view in rows {
        let outcome = match hand.write {
            false => Ok(None),
            true => match engine.retry(view.work, origin.clone()).await? {
                true => Ok(Some("is due now".to_owned())),
                false => Err("is no longer parked".to_owned()),
            },
        };
        done.push(Done::of(view.work.to_string(), work_line(&view), outcome, hand.write));
    }
    hand.tell("retry", &done)
}

pub(super) async fn resolve(
    engine: &Engine,
    config: &Config,
    which: (Option<WorkId>, WhichWork),
    (event, hand): (&str, &Hand),
) -> Result<ExitCode> {
    let Meant { rows, passed_over: mut done } = meant(engine, config, which, hand).await?;
    let origin = hand.origin();
    for view in rows {
        let outcome = match hand.write {
            _ if view.kind != "effect" => Err("only an effect can be answered for; retry it instead".to_owned()),
            false => engine.reads_event(&view.workflow, event).map(|()| Some(format!("answered with {event}"))),
            true => match engine.resolve(view.work, event, origin.clone()).await {
                Ok(()) => Ok(Some(format!("answered with {event}"))),
                Err(TurnError::Storage(error)) => return Err(error.into()),
                Err(why) => Err(why.to_string()),
            },
        };
        done.push(Done::of(view.work.to_string(), work_line(&view), outcome, hand.write));
    }
    hand.tell("resolve", &done)
}

pub(super) async fn cancel(
    engine: &Engine,
    config: &Config,
    (run, which): (Option<RunId>, WhichRuns),
    hand: &Hand,
) -> Result<ExitCode> {
    hand.must_mean_it(run.is_some(), which.is_everything())?;
    let Meant { rows, passed_over: mut done } = match run {
        Some(run) => match engine.run(run).await? {
            Some(view) => view.into(),
            None => bail!("there is no run {run}"),
        },
        None => {
            let filter = which.filter(engine).await?;
            let filter = RunFilter { finished: filter.finished.or(Some(false)), ..filter };
            let page = async |after, most| engine.list_runs(&filter, after, most).await;
            List::read(config, which.limit, page).await.into()
        }
    };
    let origin = hand.origin();
    let key = EventKey::operator(origin.request_id.as_deref().unwrap_or_default());
    for view in rows {
        let outcome = match hand.write {
            false => engine.would_cancel(view.run).await,
            true => engine.cancel(view.run, key.clone(), origin.clone()).await.map(|moved| moved.state),
        };
        let outcome = match outcome {
            Ok(state) => Ok(Some(format!("→ {state}"))),
            Err(TurnError::Storage(error)) => return Err(error.into()),
            Err(TurnError::Refused(refusal)) => Err(refusal.detail.into_owned()),
            Err(why) => Err(why.to_string()),
        };
        done.push(Done::of(view.run.to_string(), super::run_line(&view), outcome, hand.write));
    }
    hand.tell("cancel", &done)
}
