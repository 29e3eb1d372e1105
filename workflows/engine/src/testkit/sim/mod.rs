//! The engine, simulated: the product's own decisions over rows in memory, on a clock that jumps, with everything going wrong.
//!
//! One seed is a whole world in one thread: three processes that claim, execute, commit, beat, sweep, stand still and die; thirty
//! stalls that contend for pitches on a market; four wardens that walk their rounds by the clock; clients that ask twice; and an outside party that keeps its own books. After a while
//! everything heals, an operator retries what is parked, and when all is at rest the world is judged.
//!
//! What is the product's own: every turn (`Desk::decide`), what a lease asks for and what a try leads to (`attempt`), the hands,
//! what a failed commit means for an input (`Failure::alone`), the workflow rules, the chain and the replay. What stands in: the
//! storage (`memory`, `claims`), the scheduling of tasks and groups (`process`, `writing`) and time. That the storage is like the
//! databases is proven act by act, against both of them: [`conform()`].
//!
//! # What must hold
//!
//! | in words | seen where | what is said otherwise |
//! |---|---|---|
//! | what was acknowledged is there, and every run ends | clients' answers against the tables | `was acknowledged and is lost`, `is left in` |
//! | an effect goes out under one key, and is done once | the party's books | `went out under two keys`, `was done {times} times` |
//! | nobody calls out for work that somebody else holds alive | at every claim, rescue and call | `is claimed while somebody holds it`, `is taken from a process that is alive`, `is called out for without its lease` |
//! | a late completion is refused | at every decision | `a late completion of` |
//! | an event is journalled once; the chain verifies; every turn replays | every journal | `in twice`, `does not replay` |
//! | due timers come first, at their own instants | every journal, against the timers as they were set | `which was due first`, `fired at` |
//! | a pitch has one holder at a time | at every commit | `is held by` |
//! | every effect, spawn and tell comes to its one end | work as it was queued against the journals | `was queued twice`, `effect {work} was`, `was spawned by`, `never heard`, `letters were to be written` |
//! | money and facts are what the states say | the party's books and the fact log against the runs | `and the party keeps`, `did not post one fact` |
//! | no more are under way in a lane than it is wide | at every claim of lanes | `attempts are under way in a lane` |
//! | nothing is begun while an operator holds its queue or workflow back | at every claim and every lease of a commit | `is begun while` |
//! | a party is called no faster than its rate, and left alone while its circuit rests | at every claim from its queue | `calls are claimed` |
//! | work that kills its process is put aside after so many deaths, and only for deaths; mended and retried, it is done | at every claim and try | `deaths are held against`, `is put aside after`, `is tried after`, `was never put aside` |
//! | a run that was put away is whole, and a late fact brings it back | all of the above is judged with the archive and what it has forgotten | `of a run that was put away` |
//! | a schedule's instant fires once, none while it is paused, and missed ones by its policy | at every look and commit, and over the whole season | `is to begin the round`, `begins the round of`, `rounds were begun`, `has missed the rounds` |
//! | nothing is stuck | the work table at the end | `is left, try`, `are not done` |
//!
//! The same seed gives the same world, and the same hash of its log. `INNKEEPER_FAULTS` and
//! [`with_planted`](crate::faults::with_planted) plant the bugs that the simulation must see.

mod archive;
mod claims;
mod clients;
mod conform;
mod dice;
mod judge;
mod log;
mod market;
mod memory;
mod mischief;
mod party;
mod process;
mod wardens;
mod world;
mod writing;

pub use conform::{Conformed, conform};
pub use mischief::{KINDS, Mischief};

use std::fmt;
use world::World;

/// Runs that every seed has at least, and turns in their journals.
const RUNS: usize = 50;
const EVENTS: usize = 200;

/// What one seed was like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Runs that were begun.
    pub runs: usize,
    /// Turns in their journals.
    pub events: usize,
    /// Calls that reached the outside party.
    pub calls: u32,
    /// How often runs were put away, brought back by a late fact, and forgotten.
    pub archived: u32,
    /// See [`archived`](Self::archived).
    pub restored: u32,
    /// See [`archived`](Self::archived).
    pub forgotten: u32,
    /// Rounds of the schedules that were begun, and instants that their policies passed over.
    pub rounds: u32,
    /// See [`rounds`](Self::rounds).
    pub missed: u32,
    /// Commits of groups of which something was decided from memory, and those that found it changed.
    pub recalled: u32,
    /// See [`recalled`](Self::recalled).
    pub outdated: u32,
    /// How often a party's rate or circuit let nobody claim, and how often its circuit opened.
    pub throttled: u32,
    /// See [`throttled`](Self::throttled).
    pub openings: u32,
    /// How often each kind of mischief struck.
    pub hits: Vec<(Mischief, u32)>,
    /// Of the log and of every journal's head: equal for equal seeds.
    pub hash: u64,
}

impl Seen {
    /// What it has too little of to prove anything: every seed has so many runs and turns, and every kind of mischief strikes in it.
    #[must_use]
    pub fn lacks(&self) -> Option<String> {
        let spared = self.hits.iter().find(|(_, hits)| *hits == 0);
        match (self.runs, self.events, spared) {
            (runs @ ..RUNS, _, _) => Some(format!("only {runs} runs, of {RUNS} at least")),
            (_, events @ ..EVENTS, _) => Some(format!("only {events} events, of {EVENTS} at least")),
            (_, _, Some((kind, _))) => Some(format!("no process that {}", kind.name())),
            _ => None,
        }
    }
}

/// A seed in which something does not hold.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// What does not hold, in words.
    pub wrong: Vec<String>,
    /// What happened, line by line.
    pub log: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, wrong, log } = self;
        writeln!(f, "{log}\nin seed {seed} this does not hold:")?;
        wrong.iter().try_for_each(|wrong| writeln!(f, "  {wrong}"))?;
        write!(f, "again, alone: INNKEEPER_SIM_SEED={seed} ./ops/simulate")
    }
}

/// Simulates one seed.
///
/// # Errors
/// When something does not hold, with the story of the seed.
pub fn simulate(seed: u64) -> Result<Seen, Box<Broken>> {
    let mut world = World::new(seed, false);
    world.run();
    let wrong = world.judge();
    if wrong.is_empty() { Ok(world.seen()) } else { Err(Box::new(told(seed))) }
}

/// The story of a seed, line by line.
#[must_use]
pub fn tell(seed: u64) -> String {
    told(seed).log
}

/// The same seed once more, for somebody to read.
fn told(seed: u64) -> Broken {
    let mut world = World::new(seed, true);
    world.run();
    Broken { seed, wrong: world.judge(), log: world.log.lines().to_owned() }
}

impl World {
    fn seen(&mut self) -> Seen {
        let heads: Vec<_> = self.memory.runs.values().map(|row| row.head.clone()).collect();
        heads.iter().for_each(|head| self.log.feed(head));
        Seen {
            runs: self.memory.runs.len(),
            events: self.memory.journal.values().map(Vec::len).sum(),
            calls: self.party.books().calls,
            rounds: self.oracle.rounds.begun(),
            missed: self.oracle.rounds.missed,
            archived: self.oracle.archived,
            restored: self.oracle.restored,
            forgotten: self.oracle.purged,
            recalled: self.oracle.recalled,
            outdated: self.oracle.outdated,
            throttled: self.oracle.throttled,
            openings: self.oracle.openings,
            hits: self.plan.hits().collect(),
            hash: self.log.hash(),
        }
    }
}

#[cfg(test)]
mod tests;
