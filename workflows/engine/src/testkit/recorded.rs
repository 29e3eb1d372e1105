//! Recorded journals: what runs went through under this build, committed as files, and decided again by whatever build comes after it.
//!
//! [`golden`](super::golden()) holds that old values can be *read*; this holds that they still *mean* the same. A run that is under way
//! when a release comes out goes on with the new `on`: where that leads it elsewhere than it led others, or does something else with it,
//! the journals here say so before the release does.

use super::explore::{Explored, Why};
use crate::process::{Process, RawStep};
use crate::replay::{Judgement, prove, walk};
use crate::step::{encode, variant};
use crate::turn::{GENESIS, JournalRow, Mark, digest, link};
use crate::{Attempt, Conflict, Fault, Origin, Perform, Project, Registry, RunId, RunView, Timestamp, Tx, Workflow};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A turn in a file of journals, one on each line. Histories that begin alike share their turns: the lines are a tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// Its line, counted from 0.
    pub line: usize,
    /// The line of the turn before it; a run begins without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
    /// What brought it about.
    pub why: Why,
    /// The effect that it is the outcome of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Box<RawValue>>,
    /// The run's input, where it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Box<RawValue>>,
    /// The event, as it was said.
    pub event: Box<RawValue>,
    /// The instant that `on` was given.
    pub at: Timestamp,
    /// What the step found taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Conflict>,
    /// The shape of the build that decided it.
    pub shape: i16,
    /// The state that it led to, byte for byte as a run has it.
    pub to: Box<RawValue>,
    /// What was committed with it, in short.
    pub does: Vec<String>,
    /// All of that, with every value.
    pub digest: String,
}

/// Reads a file of journals.
///
/// # Panics
/// When it is no such file.
#[must_use]
#[track_caller]
pub fn recorded(file: impl AsRef<Path>) -> Vec<Recorded> {
    read(file.as_ref()).unwrap_or_else(|fault| panic!("{fault}"))
}

fn read(file: &Path) -> Result<Vec<Recorded>, String> {
    let Ok(text) = fs::read_to_string(file) else { return Ok(vec![]) };
    let turn = |(line, text): (usize, &str)| match serde_json::from_str::<Recorded>(text) {
        Ok(turn) if turn.line == line && turn.after.is_none_or(|after| after < line) => Ok(turn),
        Ok(_) => Err(format!("{}:{}: the lines are not in their order", file.display(), line + 1)),
        Err(error) => Err(format!("{}:{}: {error}", file.display(), line + 1)),
    };
    text.lines().enumerate().map(turn).collect()
}

impl<World: Clone + Serialize + 'static> Explored<World> {
    /// Holds this build to journals that were recorded before.
    ///
    /// The file must hold a history to every state, and through every kind of turn, that the walk has met, and on to its end; and whatever it holds, also
    /// of states and turns that there are no longer, must come out again turn by turn: the same state, and the same things done.
    ///
    /// With `INNKEEPER_GOLDEN=write` histories that are missing are added, and turns that do something else now are written anew, for
    /// a reviewer to see. A turn that *leads elsewhere* stays red: raise [`Workflow::SHAPE`] (then it is not judged), or delete the
    /// file when no run like it is left (`innkeeper workflow census`).
    ///
    /// # Panics
    /// With each history that is missing or does not come out again.
    #[track_caller]
    pub fn recorded<W: Workflow + Project<Tx, Error = DbErr>>(&self, file: impl AsRef<Path>) -> &Self {
        let write = std::env::var(super::golden::WRITE).is_ok_and(|value| value == "write");
        let mut met = worth_keeping(self.histories::<W>());
        self.to_their_ends(&mut met);
        let faults = held::<W>(&met, file.as_ref(), write);
        assert!(faults.is_empty(), "{}: journals in {}:\n{}", W::NAME, file.as_ref().display(), faults.join("\n"));
        self
    }
}

/// A turn of a history as the walk has met it.
pub(super) struct Met {
    /// The turn before it, by its place among all that were met.
    pub(super) after: Option<usize>,
    pub(super) why: Why,
    pub(super) answers: Option<String>,
    /// The input, where the run begins.
    pub(super) input: Option<String>,
    pub(super) event: String,
    pub(super) at: Timestamp,
    pub(super) taken: Option<Conflict>,
    pub(super) to: String,
    /// The situation that it led to, and whose turn it was.
    pub(super) seat: (usize, RunId),
}

