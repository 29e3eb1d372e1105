//! The author's view: three small traits. `Workflow` decides and is pure, `Perform` acts on the world, `Project` writes what people read.

use crate::{Conflict, Fault, Lane, Policy, Refusal, Retention, RunId, Step, Timestamp, WorkId};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use std::future::Future;

/// What the engine stores: plain data that compares, serialises as JSON and never borrows.
pub trait Value: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + 'static> Value for T {}

/// One business process as a pure state machine.
///
/// States, events, effects and timers are enums in serde's default (externally tagged) form; their variant names are persisted for
/// ever. Nothing here does I/O, reads a clock or draws a random number: the same arguments give the same step, which is what lets
/// tests explore every interleaving and operators replay a run.
pub trait Workflow: Sized + Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The name in tables, metrics and commands; for ever.
    const NAME: &'static str;
    /// The highest shape of persisted values that this build writes. Raise it one release *after* the one that can read the new shape.
    const SHAPE: i16 = 1;
    /// The highest shape that this build reads, and so the highest that a run may have which it takes in hand. One more than
    /// [`SHAPE`](Self::SHAPE) in the release before that is raised: then going back to that release strands no run.
    const READS: i16 = Self::SHAPE;
    /// Fixed for the run's life; states carry only what they add.
    type Input: Value;
    /// The situation the run is in.
    type State: Value;
    /// Something that happened, in the past tense.
    type Event: Value;
    /// One call to an outside party, in the imperative.
    type Effect: Value;
    /// A named instant.
    type Timer: Value;

    /// The first step.
    fn start(input: &Self::Input, now: Timestamp) -> Step<Self>;

    /// Every later step: what this event means in this state.
    ///
    /// # Errors
    /// A [`Refusal`] when it means nothing: a person's command is answered with it, a fact is journalled as unexpected.
    fn on(input: &Self::Input, state: Self::State, event: Self::Event, now: Timestamp) -> Result<Step<Self>, Refusal>;

    /// The event that a due timer is.
    fn elapsed(timer: Self::Timer) -> Self::Event;

    /// Whether the run is finished in this state. A finished run still takes facts.
    fn is_final(state: &Self::State) -> bool;

    /// The event that a fact becomes when the step it led to wanted something that was taken; `None` journals it as unexpected.
    fn contested(_event: Self::Event, _conflict: &Conflict) -> Option<Self::Event> {
        None
    }

    /// The event that lets the process go on after a *definite* failure with every attempt spent; `None` parks the work.
    fn gave_up(_effect: &Self::Effect) -> Option<Self::Event> {
        None
    }

    /// The command by which an operator ends a run, judged by [`on`](Self::on) like any other; `None`: it cannot be ended by hand,
    /// because nobody can say for the process what became of what it has begun.
    fn canceled_by_operator() -> Option<Self::Event> {
        None
    }

    /// How an effect is tried: queue, attempts, back-off, time limit.
    fn policy(_effect: &Self::Effect) -> Policy {
        Policy::default()
    }

    /// The lane that an effect is tried in, when only so many of its kind may be under way at once; `None` sets no limit.
    ///
    /// Work of a lane is always claimed from the database, never by the commit that queues it: it starts a little later.
    fn lane(_input: &Self::Input, _effect: &Self::Effect) -> Option<Lane> {
        None
    }

    /// How long a finished run is kept, and where; a configuration may say otherwise.
    #[must_use]
    fn retention() -> Retention {
        Retention::default()
    }

    /// The request's bytes, fixed with the turn that queued the effect, so that a later build repeats the same bytes.
    fn request(_input: &Self::Input, _effect: &Self::Effect) -> Option<String> {
        None
    }
}

/// One try at an effect: what `perform` may know about it.
#[derive(Clone, Debug)]
pub struct Attempt<W: Workflow> {
    /// The work, and through it the run.
    pub work: WorkId,
    /// The run's input.
    pub input: W::Input,
    /// The key for the outside party: `{environment}:{run}:{seq}:{n}`, the same at every try.
    pub key: String,
    /// The saved request, when the workflow makes one.
    pub request: Option<String>,
    /// 1 at the first try.
    pub number: i32,
    /// The business clock when this try was claimed.
    pub now: Timestamp,
}

impl<W: Workflow> Attempt<W> {
    /// The run that this effect belongs to.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.work.run
    }
}

/// What an outside party says about an earlier try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<E> {
    /// It happened, and this was the outcome.
    Done(E),
    /// It definitely did not happen.
    Absent,
    /// The party cannot say; repeating under the same key is safe only inside the policy's window.
    Unknown,
}

/// The hands of a workflow: one call on one port per effect.
pub trait Perform<W: Workflow>: Send + Sync + 'static {
    /// Does it and says what happened. May run more than once under the same key.
    fn perform(&self, cx: &Attempt<W>, effect: W::Effect) -> impl Future<Output = Result<W::Event, Fault>> + Send;

    /// Asks the outside party what became of an earlier try whose outcome is unknown.
    fn look_up(
        &self,
        _cx: &Attempt<W>,
        _effect: &W::Effect,
    ) -> impl Future<Output = Result<Found<W::Event>, Fault>> + Send {
        async { Ok(Found::Unknown) }
    }
}

/// One run that changed in this commit, in its latest state.
#[derive(Clone, Debug)]
pub struct Changed<W: Workflow> {
    /// The run.
    pub run: RunId,
    /// Its input.
    pub input: W::Input,
    /// Its state after the commit.
    pub state: W::State,
    /// The number of its latest turn that moved it.
    pub seq: i32,
    /// The instant of that turn.
    pub at: Timestamp,
}

/// Why rows could not be written.
#[derive(Debug)]
pub enum ProjectError<E> {
    /// A unique key says that something scarce is taken: a legitimate outcome of a step that [`takes`](Step::takes).
    Taken(Conflict),
    /// The storage failed.
    Storage(E),
}

impl<E> From<E> for ProjectError<E> {
    fn from(error: E) -> Self {
        Self::Storage(error)
    }
}

/// No hands at all: for a process that looks, decides and proves, but calls nobody. What it is given all the same is parked.
impl<W: Workflow, P: Perform<W>> Perform<W> for Option<P> {
    async fn perform(&self, cx: &Attempt<W>, effect: W::Effect) -> Result<W::Event, Fault> {
        match self {
            Some(hands) => hands.perform(cx, effect).await,
            None => Err(Fault::misconfigured("this process has no hands")),
        }
    }

    async fn look_up(&self, cx: &Attempt<W>, effect: &W::Effect) -> Result<Found<W::Event>, Fault> {
        match self {
            Some(hands) => hands.look_up(cx, effect).await,
            None => Err(Fault::misconfigured("this process has no hands")),
        }
    }
}

/// The rows that people read, as a function of state: it may be run again at any time and gives the same rows.
pub trait Project<Tx>: Workflow {
    /// The storage's own error.
    type Error: Send;

    /// The tables that it writes, each with the column that holds the run's id: what a re-projection compares.
    const ROWS: &'static [(&'static str, &'static str)] = &[];

    /// Brings the rows of these runs in line with their states, one statement per table for the whole slice.
    fn project(
        tx: &Tx,
        changed: &[Changed<Self>],
    ) -> impl Future<Output = Result<(), ProjectError<Self::Error>>> + Send;
}
