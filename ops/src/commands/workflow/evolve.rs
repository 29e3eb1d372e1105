//! What a change of the code has to know and to do: which persisted names are still in use, and rows written again.

use super::super::look::{code, source, tell_damaged};
use super::super::which::check;
use crate::config::Config;
use anyhow::{Context, Result};
use engine::{Act, Census, Engine, Reprojected, RowChange, RunCount, RunId, ShapeKnown, WorkCount};
use serde_json::{Map, Value};
use std::process::ExitCode;
use uuid::Uuid;

/// Runs projected in one transaction.
const SLICE: i64 = 100;

pub(super) async fn census(engine: &Engine, config: &Config, workflow: Option<&str>, json: bool) -> Result<ExitCode> {
    check(engine, workflow)?;
    let census = engine.census(workflow).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&census)?);
        return Ok(code(&census.damaged));
    }
    tell(engine, &census);
    tell_damaged(&census.damaged);
    println!("(from {})", source(config));
    Ok(code(&census.damaged))
}

fn tell(engine: &Engine, census: &Census) {
    let Census { runs, work, known, damaged: _ } = census;
    for ShapeKnown { workflow, writes, reads } in known {
        println!("{workflow}: this build writes shape {writes} and reads up to {reads}");
        for RunCount { state, shape, finished, runs, .. } in runs.iter().filter(|one| one.workflow == *workflow) {
            let ended = if *finished { "finished" } else { "open" };
            println!("  run     {state:<24} shape {shape}  {ended:<8} {runs:>8}");
        }
        for WorkCount { kind, name, work, .. } in work.iter().filter(|one| one.workflow == *workflow) {
            println!("  {kind:<7} {name:<24} {:<17} {work:>8}", "");
        }
    }
    let strange = |name: &String| !engine.registry().names().any(|known| known == name);
    for RunCount { workflow, state, shape, runs, .. } in runs.iter().filter(|one| strange(&one.workflow)) {
        println!("{workflow}: NOT KNOWN to this build\n  run     {state:<24} shape {shape}  {runs:>17}");
    }
    for WorkCount { workflow, kind, name, work } in work.iter().filter(|one| strange(&one.workflow)) {
        println!("{workflow}: NOT KNOWN to this build\n  {kind:<7} {name:<24} {:<17} {work:>8}", "");
    }
}

pub(super) async fn reproject(engine: &Engine, workflow: &str, write: bool, json: bool) -> Result<ExitCode> {
    check(engine, Some(workflow))?;
    let act = if write { Act::Write } else { Act::Try };
    let (mut all, mut after) = (Reprojected::default(), RunId::from_uuid(Uuid::nil()));
    loop {
        let slice = engine.reproject(workflow, (after, SLICE), act).await?;
        let slice = slice.context("the workflow is known")?;
        if !json {
            slice.changes.iter().for_each(|change| println!("{}", change_line(change)));
            slice.failed.iter().for_each(|(run, why)| println!("{run}  FAILED  {why}"));
        }
        all.runs += slice.runs;
        all.changes.extend(slice.changes);
        all.failed.extend(slice.failed);
        match slice.next {
            Some(next) => after = next,
            None => break,
        }
    }
    let (runs, changes, failed) = (all.runs, all.changes.len(), all.failed.len());
    match (json, write) {
        (true, _) => println!("{}", serde_json::to_string_pretty(&all)?),
        (false, true) => println!("{runs} runs: {changes} rows changed, {failed} runs failed"),
        (false, false) => println!("{runs} runs: {changes} rows would change, {failed} runs failed; say --write"),
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn change_line(change: &RowChange) -> String {
    let RowChange { run, table, before, after } = change;
    let said = |row: &Option<Map<String, Value>>| {
        row.as_ref().map_or("nothing".to_owned(), |row| Value::from(row.clone()).to_string())
    };
    format!("{run}  {table}  {} → {}", said(before), said(after))
}
