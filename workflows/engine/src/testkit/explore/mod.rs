//! Every order in which outcomes, timers, commands, facts and messages may come, breadth-first, in memory.
//!
//! One workflow on its own:
//!
//! ```text
//! explore::<Booking>(terms(), noon())
//!     .world(Books::default(), |books, turn| match turn.event {     // what the outside world holds, told from the turns
//!         Some(Captured(charge)) => books.captured += charge.amount,
//!         Some(Refunded(amount)) => books.refunded += amount,
//!         _ => {}
//!     })
//!     .outcomes(|effect, _scene| match effect {                     // everything that an effect may bring
//!         Authorize(_) => vec![Authorized(auth()), Declined],
//!         Capture(_) => vec![Captured(charge())],                   // `gave_up` is added by the kit
//!     })
//!     .commands(|_scene| vec![GuestCanceled, HostAccepted])         // what people may try; a refusal is fine
//!     .facts(|scene| late_webhooks(scene.state, scene.world))       // what nobody asked for
//!     .repeats(1)                                                   // any one outcome may be heard again
//!     .contested()                                                  // a step that takes something may find it taken
//!     .walk()
//!     .always("captured covers refunds", |at| at.world.captured >= at.world.refunded)
//!     .at_every_end("the books are square", |at| at.world.held == 0)
//!     .no_effect_outcome_is_ever_refused()
//!     .always_ends();
//! ```
//!
//! Several that talk to each other, since an invariant over money spans the booking and its payment:
//!
//! ```text
//! Network::new(Books::default(), noon())
//!     .with(Player::<Booking, Books>::new().commands(…).fold(…))
//!     .with(Player::<Payment, Books>::new().outcomes(…).facts(…).fold(…))
//!     .start::<Booking>(booking, "bkg_1", &terms())
//!     .walk()
//!     .always(…)
//!     .no_fact_is_ever_refused()
//!     .always_ends();
//! ```
//!
//! Tells and spawns to workflows of the network travel as in the engine: each arrives once, in any order, at any later moment.
//! Those to other workflows (mail, say) leave the network and are seen only by `fold`.
//!
//! **What is a node.** The runs' inputs, states, pending effects and armed timers, what is under way between them, the world and the
//! clock. Nodes that agree in all of it are one node, so the world should hold sums, not histories.
//!
//! **Time.** The clock moves only when a timer fires (any run's next one may be the one: workers can be late) or at an instant named
//! by `pauses` (the moment before and after a refund's deadline). A run with a due timer takes nothing else before it.

mod check;
mod player;
#[cfg(test)]
mod tests;
mod walk;

use crate::{RunId, Spawn, Step, Timestamp, Workflow};
pub use check::{Explored, Moment};
use player::Seat;
pub use player::{Player, Scene, Turn, Why};
use serde::Serialize;
use std::rc::Rc;
use uuid::Uuid;

/// How much to explore.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    nodes: usize,
    repeats: u8,
    contested: bool,
    pauses: Vec<Timestamp>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { nodes: 100_000, repeats: 0, contested: false, pauses: vec![] }
    }
}

/// Runs of several workflows that exchange tells and spawns, and one world around them.
pub struct Network<World> {
    seats: Vec<Rc<dyn Seat<World>>>,
    starts: Vec<Spawn>,
    world: World,
    now: Timestamp,
    bounds: Bounds,
    /// Whether transcripts say whose turn it was.
    names: bool,
}

