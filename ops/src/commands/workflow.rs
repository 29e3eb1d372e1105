//! `innkeeper workflow`: runs, what became of them, and what waits for a person. Read-only unless `--write`.

use crate::config::Config;
use crate::connect;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use engine::{Engine, Origin, Registry, RunId, RunView, Settings, TurnView, WorkId, WorkView};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Workflow {
    /// Work that waits for a person.
    Parked {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// A run: its state, its turns, what it still has to do.
    Show {
        /// `run_…`, or the id of the booking, payment, payout or photograph that it is.
        run: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prove runs from their journals: the hash chain, and every step decided again by this build.
    Replay {
        /// Which run; every run of every workflow when absent.
        run: Option<String>,
    },
    /// Try parked work again.
    Retry {
        /// Which work, as `parked` lists it.
        work: WorkId,
        /// Really do it.
        #[arg(long)]
        write: bool,
    },
    /// Answer for parked work: the event becomes its outcome, in your name.
    Resolve {
        /// Which work, as `parked` lists it.
        work: WorkId,
        /// The event, as JSON.
        event: String,
        /// Your id, for the journal.
        #[arg(long)]
        actor: String,
        /// Really do it.
        #[arg(long)]
        write: bool,
    },
}

/// An identity for a command that holds no work.
pub(crate) fn stranger() -> uuid::Uuid {
    uuid::Uuid::from_u128(rand::random())
}

/// An engine that only looks: it knows no workflow and executes nothing.
pub(crate) async fn onlooker(config: &Config) -> Result<Engine> {
    let db = connect::existing(config).await?;
    Ok(Engine::open(Settings::new(&config.installation.name, stranger(), "operator"), db, Registry::new()))
}

/// Takes `run_…`, a bare UUID, or any public id: they share the UUID of the run.
fn run_id(text: &str) -> Result<RunId> {
    let bare = text.split_once('_').map_or(text, |(_, id)| id);
    bare.parse().with_context(|| format!("{text:?} is no id of ours"))
}

impl Workflow {
    pub(crate) async fn run(self, config: &Config) -> Result<ExitCode> {
        match self {
            Self::Parked { json } => parked(&onlooker(config).await?, json).await?,
            Self::Show { run, json } => show(&onlooker(config).await?, run_id(&run)?, json).await?,
            Self::Replay { run } => return replay(config, run.as_deref()).await,
            Self::Retry { work, write } => retry(&onlooker(config).await?, work, write).await?,
            Self::Resolve { work, event, actor, write } => {
                if !write {
                    println!("would answer {event} for {work}; say --write");
                    return Ok(ExitCode::SUCCESS);
                }
                let product = crate::product::Product::open(config, "operator", &[]).await?;
                product.engine.resolve(work, &event, Origin::actor(actor)).await?;
                println!("{work} is answered");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn parked(engine: &Engine, json: bool) -> Result<()> {
    let parked = engine.parked().await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&parked)?);
        return Ok(());
    }
    if parked.is_empty() {
        println!("Nothing waits for a person.");
    }
    parked.iter().for_each(|work| print!("{}", work_line(work)));
    Ok(())
}

async fn show(engine: &Engine, run: RunId, json: bool) -> Result<()> {
    let Some(view) = engine.run(run).await? else { bail!("there is no run {run}") };
    let (turns, work) = (engine.journal(run).await?, engine.work_of(run).await?);
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(&serde_json::json!({ "run": view, "turns": turns, "work": work }))?
        );
        return Ok(());
    }
    print!("{}", transcript(&view, &turns, &work));
    Ok(())
}

async fn replay(config: &Config, run: Option<&str>) -> Result<ExitCode> {
    let engine = crate::product::Product::open(config, "operator", &[]).await?.engine;
    let mut tally = Tally::default();
    match run {
        Some(run) => tally.judge(&engine, run_id(run)?).await?,
        None => tally.judge_all(&engine).await?,
    }
    let Tally { runs, proven, not_judged, broken } = tally;
    println!("{runs} runs: {proven} turns proven, {not_judged} of other shapes not judged, {broken} broken");
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What replays found so far.
#[derive(Default)]
struct Tally {
    runs: usize,
    proven: usize,
    not_judged: usize,
    broken: usize,
}

impl Tally {
    async fn judge(&mut self, engine: &Engine, run: RunId) -> Result<()> {
        let Some(replay) = engine.replay(run).await? else { bail!("there is no run {run}") };
        replay.broken.iter().for_each(|why| println!("{run}  {why}"));
        self.runs += 1;
        self.proven += replay.proven;
        self.not_judged += replay.not_judged.len();
        self.broken += replay.broken.len();
        Ok(())
    }

    async fn judge_all(&mut self, engine: &Engine) -> Result<()> {
        for workflow in engine.registry().names().collect::<Vec<_>>() {
            let mut after = RunId::from_uuid(uuid::Uuid::nil());
            loop {
                let runs = engine.runs_after(workflow, after, 500).await?;
                let Some(last) = runs.last() else { break };
                after = *last;
                for run in runs {
                    self.judge(engine, run).await?;
                }
            }
        }
        Ok(())
    }
}

async fn retry(engine: &Engine, work: WorkId, write: bool) -> Result<()> {
    if !write {
        println!("would try {work} again; say --write");
        return Ok(());
    }
    if !engine.retry(work).await? {
        bail!("{work} is not parked");
    }
    println!("{work} is due now");
    Ok(())
}

fn transcript(view: &RunView, turns: &[TurnView], work: &[WorkView]) -> String {
    let ended = if view.finished { ", finished" } else { "" };
    let mut out = format!("{} {} is {}{ended}\n", view.workflow, view.key, view.state_name);
    for turn in turns {
        let note = turn.note.as_deref().map(|note| format!("  ({}: {note})", turn.verdict)).unwrap_or_default();
        let actor = turn.actor.as_deref().map(|actor| format!("  by {actor}")).unwrap_or_default();
        out.push_str(&format!(
            "{:>4}  {}  {:<28} → {}{actor}{note}\n",
            turn.seq,
            turn.at.to_rfc3339(),
            turn.key,
            turn.to
        ));
    }
    work.iter().for_each(|w| out.push_str(&work_line(w)));
    out
}

fn work_line(work: &WorkView) -> String {
    let WorkView { work: id, kind, workflow, name, standing, due, attempt, error_class, last_error, .. } = work;
    let failure = match (error_class, last_error) {
        (Some(class), Some(error)) => format!("  {class}: {error}"),
        _ => String::new(),
    };
    format!("{id}  {standing} {kind} {workflow}.{name}, due {}, claimed {attempt} times{failure}\n", due.to_rfc3339())
}