fn held<W: Workflow + Project<Tx, Error = DbErr>>(met: &[Met], file: &Path, write: bool) -> Vec<String> {
    let registry = Registry::new().register::<W>(Nobody);
    let Some(process) = registry.get(W::NAME) else { return vec!["nobody plays it".to_owned()] };
    let mut lines = match read(file) {
        Ok(lines) => lines,
        Err(fault) => return vec![fault],
    };
    let mut faults = missing::<W>(&mut lines, met, write);
    let judged = judge(process, &mut lines, write);
    faults.extend(judged.into_iter().map(|(line, why)| format!("{}{why}", told(&lines, line))));
    if write && let Err(error) = store(file, &lines) {
        faults.push(format!("{}: {error}", file.display()));
    }
    faults
}

/// The shortest histories that between them meet every state and every kind of turn, with the turns that lead there.
fn worth_keeping(met: Vec<Met>) -> Vec<Met> {
    let mut seen = BTreeSet::new();
    let mut wanted = vec![false; met.len()];
    for place in 0..met.len() {
        let turn = &met[place];
        let from = turn.after.map_or("", |after| variant(&met[after].to));
        let kind = (from.to_owned(), kind(&turn.event), variant(&turn.to).to_owned(), turn.taken.is_some());
        let new_state = seen.insert((String::new(), turn.to.clone(), String::new(), false));
        if seen.insert(kind) || new_state {
            let mut here = Some(place);
            while let Some(place) = here.filter(|place| !wanted[*place]) {
                wanted[place] = true;
                here = met[place].after;
            }
        }
    }
    let mut places = BTreeMap::new();
    let mut kept = vec![];
    for (place, turn) in met.into_iter().enumerate().filter(|(place, _)| wanted[*place]) {
        places.insert(place, kept.len());
        kept.push(Met { after: turn.after.map(|after| places[&after]), ..turn });
    }
    kept
}

/// An event without its values, but for which timer it is.
fn kind(event: &str) -> String {
    match serde_json::from_str::<BTreeMap<String, &RawValue>>(event) {
        Ok(fields) if fields.contains_key("Elapsed") => format!("Elapsed {}", variant(fields["Elapsed"].get())),
        _ => variant(event).to_owned(),
    }
}

/// Says which histories have no lines, or adds them.
fn missing<W: Workflow>(lines: &mut Vec<Recorded>, met: &[Met], write: bool) -> Vec<String> {
    let mut faults = vec![];
    let mut places: Vec<Option<usize>> = Vec::with_capacity(met.len());
    for turn in met {
        let after = turn.after.map(|after| places[after]);
        let place = match after {
            // What comes after a turn that has no line has none either.
            Some(None) => None,
            None | Some(Some(_)) => {
                let after = after.flatten();
                let there = lines.iter().position(|line| same(line, turn, after));
                there.or_else(|| {
                    if write {
                        lines.push(line::<W>(lines.len(), turn, after));
                        return Some(lines.len() - 1);
                    }
                    let way = after.map_or_else(String::new, |after| told(lines, after));
                    faults.push(format!(
                        "{way}{:?} {} → {}\n  is not recorded (a new way is written by {}=write)",
                        turn.why,
                        turn.event,
                        turn.to,
                        super::golden::WRITE
                    ));
                    None
                })
            }
        };
        places.push(place);
    }
    faults
}

fn same(line: &Recorded, turn: &Met, after: Option<usize>) -> bool {
    line.after == after
        && line.at == turn.at
        && line.taken == turn.taken
        && line.event.get() == turn.event
        && line.input.as_ref().map(|input| input.get()) == turn.input.as_deref()
}

fn line<W: Workflow>(line: usize, turn: &Met, after: Option<usize>) -> Recorded {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).expect("what the walk writes is JSON");
    Recorded {
        line,
        after,
        why: turn.why,
        answers: turn.answers.as_deref().map(raw),
        input: turn.input.as_deref().map(raw),
        event: raw(&turn.event),
        at: turn.at,
        taken: turn.taken.clone(),
        shape: W::SHAPE,
        to: raw(&turn.to),
        does: vec![],
        digest: String::new(),
    }
}

