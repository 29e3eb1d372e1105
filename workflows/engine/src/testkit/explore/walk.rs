//! The breadth-first search: nodes, the moves out of them, and where the moves lead.

use super::super::words::{self, Line};
use super::check::Explored;
use super::player::{Cue, Live, Outcome, Prompt, Seat, Taken};
use super::{Bounds, Network};
use crate::step::encode;
use crate::{Refusal, RunId, Spawn, Tell, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Something on its way between runs.
#[derive(Clone, Serialize)]
pub(super) enum Sent {
    Spawn(Spawn),
    Tell(Tell),
}

impl Sent {
    fn workflow(&self) -> &str {
        match self {
            Self::Spawn(spawn) => &spawn.workflow,
            Self::Tell(tell) => &tell.workflow,
        }
    }
}

/// One situation of the whole network, and the line of the transcript that led to it.
pub(super) struct Node<World> {
    pub(super) runs: BTreeMap<RunId, Live>,
    pub(super) sent: Vec<Rc<Sent>>,
    pub(super) world: Rc<World>,
    pub(super) now: Timestamp,
    repeats: u8,
    pub(super) from: Option<usize>,
    pub(super) line: Line,
    /// The turn that led here, and whose it was.
    pub(super) taken: Option<(RunId, Rc<Taken>)>,
}

impl<World: Serialize> Node<World> {
    /// Every run is finished and nothing is pending, armed or on its way.
    pub(super) fn ended(&self) -> bool {
        self.sent.is_empty() && self.runs.values().all(|live| live.ended)
    }

    fn key(&self) -> [u8; 32] {
        let mut digest =
            Sha256::new().chain_update(self.now.timestamp_micros().to_be_bytes()).chain_update([self.repeats]);
        for (run, live) in &self.runs {
            digest.update(run.uuid().as_bytes());
            digest.update(live.key.as_bytes());
            if self.repeats > 0 {
                digest.update(live.heard.join(","));
            }
            digest.update([0]);
        }
        let mut sent: Vec<String> = self.sent.iter().map(|sent| encode(&**sent)).collect();
        sent.sort_unstable();
        digest.update(sent.join("\n"));
        digest.update([0]);
        digest.update(encode(&*self.world));
        digest.finalize().into()
    }
}

/// What kind of thing led from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Outcome,
    Timer,
    Told,
    Fact,
    Command,
    Pause,
}

impl Kind {
    /// Whether it happens without anybody outside doing or saying anything more.
    pub(super) const fn by_itself(self) -> bool {
        !matches!(self, Self::Fact | Self::Command)
    }
}

/// A way from one node to another.
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: Kind,
    /// The turn that was taken on it.
    pub(super) taken: Option<(RunId, Rc<Taken>)>,
}

/// A fact that a run did not take.
pub(super) struct Refused {
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) line: Line,
    /// In short: `payment Capturing: Lapsed`.
    pub(super) what: String,
}

enum Move {
    Start(usize),
    Pause(Timestamp),
    /// The tell with this place in `sent`, when there is one, arrives with the turn.
    Turn(Prompt, Option<usize>),
}

impl Move {
    fn kind(&self) -> Kind {
        match self {
            Self::Start(_) => Kind::Start,
            Self::Pause(_) => Kind::Pause,
            Self::Turn(prompt, _) => match prompt.cue {
                Cue::Outcome(..) => Kind::Outcome,
                Cue::Elapsed => Kind::Timer,
                Cue::Told(_) => Kind::Told,
                Cue::Fact(_) | Cue::Repeat(_) => Kind::Fact,
                Cue::Command(_) => Kind::Command,
            },
        }
    }
}

/// Where a move leads.
struct Landing<World> {
    node: Node<World>,
    refusal: Option<Refusal>,
    forks: Vec<Move>,
}

struct Walk<World> {
    seats: Vec<Rc<dyn Seat<World>>>,
    /// How many runs there are from the beginning.
    first: usize,
    bounds: Bounds,
    names: bool,
}

#[track_caller]
pub(super) fn walk<World: Clone + Serialize + 'static>(network: Network<World>) -> Explored<World> {
    let (walk, root) = at_the_beginning(network);
    let mut seen = HashMap::from([(root.key(), 0)]);
    let mut explored = Explored { seats: walk.seats.clone(), nodes: vec![root], edges: vec![], refused: vec![] };
    let mut here = 0;
    while here < explored.nodes.len() {
        walk.go_on_from(here, &mut explored, &mut seen);
        let most = walk.bounds.nodes;
        assert!(
            explored.nodes.len() <= most,
            "explore: more than {most} situations, so probably without end: a timer that sets itself again, a counter in a state or in \
             the world, a command that always finds something new to do. Raise `at_most` if it is just large. One long way:\n{}",
            explored.transcript(explored.nodes.len() - 1)
        );
        here += 1;
    }
    explored
}