impl<World: Clone + Serialize + 'static> Network<World> {
    /// A network without runs; `world` is what the outside holds before anything happened.
    #[must_use]
    pub fn new(world: World, now: Timestamp) -> Self {
        Self { seats: vec![], starts: vec![], world, now, bounds: Bounds::default(), names: true }
    }

    /// Adds a workflow with what may happen to its runs.
    #[must_use]
    pub fn with<W: Workflow>(mut self, player: Player<W, World>) -> Self {
        self.seats.push(Rc::new(player));
        self
    }

    /// Starts a run of one of the workflows.
    #[must_use]
    pub fn start<W: Workflow>(mut self, run: RunId, key: &str, input: &W::Input) -> Self {
        self.starts.extend(Step::<W>::stay().spawn::<W>(run, key, input).spawns);
        self
    }

    /// Lets outcomes be heard again, at most this many times on one path: a webhook that repeats what the answer said.
    #[must_use]
    pub fn repeats(mut self, times: u8) -> Self {
        self.bounds.repeats = times;
        self
    }

    /// Lets every step that [`takes`](Step::takes) something find it taken, too.
    #[must_use]
    pub fn contested(mut self) -> Self {
        self.bounds.contested = true;
        self
    }

    /// Lets the clock rest at these instants, so that commands come before, at and after them.
    #[must_use]
    pub fn pauses(mut self, instants: impl IntoIterator<Item = Timestamp>) -> Self {
        self.bounds.pauses.extend(instants);
        self.bounds.pauses.sort_unstable();
        self
    }

    /// Gives up past this many nodes (100,000 unless said otherwise).
    #[must_use]
    pub fn at_most(mut self, nodes: usize) -> Self {
        self.bounds.nodes = nodes;
        self
    }

    /// Goes everywhere.
    ///
    /// # Panics
    /// When the bound is hit, an effect has no outcome, or a workflow panics; each with the way there.
    #[track_caller]
    #[must_use = "walking checks nothing by itself"]
    pub fn walk(self) -> Explored<World> {
        walk::walk(self)
    }
}

/// Explores one workflow on its own. Tells and spawns leave it and are seen only by the world's fold.
#[must_use]
pub fn explore<W: Workflow>(input: W::Input, now: Timestamp) -> Solo<W, ()> {
    Solo { network: Network { names: false, ..Network::new((), now) }, player: Player::new(), input }
}

/// The exploration of one workflow, being described.
pub struct Solo<W: Workflow, World> {
    network: Network<World>,
    player: Player<W, World>,
    input: W::Input,
}

impl<W: Workflow> Solo<W, ()> {
    /// Says what the outside world holds, folded from the turns. Comes first, since the other answers may depend on it.
    ///
    /// # Panics
    /// When something else was said before.
    #[must_use]
    #[track_caller]
    pub fn world<World: Clone + Serialize + 'static>(
        self,
        world: World,
        fold: impl Fn(&mut World, &Turn<'_, W>) + 'static,
    ) -> Solo<W, World> {
        assert!(self.player.is_blank(), "{}: `world` comes directly after `explore`", W::NAME);
        let Network { now, bounds, .. } = self.network;
        let network = Network { names: false, bounds, ..Network::new(world, now) };
        Solo { network, player: Player::new().fold(fold), input: self.input }
    }
}

impl<W: Workflow, World: Clone + Serialize + 'static> Solo<W, World> {
    /// Every event that performing this effect may bring, as the world stands. [`Workflow::gave_up`] is added by the kit.
    #[must_use]
    pub fn outcomes(mut self, outcomes: impl Fn(&W::Effect, &Scene<'_, W, World>) -> Vec<W::Event> + 'static) -> Self {
        self.player = self.player.outcomes(outcomes);
        self
    }

    /// What people may try in this state; a refusal is an answer to them and no defect.
    #[must_use]
    pub fn commands(mut self, commands: impl Fn(&Scene<'_, W, World>) -> Vec<W::Event> + 'static) -> Self {
        self.player = self.player.commands(commands);
        self
    }

    /// What the outside may say unasked in this state: late, again, out of order.
    #[must_use]
    pub fn facts(mut self, facts: impl Fn(&Scene<'_, W, World>) -> Vec<W::Event> + 'static) -> Self {
        self.player = self.player.facts(facts);
        self
    }

    /// See [`Network::repeats`].
    #[must_use]
    pub fn repeats(mut self, times: u8) -> Self {
        self.network = self.network.repeats(times);
        self
    }

    /// See [`Network::contested`].
    #[must_use]
    pub fn contested(mut self) -> Self {
        self.network = self.network.contested();
        self
    }

    /// See [`Network::pauses`].
    #[must_use]
    pub fn pauses(mut self, instants: impl IntoIterator<Item = Timestamp>) -> Self {
        self.network = self.network.pauses(instants);
        self
    }

    /// See [`Network::at_most`].
    #[must_use]
    pub fn at_most(mut self, nodes: usize) -> Self {
        self.network = self.network.at_most(nodes);
        self
    }

    /// See [`Network::walk`].
    #[track_caller]
    #[must_use = "walking checks nothing by itself"]
    pub fn walk(self) -> Explored<World> {
        let run = RunId::from_uuid(Uuid::from_u128(1));
        self.network.with(self.player).start::<W>(run, "solo", &self.input).walk()
    }
}
