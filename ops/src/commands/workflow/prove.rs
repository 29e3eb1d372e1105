//! Replays: what the journals prove, and what they do not.

use super::super::which::check;
use anyhow::{Result, bail};
use engine::{Engine, RunId};
use serde::Serialize;
use std::process::ExitCode;
use uuid::Uuid;

/// Runs named at a time.
const PAGE: i64 = 500;

/// What replays found so far.
#[derive(Default, Serialize)]
struct Tally {
    runs: usize,
    proven: usize,
    /// Turns of other shapes, by run.
    not_judged: Vec<(RunId, Vec<i32>)>,
    broken: Vec<(RunId, String)>,
    unreadable: Vec<(RunId, String)>,
}

pub(super) async fn replay(
    engine: &Engine,
    run: Option<RunId>,
    workflow: Option<&str>,
    json: bool,
) -> Result<ExitCode> {
    check(engine, workflow)?;
    let mut tally = Tally::default();
    match run {
        Some(run) => {
            if engine.run(run).await?.is_none() {
                bail!("there is no run {run}");
            }
            tally.judge(engine, run).await;
        }
        None => tally.judge_all(engine, workflow).await?,
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&tally)?);
    } else {
        tally.tell();
    }
    let fine = tally.broken.is_empty() && tally.unreadable.is_empty();
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Tally {
    async fn judge(&mut self, engine: &Engine, run: RunId) {
        self.runs += 1;
        let replay = match engine.replay(run).await {
            Ok(replay) => replay.unwrap_or_default(),
            // A row that cannot be read does not keep the others from their proof.
            Err(error) => return self.unreadable.push((run, error.to_string())),
        };
        self.proven += replay.proven;
        self.broken.extend(replay.broken.into_iter().map(|why| (run, why)));
        if !replay.not_judged.is_empty() {
            self.not_judged.push((run, replay.not_judged));
        }
    }

    async fn judge_all(&mut self, engine: &Engine, only: Option<&str>) -> Result<()> {
        for workflow in engine.registry().names().filter(|name| only.is_none_or(|only| only == *name)) {
            let mut after = RunId::from_uuid(Uuid::nil());
            loop {
                let runs = engine.runs_after(workflow, after, PAGE).await?;
                let Some(last) = runs.last() else { break };
                after = *last;
                for run in runs {
                    self.judge(engine, run).await;
                }
            }
        }
        Ok(())
    }

    fn tell(&self) {
        self.broken.iter().for_each(|(run, why)| println!("{run}  BROKEN  {why}"));
        self.unreadable.iter().for_each(|(run, why)| println!("{run}  UNREADABLE  {why}"));
        for (run, turns) in &self.not_judged {
            let turns: Vec<_> = turns.iter().map(ToString::to_string).collect();
            println!("{run}  not judged: turns {}", turns.join(", "));
        }
        let not_judged: usize = self.not_judged.iter().map(|(_, turns)| turns.len()).sum();
        let (runs, proven, broken, unreadable) = (self.runs, self.proven, self.broken.len(), self.unreadable.len());
        print!("{runs} runs: {proven} turns proven, {not_judged} of other shapes not judged, {broken} broken");
        println!("{}", if unreadable > 0 { format!(", {unreadable} runs unreadable") } else { String::new() });
    }
}
