//! A workflow and what may happen to its runs, with the types erased so that different workflows share one network.

use super::super::bench::Bench;
use super::super::words::{self, Line};
use crate::step::encode;
use crate::{Conflict, Refusal, RunId, Spawn, Step, Tell, Timestamp, Workflow};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::rc::Rc;

/// A turn as the world sees it.
#[derive(Debug)]
pub struct Turn<'a, W: Workflow> {
    /// Whose turn.
    pub run: RunId,
    /// The run's input.
    pub input: &'a W::Input,
    /// The state before; `None` at the start.
    pub before: Option<&'a W::State>,
    /// What happened, as it was said; `None` at the start.
    pub event: Option<&'a W::Event>,
    /// The effect that the event answers: `None` for everything else, an outcome that is heard again included. What the outside
    /// really did is counted by this.
    pub answers: Option<&'a W::Effect>,
    /// What [`Workflow::contested`] made of the event, where the step found taken what it takes.
    pub instead: Option<&'a W::Event>,
    /// What was decided.
    pub step: &'a Step<W>,
    /// The state after.
    pub after: &'a W::State,
    /// The business clock.
    pub at: Timestamp,
}

/// Where a run stands when something may happen to it.
#[derive(Debug)]
pub struct Scene<'a, W: Workflow, World> {
    /// Which run.
    pub run: RunId,
    /// Its input.
    pub input: &'a W::Input,
    /// Its state.
    pub state: &'a W::State,
    /// What the outside holds.
    pub world: &'a World,
    /// The business clock.
    pub now: Timestamp,
}

