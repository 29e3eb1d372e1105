//! What must hold everywhere that the walk has been, and the shortest way to where it does not.

use super::super::words::{self, Line};
use super::player::Seat;
use super::walk::{Kind, Node, Refused};
use crate::step::encode;
use crate::{RunId, Timestamp, Workflow};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Every situation that can come about, ready to be checked. Each check panics with a shortest counter-example.
pub struct Explored<World> {
    pub(super) seats: Vec<Rc<dyn Seat<World>>>,
    /// In the order of their distance from the start.
    pub(super) nodes: Vec<Node<World>>,
    pub(super) edges: Vec<(usize, usize, Kind)>,
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
        for (from, to, _) in self.edges.iter().filter(|(_, _, kind)| counts(*kind)) {
            back[*to].push(*from);
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
