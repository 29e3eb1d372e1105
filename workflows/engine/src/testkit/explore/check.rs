//! What must hold everywhere that the walk has been, and the shortest way to where it does not.

use super::super::recorded::Met;
use super::super::words::{self, Line};
use super::player::{Seat, Taken};
use super::walk::{Edge, Kind, Node, Refused};
use crate::step::encode;
use crate::{RunId, Timestamp, Workflow};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// Every situation that can come about, ready to be checked. Each check panics with a shortest counter-example.
pub struct Explored<World> {
    pub(super) seats: Vec<Rc<dyn Seat<World>>>,
    /// In the order of their distance from the start.
    pub(super) nodes: Vec<Node<World>>,
    pub(super) edges: Vec<Edge>,
    pub(super) refused: Vec<Refused>,
}

/// One situation, as an invariant sees it.
pub struct Moment<'a, World> {
    /// What the outside holds.
    pub world: &'a World,
    /// The business clock.
    pub now: Timestamp,
    node: &'a Node<World>,
}

impl<'a, World> Moment<'a, World> {
    /// The states of all runs of `W`, in the order of their ids.
    pub fn states<W: Workflow>(&self) -> impl Iterator<Item = (RunId, &'a W::State)> {
        let runs = self.node.runs.iter();
        runs.filter_map(|(run, live)| live.bench::<W>().map(|bench| (*run, &bench.state)))
    }

    /// The state of the first run of `W`, when it has started.
    #[must_use]
    pub fn state<W: Workflow>(&self) -> Option<&'a W::State> {
        self.states::<W>().next().map(|(_, state)| state)
    }

    /// The effects of all runs of `W` that are asked for and not answered.
    pub fn pending<W: Workflow>(&self) -> impl Iterator<Item = &'a W::Effect> {
        self.node.runs.values().filter_map(|live| live.bench::<W>()).flat_map(|bench| &bench.pending)
    }
}