type Outcomes<W, World> = Box<dyn Fn(&<W as Workflow>::Effect, &Scene<'_, W, World>) -> Vec<<W as Workflow>::Event>>;
type Said<W, World> = Box<dyn Fn(&Scene<'_, W, World>) -> Vec<<W as Workflow>::Event>>;
type Fold<W, World> = Box<dyn Fn(&mut World, &Turn<'_, W>)>;

/// What may happen to the runs of one workflow, and what the world makes of it.
pub struct Player<W: Workflow, World> {
    outcomes: Option<Outcomes<W, World>>,
    commands: Option<Said<W, World>>,
    facts: Option<Said<W, World>>,
    fold: Option<Fold<W, World>>,
}

impl<W: Workflow, World> Default for Player<W, World> {
    fn default() -> Self {
        Self { outcomes: None, commands: None, facts: None, fold: None }
    }
}

impl<W: Workflow, World> Player<W, World> {
    /// A workflow to which nothing happens but its timers and tells.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every event that performing this effect may bring, as the world stands. [`Workflow::gave_up`] is added by the kit.
    #[must_use]
    pub fn outcomes(mut self, outcomes: impl Fn(&W::Effect, &Scene<'_, W, World>) -> Vec<W::Event> + 'static) -> Self {
        self.outcomes = Some(Box::new(outcomes));
        self
    }

    /// What people may try in this state; a refusal is an answer to them and no defect.
    #[must_use]
    pub fn commands(mut self, commands: impl Fn(&Scene<'_, W, World>) -> Vec<W::Event> + 'static) -> Self {
        self.commands = Some(Box::new(commands));
        self
    }

    /// What the outside may say unasked in this state: late, again, out of order.
    #[must_use]
    pub fn facts(mut self, facts: impl Fn(&Scene<'_, W, World>) -> Vec<W::Event> + 'static) -> Self {
        self.facts = Some(Box::new(facts));
        self
    }

    /// What each accepted turn does to the world. Keep sums there, not histories: equal worlds are one node.
    #[must_use]
    pub fn fold(mut self, fold: impl Fn(&mut World, &Turn<'_, W>) + 'static) -> Self {
        self.fold = Some(Box::new(fold));
        self
    }

    pub(super) fn is_blank(&self) -> bool {
        self.outcomes.is_none() && self.commands.is_none() && self.facts.is_none() && self.fold.is_none()
    }

    fn fold_in(&self, world: &mut World, turn: &Turn<'_, W>) {
        if let Some(fold) = &self.fold {
            fold(world, turn);
        }
    }
}

/// A run in a node, its type erased; copies share the run.
#[derive(Clone)]
pub(super) struct Live {
    /// Which workflow's.
    pub(super) seat: usize,
    bench: Rc<dyn Any>,
    /// Everything that decides its future.
    pub(super) key: Rc<str>,
    /// In a final state with nothing pending and nothing armed.
    pub(super) ended: bool,
    /// When its next timer is due.
    pub(super) due: Option<Timestamp>,
    /// Outcomes that may be heard again.
    pub(super) heard: Rc<Vec<String>>,
}

impl Live {
    fn of<W: Workflow>(seat: usize, bench: Bench<W>, heard: Rc<Vec<String>>) -> Self {
        let key = Rc::from(bench.key());
        let ended = W::is_final(&bench.state) && bench.pending.is_empty() && bench.timers.is_empty();
        let due = bench.next_due();
        Self { seat, bench: Rc::new(bench), key, ended, due, heard }
    }

    /// The run, when it is one of `W`.
    pub(super) fn bench<W: Workflow>(&self) -> Option<&Bench<W>> {
        self.bench.downcast_ref()
    }

    fn of_this<W: Workflow>(&self) -> &Bench<W> {
        self.bench().expect("a run is handed to the seat that made it")
    }
}

/// Why a run takes a turn. Events travel as text, as they do in the engine.
#[derive(Clone, Debug)]
pub(super) enum Cue {
    /// The pending effect in this slot brings this event.
    Outcome(usize, String),
    /// The next timer is due.
    Elapsed,
    /// A person tries this.
    Command(String),
    /// The outside says this unasked.
    Fact(String),
    /// An earlier outcome is heard again.
    Repeat(String),
    /// Another run tells this.
    Told(String),
}

/// What brings a turn about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The run begins.
    Start,
    /// An effect's outcome.
    Outcome,
    /// A timer.
    Timer,
    /// A person.
    Command,
    /// Somebody outside, unasked; an outcome that is heard again among them.
    Fact,
    /// Another run.
    Told,
}

impl Cue {
    const fn why(&self) -> Why {
        match self {
            Self::Outcome(..) => Why::Outcome,
            Self::Elapsed => Why::Timer,
            Self::Command(_) => Why::Command,
            Self::Fact(_) | Self::Repeat(_) => Why::Fact,
            Self::Told(_) => Why::Told,
        }
    }
}

/// An accepted turn as a journal has it.
pub(super) struct Taken {
    pub(super) why: Why,
    pub(super) event: String,
    /// The effect whose outcome it was.
    pub(super) answers: Option<String>,
    /// What it found taken.
    pub(super) conflict: Option<Conflict>,
    pub(super) at: Timestamp,
}

/// A turn to take.
pub(super) struct Prompt {
    pub(super) run: RunId,
    pub(super) cue: Cue,
    pub(super) at: Timestamp,
    /// What the step takes is taken already.
    pub(super) taken: bool,
    /// What the step withdraws is claimed already.
    pub(super) claimed: bool,
}

/// What came of a prompt.
pub(super) struct Outcome {
    pub(super) live: Live,
    pub(super) line: Line,
    pub(super) refusal: Option<Refusal>,
    pub(super) spawns: Vec<Spawn>,
    pub(super) tells: Vec<Tell>,
    /// The step takes something scarce, so it may find it taken.
    pub(super) takes: bool,
    /// The step took a pending effect back, so it may find it claimed.
    pub(super) withdrew: bool,
    /// For the journal; `None` when it was refused.
    pub(super) taken: Option<Taken>,
}

/// A workflow at the table, types erased.
pub(super) trait Seat<World> {
    fn name(&self) -> &'static str;
    fn start(&self, spawn: &Spawn, place: (usize, Timestamp), world: &mut World) -> Outcome;
    /// What may happen now, timers apart. `Err` names an effect without outcomes.
    fn cues(&self, live: &Live, at: (RunId, Timestamp), world: &World) -> Result<Vec<Cue>, String>;
    fn turn(&self, live: &Live, prompt: &Prompt, world: &mut World) -> Outcome;
    fn describe(&self, live: &Live, now: Timestamp) -> String;
    /// The name of the run's state variant.
    fn situation(&self, live: &Live) -> String;
    /// Its input and its state, as they are stored.
    fn written(&self, live: &Live) -> (String, String);
}

impl<W: Workflow, World> Seat<World> for Player<W, World> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn start(&self, spawn: &Spawn, (seat, at): (usize, Timestamp), world: &mut World) -> Outcome {
        let (bench, step) = Bench::<W>::start(decode(&spawn.input), at);
        let (run, input, after) = (spawn.run, &*bench.input, &bench.state);
        let (before, event, answers, instead) = (None, None, None, None);
        self.fold_in(world, &Turn { run, input, before, event, answers, instead, step: &step, after, at });
        let line = Line::accepted("start".to_owned(), &step, at);
        let live = Live::of(seat, bench, Rc::default());
        let (event, answers, conflict) = ("\"start\"".to_owned(), None, None);
        let taken = Some(Taken { why: Why::Start, event, answers, conflict, at });
        let (spawns, tells) = (step.spawns, step.tells);
        Outcome { live, line, refusal: None, spawns, tells, takes: false, withdrew: false, taken }
    }

    fn cues(&self, live: &Live, (run, now): (RunId, Timestamp), world: &World) -> Result<Vec<Cue>, String> {
        let bench = live.of_this::<W>();
        let scene = Scene { run, input: &*bench.input, state: &bench.state, world, now };
        let mut cues = vec![];
        for (slot, effect) in bench.pending.iter().enumerate() {
            if bench.pending[..slot].contains(effect) {
                continue; // its twin brings the same
            }
            let mut events = self.outcomes.as_ref().map_or_else(Vec::new, |outcomes| outcomes(effect, &scene));
            events.extend(W::gave_up(effect).filter(|event| !events.contains(event)));
            if events.is_empty() {
                return Err(format!("{}: `outcomes` says nothing about {}", W::NAME, words::say(effect)));
            }
            cues.extend(events.iter().map(|event| Cue::Outcome(slot, encode(event))));
        }
        let said = |source: &Option<Said<W, World>>| source.as_ref().map_or_else(Vec::new, |source| source(&scene));
        cues.extend(said(&self.commands).iter().map(|event| Cue::Command(encode(event))));
        cues.extend(said(&self.facts).iter().map(|event| Cue::Fact(encode(event))));
        Ok(cues)
    }

    fn turn(&self, live: &Live, prompt: &Prompt, world: &mut World) -> Outcome {
        let mut bench = live.of_this::<W>().clone();
        let mut heard = Rc::clone(&live.heard);
        let (event, answers) = hear(&mut bench, &prompt.cue, &mut heard);
        let label = label(&event, prompt);
        let before = bench.state.clone();
        let pending = bench.pending.len();
        match decide(&mut bench, &event, prompt) {
            Err(refusal) => {
                let line = Line::refused(label, &refusal);
                let live = Live::of(live.seat, bench, heard);
                let (spawns, tells) = (vec![], vec![]);
                let (takes, withdrew, taken) = (false, false, None);
                Outcome { live, line, refusal: Some(refusal), spawns, tells, takes, withdrew, taken }
            }
            Ok((instead, step)) => {
                let (conflict, instead) = instead.unzip();
                let taken = Some(Taken {
                    why: prompt.cue.why(),
                    event: encode(&event),
                    answers: answers.as_ref().map(encode),
                    conflict,
                    at: prompt.at,
                });
                let (run, input, before, event) = (prompt.run, &*bench.input, Some(&before), Some(&event));
                let (answers, instead, after, at) = (answers.as_ref(), instead.as_ref(), &bench.state, prompt.at);
                self.fold_in(world, &Turn { run, input, before, event, answers, instead, step: &step, after, at });
                let line = Line::accepted(label, &step, at);
                let takes = step.takes.is_some() && !prompt.taken;
                let withdrew = bench.pending.len() < pending + step.effects.len();
                let live = Live::of(live.seat, bench, heard);
                let (spawns, tells) = (step.spawns, step.tells);
                Outcome { live, line, refusal: None, spawns, tells, takes, withdrew, taken }
            }
        }
    }

    fn describe(&self, live: &Live, now: Timestamp) -> String {
        let bench = live.of_this::<W>();
        let list = |items: Vec<String>| if items.is_empty() { "nothing".to_owned() } else { items.join(", ") };
        let pending = list(bench.pending.iter().map(words::say).collect());
        let timers = list(bench.timers.iter().map(|armed| words::timer(armed, now)).collect());
        format!("{} in {}; pending: {pending}; armed: {timers}", W::NAME, words::say(&bench.state))
    }

    fn situation(&self, live: &Live) -> String {
        words::name(&live.of_this::<W>().state)
    }

    fn written(&self, live: &Live) -> (String, String) {
        let bench = live.of_this::<W>();
        (encode(&*bench.input), encode(&bench.state))
    }
}

/// What was in the way of a fact, and what it became.
type Contested<W> = Option<(Conflict, <W as Workflow>::Event)>;

/// Asks `on`; where what the step takes is taken, a person hears it and a fact is given to `on` again as `contested`.
fn decide<W: Workflow>(
    bench: &mut Bench<W>,
    event: &W::Event,
    prompt: &Prompt,
) -> Result<(Contested<W>, Step<W>), Refusal> {
    if !prompt.taken {
        let step = bench.turn(event.clone(), prompt.at, !prompt.claimed)?;
        return Ok((None, step));
    }
    let wanted = W::on(&bench.input, bench.state.clone(), event.clone(), prompt.at)?.takes.unwrap_or("nothing");
    let conflict = Conflict::over(wanted, "explored");
    let taken = || Refusal::because("taken", conflict.to_string());
    if matches!(prompt.cue, Cue::Command(_)) {
        return Err(taken());
    }
    let instead = W::contested(event.clone(), &conflict).ok_or_else(taken)?;
    let step = bench.turn(instead.clone(), prompt.at, !prompt.claimed)?;
    Ok((Some((conflict, instead)), step))
}

/// What a cue says, and the effect that it answers: that is no longer pending, and a timer no longer armed.
fn hear<W: Workflow>(bench: &mut Bench<W>, cue: &Cue, heard: &mut Rc<Vec<String>>) -> (W::Event, Option<W::Effect>) {
    match cue {
        Cue::Outcome(slot, event) => {
            let answered = bench.pending.remove(*slot);
            if !heard.contains(event) {
                let heard = Rc::make_mut(heard);
                heard.push(event.clone());
                heard.sort_unstable();
            }
            (decode(event), Some(answered))
        }
        Cue::Elapsed => (W::elapsed(bench.take_next().expect("a timer is due").timer), None),
        Cue::Command(event) | Cue::Fact(event) | Cue::Repeat(event) | Cue::Told(event) => (decode(event), None),
    }
}

fn label<E: serde::Serialize>(event: &E, prompt: &Prompt) -> String {
    let said = words::shortened(&words::say(event));
    let again = if matches!(prompt.cue, Cue::Repeat(_)) { " (again)" } else { "" };
    let taken = if prompt.taken { " (taken)" } else { "" };
    let claimed = if prompt.claimed { " (claimed)" } else { "" };
    format!("{said}{again}{taken}{claimed}")
}

fn decode<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text)
        .unwrap_or_else(|error| panic!("{text} cannot be read by the run that it is for: {error}"))
}
