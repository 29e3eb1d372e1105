//! A run's transcript, for people and for machines.

use super::super::instant::spelled;
use super::super::look::{code, tell_damaged};
use anyhow::{Result, bail};
use engine::{
    Became, Engine, Posting, QueuedWork, RunId, Timestamp, Transcript, TryView, TurnStory, TurnView, WorkView,
};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Longer values are cut for people; `--json` has them whole.
const WIDEST: usize = 160;

pub(super) async fn show(engine: &Engine, run: RunId, at: Option<Timestamp>, json: bool) -> Result<ExitCode> {
    let Some(mut story) = engine.transcript(run).await? else { bail!("there is no run {run}") };
    if let Some(at) = at {
        story = story.until(at);
        if story.turns.is_empty() {
            bail!("{run} had not begun at {}", spelled(at));
        }
    }
    match (json, at) {
        (true, _) => println!("{}", serde_json::to_string_pretty(&story)?),
        (false, None) => print!("{}", transcript(&story)),
        (false, Some(at)) => print!("{}", then(&story, at)),
    }
    if !json {
        tell_damaged(&story.damaged);
    }
    Ok(code(&story.damaged))
}

/// As it is.
fn transcript(story: &Transcript) -> String {
    let Transcript { run, turns, waiting, tries, damaged: _ } = story;
    let ended = if run.finished { ", finished" } else { "" };
    let flag = if run.unexpected > 0 { format!(", {} UNEXPECTED", run.unexpected) } else { String::new() };
    let mut out = format!("{} {} is {}{ended}{flag}\n", run.workflow, run.key, run.state_name);
    turns.iter().for_each(|turn| out.push_str(&told(turn, tries)));
    if !waiting.is_empty() {
        out.push_str("still to do\n");
    }
    waiting.iter().for_each(|work| writeln!(out, "  {}", work_line(work)).expect("a string takes everything"));
    out
}

/// As it was: the turns until then, and the state that they had led to.
fn then(story: &Transcript, at: Timestamp) -> String {
    let Transcript { run, turns, tries, .. } = story;
    let name = turns.last().map_or("", |turn| turn.turn.to.as_str());
    let mut out = format!("{} {} was {name} at {}\n", run.workflow, run.key, spelled(at));
    turns.iter().for_each(|turn| out.push_str(&told(turn, tries)));
    match turns.last().and_then(|turn| turn.state.as_deref()) {
        Some(state) => out + "state\n  " + state + "\n",
        None => out + "state\n  not known to this build: another shape wrote it\n",
    }
}

fn told(story: &TurnStory, tries: &[TryView]) -> String {
    let TurnStory { turn, state: _, queued, postings } = story;
    let TurnView { seq, key, at, verdict, event, to, note, actor, attempts, last_error, .. } = turn;
    let actor = actor.as_deref().map(|actor| format!("  by {actor}")).unwrap_or_default();
    let note = note.as_deref().map(|note| format!("  ({verdict}: {note})")).unwrap_or_default();
    let mut out = format!("{seq:>4}  {}  {key} → {to}{actor}{note}\n", spelled(*at));
    let mut line = |text: String| out.push_str(&format!("      {}\n", cut(&text)));
    if key != "start" {
        line(format!("event   {event}"));
    }
    if *attempts > 1 {
        let error = last_error.as_deref().map(|error| format!(", before that: {error}")).unwrap_or_default();
        line(format!("tries   {attempts}{error}"));
    }
    let own = || tries.iter().filter(|tried| tried.work.seq == *seq);
    for work in queued.iter().flatten() {
        line(work_of_turn(work));
        own().filter(|tried| tried.work == work.work).for_each(|tried| line(failed(tried)));
    }
    if queued.is_none() {
        line("what it queued is not known to this build".to_owned());
        own().for_each(|tried| line(failed(tried)));
    }
    for Posting { kind, body, position, .. } in postings {
        let place = position.map_or_else(|| "not sealed yet".to_owned(), |position| format!("#{position}"));
        line(format!("posted  {kind} {place} {body}"));
    }
    out
}

fn work_of_turn(work: &QueuedWork) -> String {
    let QueuedWork { kind, name, due, to, became, .. } = work;
    let due = due.map(|at| format!(" at {}", spelled(at))).unwrap_or_default();
    let to = to.map(|run| format!(" {run}")).unwrap_or_default();
    format!("{kind:<7} {name}{due}{to}: {}", fate(kind, became))
}

fn failed(tried: &TryView) -> String {
    let TryView { attempt, at, class, why, .. } = tried;
    match attempt {
        0 => format!("  put aside unclaimed at {}: {class}: {why}", spelled(*at)),
        _ => format!("  try {attempt} failed at {}: {class}: {why}", spelled(*at)),
    }
}

fn fate(kind: &str, became: &Became) -> String {
    match became {
        Became::Turn { seq, .. } if kind == "timer" => format!("fired, turn {seq}"),
        Became::Turn { seq, attempts } => format!("answered, turn {seq}, {attempts} tries"),
        Became::Delivered { state: Some(state) } => format!("started, is {state}"),
        Became::Delivered { state: None } => "delivered".to_owned(),
        Became::Pending { standing, attempts, last_error } => {
            let error = last_error.as_deref().map(|error| format!(", {error}")).unwrap_or_default();
            format!("{standing}, claimed {attempts} times{error}")
        }
        Became::TakenBack if kind == "timer" => "disarmed".to_owned(),
        Became::TakenBack => "withdrawn".to_owned(),
        Became::Unreadable => "what became of it cannot be read".to_owned(),
    }
}

pub(super) fn work_line(work: &WorkView) -> String {
    let WorkView { work: id, kind, workflow, name, standing, due, attempt, error_class, last_error, .. } = work;
    let failure = match (error_class, last_error) {
        (Some(class), Some(error)) => format!("  {class}: {error}"),
        _ => String::new(),
    };
    format!("{id}  {standing} {kind} {workflow}.{name}, due {}, claimed {attempt} times{failure}", spelled(*due))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