impl<World: Clone + Serialize + 'static> Explored<World> {
    /// In every situation this holds.
    ///
    /// # Panics
    /// With a shortest way to a situation where it does not.
    #[track_caller]
    pub fn always(&self, what: &str, holds: impl Fn(&Moment<'_, World>) -> bool) -> &Self {
        if let Some(bad) = (0..self.nodes.len()).find(|place| !holds(&self.moment(*place))) {
            self.fail(&format!("not always: {what}"), bad);
        }
        self
    }

    /// In every situation where all runs are finished and nothing is under way this holds.
    ///
    /// # Panics
    /// With a shortest way to an end where it does not, or when there is no end at all.
    #[track_caller]
    pub fn at_every_end(&self, what: &str, holds: impl Fn(&Moment<'_, World>) -> bool) -> &Self {
        let mut ends = self.ends().peekable();
        assert!(ends.peek().is_some(), "explore: nothing ever ends, so this was not checked: {what}");
        if let Some(bad) = ends.find(|place| !holds(&self.moment(*place))) {
            self.fail(&format!("not at every end: {what}"), bad);
        }
        self
    }

    /// At least one situation is like this: guards against an exploration that never gets to the interesting part.
    ///
    /// # Panics
    /// When none is.
    #[track_caller]
    pub fn sometimes(&self, what: &str, holds: impl Fn(&Moment<'_, World>) -> bool) -> &Self {
        let found = (0..self.nodes.len()).any(|place| holds(&self.moment(place)));
        assert!(found, "explore: never: {what}; explored\n{}", self.summary());
        self
    }

    /// What an effect brings always has a meaning: the engine would flag the run otherwise.
    ///
    /// # Panics
    /// With a shortest way to an outcome that `on` refuses.
    #[track_caller]
    pub fn no_effect_outcome_is_ever_refused(&self) -> &Self {
        self.none_refused("an effect's outcome is refused", |kind| kind == Kind::Outcome)
    }

    /// The same for everything that is no person's command: outcomes, timers, tells, and facts that come late or twice.
    ///
    /// # Panics
    /// With a shortest way to a fact that `on` refuses.
    #[track_caller]
    pub fn no_fact_is_ever_refused(&self) -> &Self {
        self.none_refused("a fact is refused", |kind| kind != Kind::Command)
    }

    /// Whatever happened so far, all can still come to an end: every run final, no effect pending, no timer armed, nothing under way.
    ///
    /// # Panics
    /// With a shortest way to a situation that has no way out.
    #[track_caller]
    pub fn always_ends(&self) -> &Self {
        self.none_trapped("there is no way to an end", |_| true)
    }

    /// The same without anybody doing or saying anything more: outcomes, timers and messages alone bring it to an end.
    ///
    /// # Panics
    /// With a shortest way to a situation that needs somebody to act.
    #[track_caller]
    pub fn always_ends_by_itself(&self) -> &Self {
        self.none_trapped("it does not end unless somebody acts", Kind::by_itself)
    }

    /// How much was explored and how it can end, as text for a snapshot: a surprise here is a change of behaviour.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut ends: BTreeMap<String, usize> = BTreeMap::new();
        for place in self.ends() {
            let runs = self.nodes[place].runs.values();
            let states: Vec<String> = runs
                .map(|live| format!("{} {}", self.seats[live.seat].name(), self.seats[live.seat].situation(live)))
                .collect();
            *ends.entry(states.join(", ")).or_default() += 1;
        }
        let ends: Vec<String> = ends.iter().map(|(states, count)| format!("\n  {count} × {states}")).collect();
        format!("{} situations, {} moves, ends:{}", self.nodes.len(), self.edges.len(), ends.concat())
    }

    /// The histories of all runs of `W`, as a tree, those near the start first.
    pub(in super::super) fn histories<W: Workflow>(&self) -> Vec<Met> {
        let mut met: Vec<Met> = vec![];
        let mut known: BTreeMap<(Option<usize>, String), usize> = BTreeMap::new();
        // How far the history of each run has come, in each situation.
        let mut come: Vec<BTreeMap<RunId, usize>> = Vec::with_capacity(self.nodes.len());
        for (number, node) in self.nodes.iter().enumerate() {
            let mut here = node.from.map_or_else(BTreeMap::new, |from| come[from].clone());
            if let Some((run, taken)) = &node.taken
                && let live = &node.runs[run]
                && self.seats[live.seat].name() == W::NAME
            {
                let (input, to) = self.seats[live.seat].written(live);
                let after = here.get(run).copied();
                let input = after.is_none().then_some(input);
                let Taken { why, event, answers, conflict, at } = &**taken;
                let place = *known.entry((after, encode(&(at, event, conflict, &input)))).or_insert_with(|| {
                    let (event, answers, taken) = (event.clone(), answers.clone(), conflict.clone());
                    let (why, at, seat) = (*why, *at, (number, *run));
                    met.push(Met { after, why, answers, input, event, at, taken, to, seat });
                    met.len() - 1
                });
                here.insert(*run, place);
            }
            come.push(here);
        }
        met
    }

    /// Leads every history that breaks off on to an end, by a shortest way.
    pub(in super::super) fn to_their_ends(&self, met: &mut Vec<Met>) {
        let onward = self.onward();
        let goes_on: BTreeSet<usize> = met.iter().filter_map(|turn| turn.after).collect();
        for end in (0..met.len()).filter(|place| !goes_on.contains(place)) {
            let (mut here, run) = met[end].seat;
            let mut after = end;
            while let Some(edge) = onward[here].map(|edge| &self.edges[edge]) {
                here = edge.to;
                let Some((_, taken)) = edge.taken.as_ref().filter(|(whose, _)| *whose == run) else { continue };
                let live = &self.nodes[here].runs[&run];
                let (_, to) = self.seats[live.seat].written(live);
                let Taken { why, event, answers, conflict, at } = &**taken;
                let (event, answers, taken) = (event.clone(), answers.clone(), conflict.clone());
                let (after_it, seat) = (Some(after), (here, run));
                met.push(Met { after: after_it, why: *why, answers, input: None, event, at: *at, taken, to, seat });
                after = met.len() - 1;
            }
        }
    }

    /// Of each situation the first step of a shortest way to an end.
    fn onward(&self) -> Vec<Option<usize>> {
        let mut back: Vec<Vec<usize>> = vec![vec![]; self.nodes.len()];
        for (number, edge) in self.edges.iter().enumerate() {
            back[edge.to].push(number);
        }
        let mut onward = vec![None; self.nodes.len()];
        let mut reached: BTreeSet<usize> = self.ends().collect();
        let mut open: VecDeque<usize> = reached.iter().copied().collect();
        while let Some(place) = open.pop_front() {
            for number in &back[place] {
                let from = self.edges[*number].from;
                if reached.insert(from) {
                    onward[from] = Some(*number);
                    open.push_back(from);
                }
            }
        }
        onward
    }

    fn moment(&self, place: usize) -> Moment<'_, World> {
        let node = &self.nodes[place];
        Moment { world: &node.world, now: node.now, node }
    }

    fn ends(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|place| self.nodes[*place].ended())
    }

    #[track_caller]
    fn none_refused(&self, what: &str, counts: impl Fn(Kind) -> bool) -> &Self {
        if let Some(refused) = self.refused.iter().find(|refused| counts(refused.kind)) {
            let mut lines = self.way_to(refused.at);
            lines.push(refused.line.clone());
            let others = self.refused.iter().filter(|refused| counts(refused.kind)).map(|refused| &*refused.what);
            let others: BTreeSet<&str> = others.filter(|other| *other != refused.what).collect();
            let others: String = others.iter().map(|other| format!("\nalso refused: {other}")).collect();
            panic!("explore: {what}; a shortest way there:\n{}{others}", words::align(&lines));
        }
        self
    }

    #[track_caller]
    fn none_trapped(&self, what: &str, counts: impl Fn(Kind) -> bool) -> &Self {
        let mut back: Vec<Vec<usize>> = vec![vec![]; self.nodes.len()];
        for edge in self.edges.iter().filter(|edge| counts(edge.kind)) {
            back[edge.to].push(edge.from);
        }
        let mut open: Vec<usize> = self.ends().collect();
        let mut can_end = vec![false; self.nodes.len()];
        while let Some(place) = open.pop() {
            if !std::mem::replace(&mut can_end[place], true) {
                open.extend(&back[place]);
            }
        }
        if let Some(trapped) = can_end.iter().position(|can| !can) {
            self.fail(what, trapped);
        }
        self
    }

    #[track_caller]
    fn fail(&self, what: &str, place: usize) -> ! {
        let node = &self.nodes[place];
        let runs = node.runs.values().map(|live| self.seats[live.seat].describe(live, node.now));
        let sent = node.sent.iter().map(|sent| format!("under way: {}", words::say(&**sent)));
        let there: Vec<String> = runs.chain(sent).collect();
        let (way, world) = (self.transcript(place), encode(&*node.world));
        panic!("explore: {what}; a shortest way there:\n{way}\nthere:\n{}\nworld: {world}", there.join("\n"));
    }

    /// The way from the start to a node.
    pub(super) fn transcript(&self, place: usize) -> String {
        words::align(&self.way_to(place))
    }

    fn way_to(&self, place: usize) -> Vec<Line> {
        let mut lines = vec![];
        let mut here = place;
        while let Some(from) = self.nodes[here].from {
            lines.push(self.nodes[here].line.clone());
            here = from;
        }
        lines.reverse();
        lines
    }
}