/// Where nothing has happened yet: the first runs are on their way.
#[track_caller]
fn at_the_beginning<World: Clone + Serialize + 'static>(network: Network<World>) -> (Walk<World>, Node<World>) {
    let Network { seats, starts, world, now, bounds, names } = network;
    for start in &starts {
        assert!(
            seats.iter().any(|seat| seat.name() == start.workflow),
            "nobody plays {}: add it by `with`",
            start.workflow
        );
    }
    let runs: BTreeSet<RunId> = starts.iter().map(|start| start.run).collect();
    assert!(runs.len() == starts.len(), "two runs of the network are started under one id");
    let first = starts.len();
    let sent = starts.into_iter().map(|spawn| Rc::new(Sent::Spawn(spawn))).collect();
    let line = Line { who: String::new(), event: String::new(), to: String::new(), with: String::new() };
    let (runs, world, repeats) = (BTreeMap::new(), Rc::new(world), bounds.repeats);
    let root = Node { runs, sent, world, now, repeats, from: None, line, taken: None };
    (Walk { seats, first, bounds, names }, root)
}

impl<World: Clone + Serialize + 'static> Walk<World> {
    /// Makes every move out of a node, and adds where they lead.
    #[track_caller]
    fn go_on_from(&self, here: usize, explored: &mut Explored<World>, seen: &mut HashMap<[u8; 32], usize>) {
        let mut moves = self.moves(&explored.nodes[here]).unwrap_or_else(|fault| {
            panic!("explore: {fault}; the way there:\n{}", explored.transcript(here));
        });
        while let Some(next) = moves.pop() {
            let landing = catch_unwind(AssertUnwindSafe(|| self.play(&explored.nodes[here], here, &next)));
            let Ok(landing) = landing else {
                panic!("explore: a turn panicked (its message stands above) after:\n{}", explored.transcript(here));
            };
            moves.extend(landing.forks);
            let refused = landing.refusal.is_some();
            if refused && next.kind() == Kind::Command {
                continue;
            }
            if refused {
                let (kind, line, what) = (next.kind(), landing.node.line.clone(), self.in_short(&landing.node, &next));
                explored.refused.push(Refused { at: here, kind, line, what });
            }
            let count = explored.nodes.len();
            let taken = landing.node.taken.clone();
            let there = *seen.entry(landing.node.key()).or_insert(count);
            if there == count {
                explored.nodes.push(landing.node);
            }
            explored.edges.push(Edge { from: here, to: there, kind: next.kind(), taken });
        }
    }

    /// Everything that may happen next, last first.
    fn moves(&self, node: &Node<World>) -> Result<Vec<Move>, String> {
        if node.runs.len() < self.first {
            return Ok(vec![Move::Start(0)]); // the runs that are there from the beginning start before anything happens
        }
        let mut moves = vec![];
        if let Some(pause) = self.bounds.pauses.iter().find(|pause| **pause > node.now) {
            moves.push(Move::Pause(*pause));
        }
        for (run, live) in &node.runs {
            let prompt = |cue, at| Prompt { run: *run, cue, at, taken: false, claimed: false };
            if let Some(due) = live.due {
                moves.push(Move::Turn(prompt(Cue::Elapsed, due), None));
            }
            if live.due.is_some_and(|due| due <= node.now) {
                continue; // due timers come first
            }
            let cues = self.seats[live.seat].cues(live, (*run, node.now), &node.world)?;
            moves.extend(cues.into_iter().map(|cue| Move::Turn(prompt(cue, node.now), None)));
            if node.repeats > 0 {
                let again = live.heard.iter().map(|event| Cue::Repeat(event.clone()));
                moves.extend(again.map(|cue| Move::Turn(prompt(cue, node.now), None)));
            }
            for (place, sent) in node.sent.iter().enumerate() {
                if let Sent::Tell(tell) = &**sent
                    && tell.run == *run
                {
                    moves.push(Move::Turn(prompt(Cue::Told(tell.event.clone()), node.now), Some(place)));
                }
            }
        }
        let spawns = node.sent.iter().enumerate().filter(|(_, sent)| matches!(***sent, Sent::Spawn(_)));
        moves.extend(spawns.map(|(place, _)| Move::Start(place)));
        moves.reverse();
        Ok(moves)
    }

    fn play(&self, node: &Node<World>, here: usize, next: &Move) -> Landing<World> {
        let (runs, sent, line) = (node.runs.clone(), node.sent.clone(), node.line.clone());
        let (world, now, repeats) = (Rc::clone(&node.world), node.now, node.repeats);
        let mut to = Node { runs, sent, world, now, repeats, from: Some(here), line, taken: None };
        match next {
            Move::Pause(instant) => {
                to.now = *instant;
                to.line = Line {
                    who: String::new(),
                    event: words::span(*instant - node.now),
                    to: String::new(),
                    with: String::new(),
                };
                Landing { node: to, refusal: None, forks: vec![] }
            }
            Move::Start(place) => {
                self.start(&mut to, *place);
                Landing { node: to, refusal: None, forks: vec![] }
            }
            Move::Turn(prompt, told) => {
                if let Some(place) = told {
                    to.sent.remove(*place);
                }
                let (refusal, forks) = self.turn(&mut to, prompt, *told);
                Landing { node: to, refusal, forks }
            }
        }
    }

    fn start(&self, to: &mut Node<World>, place: usize) {
        let sent = to.sent.remove(place);
        let Sent::Spawn(spawn) = &*sent else { return };
        if to.runs.contains_key(&spawn.run) {
            to.line = Line {
                who: self.who(to, spawn.run, &spawn.workflow),
                event: "start".into(),
                to: "exists already".into(),
                with: String::new(),
            };
            return;
        }
        let seat =
            self.seats.iter().position(|seat| seat.name() == spawn.workflow).expect("only played workflows are kept");
        let mut world = (*to.world).clone();
        let outcome = self.seats[seat].start(spawn, (seat, to.now), &mut world);
        to.world = Rc::new(world);
        self.settle(to, spawn.run, &spawn.workflow, outcome);
    }

    fn turn(&self, to: &mut Node<World>, prompt: &Prompt, told: Option<usize>) -> (Option<Refusal>, Vec<Move>) {
        let Some(live) = to.runs.get(&prompt.run).cloned() else { return (None, vec![]) };
        let seat = &self.seats[live.seat];
        let mut world = (*to.world).clone();
        let outcome = seat.turn(&live, prompt, &mut world);
        to.world = Rc::new(world);
        to.now = to.now.max(prompt.at);
        if matches!(prompt.cue, Cue::Repeat(_)) {
            to.repeats -= 1;
        }
        let fork = |taken, claimed| {
            let (run, cue, at) = (prompt.run, prompt.cue.clone(), prompt.at);
            Move::Turn(Prompt { run, cue, at, taken, claimed }, told)
        };
        let mut forks = vec![];
        if outcome.takes && self.bounds.contested && !prompt.claimed {
            forks.push(fork(true, prompt.claimed));
        }
        if outcome.withdrew && !prompt.claimed {
            forks.push(fork(prompt.taken, true));
        }
        let refusal = outcome.refusal.clone();
        self.settle(to, prompt.run, seat.name(), outcome);
        (refusal, forks)
    }

    /// Puts the run back and its messages on their way; those to workflows that nobody plays leave the network.
    fn settle(&self, to: &mut Node<World>, run: RunId, workflow: &str, outcome: Outcome) {
        let played = |sent: &Sent| self.seats.iter().any(|seat| seat.name() == sent.workflow());
        let spawns = outcome.spawns.into_iter().map(Sent::Spawn);
        let tells = outcome.tells.into_iter().map(Sent::Tell);
        to.sent.extend(spawns.chain(tells).filter(played).map(Rc::new));
        to.runs.insert(run, outcome.live);
        to.taken = outcome.taken.map(|taken| (run, Rc::new(taken)));
        to.line = Line { who: self.who(to, run, workflow), ..outcome.line };
    }

    /// A refused fact without its values.
    fn in_short(&self, node: &Node<World>, refused: &Move) -> String {
        let Move::Turn(prompt, _) = refused else { return String::new() };
        let Some(live) = node.runs.get(&prompt.run) else { return String::new() };
        let event = node.line.event.split(['{', '(']).next().unwrap_or_default();
        let seat = &self.seats[live.seat];
        format!("{} {}: {event}", seat.name(), seat.situation(live))
    }

    /// Whose turn it was: the workflow, and the end of the run's id where there are several of it.
    fn who(&self, to: &Node<World>, run: RunId, workflow: &str) -> String {
        let runs = to.runs.values().filter(|live| self.seats[live.seat].name() == workflow).count();
        match (self.names, runs) {
            (false, _) => String::new(),
            (true, 0 | 1) => workflow.to_owned(),
            (true, _) => format!("{workflow} …{}", &run.to_string()[32..]),
        }
    }
}