/// Decides every history again, and says at which line something comes out otherwise.
fn judge(process: &Arc<dyn Process>, lines: &mut [Recorded], write: bool) -> Vec<(usize, String)> {
    let mut faults = BTreeMap::new();
    let goes_on: BTreeSet<usize> = lines.iter().filter_map(|line| line.after).collect();
    let ends: Vec<usize> = (0..lines.len()).filter(|line| !goes_on.contains(line)).collect();
    let mut seen = BTreeSet::new();
    for end in ends {
        let way = way(lines, end);
        let (view, rows) = journal(lines, &way);
        // The command that operators have for this, first: the chain, and every state.
        let proof = prove(Some(process), &view, &rows);
        for (line, turn) in way.iter().zip(walk(process, &view, &rows)) {
            if !seen.insert(*line) {
                continue;
            }
            match (turn.judgement, turn.step) {
                (Judgement::Proven, Some(step)) => {
                    let (does, all) = done(&step);
                    let line = &mut lines[*line];
                    if write {
                        (line.does, line.digest) = (does, all);
                    } else if line.does != does {
                        faults.insert(line.line, format!("  did {:?} and does {does:?} today", line.does));
                    } else if line.digest != all {
                        faults.insert(line.line, format!("  does {does:?} with other values today"));
                    }
                }
                (Judgement::Broken(why), _) => {
                    faults.insert(*line, format!("  {why}"));
                }
                _ => {}
            }
        }
        let known = way.iter().any(|line| faults.contains_key(line));
        if !proof.broken.is_empty() && !known {
            faults.insert(end, format!("  {}", proof.broken.join("; ")));
        }
    }
    faults.into_iter().collect()
}

/// The lines of a history, from its beginning.
fn way(lines: &[Recorded], end: usize) -> Vec<usize> {
    let mut way = vec![end];
    while let Some(after) = lines[way[way.len() - 1]].after {
        way.push(after);
    }
    way.reverse();
    way
}

/// A history as the engine keeps it.
fn journal(lines: &[Recorded], way: &[usize]) -> (RunView, Vec<JournalRow>) {
    let run = RunId::from_uuid(uuid::Uuid::from_u128(1));
    let (mut head, mut from) = (GENESIS.to_vec(), String::new());
    let mut rows = vec![];
    for (seq, line) in (0i32..).zip(way.iter().map(|line| &lines[*line])) {
        let to = line.to.get();
        let mut row = JournalRow {
            run,
            key: if seq == 0 { "start".to_owned() } else { format!("recorded:{seq}") },
            seq,
            at: line.at,
            mark: if line.does.iter().any(|what| what.starts_with("ignore")) { Mark::Ignored } else { Mark::Moved },
            event: line.event.get().to_owned(),
            from: from.clone(),
            to: variant(to).to_owned(),
            note: line.taken.as_ref().map(encode),
            shape: line.shape,
            attempts: 0,
            last_error: None,
            origin: Origin::default(),
            state_digest: digest(to),
            hash: vec![],
        };
        row.hash = link(&head, &row);
        head.clone_from(&row.hash);
        from.clone_from(&row.to);
        rows.push(row);
    }
    let (first, last) = (&lines[way[0]], &lines[way[way.len() - 1]]);
    let view = RunView {
        run,
        workflow: String::new(),
        key: String::new(),
        parent: None,
        input: first.input.as_ref().map_or_else(String::new, |input| input.get().to_owned()),
        state: last.to.get().to_owned(),
        state_name: variant(last.to.get()).to_owned(),
        seq: rows.last().map_or(-1, |row| row.seq),
        finished: false,
        unexpected: 0,
        archived: None,
        shape: last.shape.into(),
        created_at: first.at,
        updated_at: last.at,
    };
    (view, rows)
}

/// What a step does beside its state: in short, and a digest of every value.
fn done(step: &RawStep) -> (Vec<String>, String) {
    let RawStep { state: _, is_final: _, effects, timers, withdrawn, spawns, tells, facts, takes, ignored } = step;
    let mut short = vec![];
    let mut all = vec![];
    let mut does = |what: String, values: &[&str]| {
        all.push(format!("{what}\u{1}{}", values.join("\u{1}")));
        short.push(what);
    };
    takes.iter().for_each(|what| does(format!("takes {what}"), &[]));
    withdrawn.iter().for_each(|effect| does(format!("withdraw {}", variant(effect)), &[effect]));
    for effect in effects {
        let request = effect.request.as_deref().unwrap_or_default();
        does(format!("run {}", variant(&effect.payload)), &[&effect.payload, request]);
    }
    for timer in timers {
        let scope = encode(&timer.scope);
        does(format!("timer {} {}", variant(&timer.payload), timer.at.to_rfc3339()), &[&timer.payload, &scope]);
    }
    for spawn in spawns {
        does(format!("spawn {}", spawn.workflow), &[&spawn.run.to_string(), &spawn.key, &spawn.input]);
    }
    for tell in tells {
        does(format!("tell {} {}", tell.workflow, variant(&tell.event)), &[&tell.run.to_string(), &tell.event]);
    }
    facts.iter().for_each(|fact| does(format!("post {}", fact.kind), &[&fact.body]));
    ignored.iter().for_each(|why| does(format!("ignore: {why}"), &[]));
    let digest = Sha256::digest(all.join("\n"));
    (short, digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The history up to a line, a turn on each line.
fn told(lines: &[Recorded], end: usize) -> String {
    let turn = |line: &usize| {
        let Recorded { why, event, at, to, .. } = &lines[*line];
        format!("{}: {why:?} {} at {} → {}\n", line + 1, event.get(), at.to_rfc3339(), to.get())
    };
    way(lines, end).iter().map(turn).collect()
}

fn store(file: &Path, lines: &[Recorded]) -> std::io::Result<()> {
    let text: String = lines.iter().map(|line| encode(line) + "\n").collect();
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(file, text)
}

/// No hands: deciding calls nobody.
struct Nobody;

impl<W: Workflow> Perform<W> for Nobody {
    async fn perform(&self, _: &Attempt<W>, _: W::Effect) -> Result<W::Event, Fault> {
        Err(Fault::misconfigured("whoever decides again calls nobody"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::toy::{self, Books, Lamp, noon};
    use crate::testkit::{Network, WrittenFiles};
    use crate::{Changed, ProjectError};

    impl Project<Tx> for Lamp {
        type Error = DbErr;

        async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
            Ok(())
        }
    }

    fn met() -> Vec<Met> {
        let network = Network::new(Books::default(), noon()).with(toy::player());
        let explored = network.start::<Lamp>(RunId::from_uuid(uuid::Uuid::from_u128(1)), "lamp", &toy::room()).walk();
        let mut met = worth_keeping(explored.histories::<Lamp>());
        explored.to_their_ends(&mut met);
        met
    }

    /// What is wrong with the file when this piece of its text was another.
    fn faults(name: &str, was: &str, then: &str) -> Vec<String> {
        let folder = WrittenFiles::new(name);
        let file = folder.path().join("lamp.jsonl");
        assert_eq!(held::<Lamp>(&met(), &file, true), Vec::<String>::new());
        assert_eq!(held::<Lamp>(&met(), &file, false), Vec::<String>::new());
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(was), "{text}");
        fs::write(&file, text.replacen(was, then, 1)).unwrap();
        held::<Lamp>(&met(), &file, false)
    }

    #[test]
    fn every_state_and_every_kind_of_turn_is_recorded_to_its_end() {
        let met = met();
        let kinds: BTreeSet<String> = met.iter().map(|turn| kind(&turn.event)).collect();
        let all = ["Broken", "Elapsed Bedtime", "Elapsed Patience", "Left", "SwitchedOff", "SwitchedOn", "start"];
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
        let goes_on: BTreeSet<usize> = met.iter().filter_map(|turn| turn.after).collect();
        let ends = met.iter().enumerate().filter(|(place, _)| !goes_on.contains(place));
        assert!(ends.into_iter().all(|(_, turn)| turn.to == "\"Dark\""));
    }

    #[test]
    fn a_turn_that_leads_elsewhere_is_found() {
        let faults = faults("elsewhere", "{\"Lit\":{\"since\":\"2026-05-01T12:00:00Z\"}}", "\"Dark\"");
        assert!(faults[0].contains("turn 1: leads to another state than Dark"), "{faults:#?}");
    }

    #[test]
    fn a_turn_that_does_something_else_is_found() {
        let lost = faults("less", "\"takes lamp\"", "\"takes lamp\",\"run Greet\"");
        assert!(lost[0].ends_with("did [\"takes lamp\", \"run Greet\"] and does [\"takes lamp\"] today"), "{lost:#?}");
        let values = faults("values", "\"digest\":\"", "\"digest\":\"0");
        assert!(values[0].ends_with("with other values today"), "{values:#?}");
    }

    #[test]
    fn a_history_that_is_not_recorded_is_found_until_it_is_written() {
        let folder = WrittenFiles::new("missing");
        let file = folder.path().join("lamp.jsonl");
        let missing = held::<Lamp>(&met(), &file, false);
        assert!(
            missing[0].contains("is not recorded (a new way is written by INNKEEPER_GOLDEN=write)"),
            "{missing:#?}"
        );
        assert!(!file.exists(), "nothing is written unasked");
    }

    #[test]
    fn turns_of_another_shape_are_not_judged() {
        let folder = WrittenFiles::new("shape");
        let file = folder.path().join("lamp.jsonl");
        held::<Lamp>(&met(), &file, true);
        let text = fs::read_to_string(&file).unwrap();
        let older = text.replace("\"shape\":1", "\"shape\":0").replace("takes lamp", "takes nothing");
        fs::write(&file, older).unwrap();
        assert_eq!(held::<Lamp>(&met(), &file, false), Vec::<String>::new());
    }
}
