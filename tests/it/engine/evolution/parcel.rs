//! One workflow in three builds: a parcel is weighed, rests, is labelled and sent. The next build also checks it, and knows whether
//! it is fragile; the build between them reads that already and does not write it yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::{
    Attempt, Changed, Fault, Found, Perform, Project, ProjectError, Refusal, Registry, RunId, Step, Timestamp, Tx,
    Workflow,
};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

/// How long a parcel rests.
pub(super) const REST: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Timer {
    Rested,
}

/// The release that is out.
pub(super) mod old {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    pub(in super::super) struct Parcel;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(in super::super) enum State {
        Asked,
        Resting { grams: u32 },
        Labelling { grams: u32 },
        Sent,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(in super::super) enum Event {
        Weighed { grams: u32 },
        Elapsed(Timer),
        Labelled,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(in super::super) enum Effect {
        Weigh,
    }

    impl Workflow for Parcel {
        const NAME: &'static str = "parcel";
        type Input = RunId;
        type State = State;
        type Event = Event;
        type Effect = Effect;
        type Timer = Timer;

        fn start(_: &RunId, _: Timestamp) -> Step<Self> {
            Step::to(State::Asked).run(Effect::Weigh)
        }

        fn on(this: &RunId, state: State, event: Event, now: Timestamp) -> Result<Step<Self>, Refusal> {
            Ok(match (state, event) {
                (State::Asked, Event::Weighed { grams }) => {
                    Step::to(State::Resting { grams }).timer(Timer::Rested, now + REST)
                }
                (State::Resting { grams }, Event::Elapsed(Timer::Rested)) => {
                    Step::to(State::Labelling { grams }).spawn::<Label>(Label::of(*this), this.to_string(), this)
                }
                (State::Labelling { .. }, Event::Labelled) => Step::to(State::Sent),
                _ => return Err(Refusal::out_of_turn()),
            })
        }

        fn elapsed(timer: Timer) -> Event {
            Event::Elapsed(timer)
        }

        fn is_final(state: &State) -> bool {
            *state == State::Sent
        }
    }

    impl Project<Tx> for Parcel {
        type Error = DbErr;
        async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
            Ok(())
        }
    }

    impl Perform<Parcel> for Scales {
        async fn perform(&self, _: &Attempt<Parcel>, Effect::Weigh: Effect) -> Result<Event, Fault> {
            Ok(Event::Weighed { grams: self.weigh() })
        }
    }
}

/// The next release, as `SHAPE` 2; as 1 it is the release before it, which reads the new shape and writes the old one.
pub(super) mod new {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    pub(in super::super) struct Parcel<const SHAPE: i16>;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(in super::super) enum State {
        Asked,
        Resting {
            grams: u32,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            fragile: Option<bool>,
        },
        Checking {
            grams: u32,
        },
        Labelling {
            grams: u32,
        },
        Sent,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(in super::super) enum Event {
        Weighed {
            grams: u32,
        },
        Elapsed(Timer),
        Labelled,
        Checked,
        /// Somebody looks at it: every state knows what that means.
        Inspected,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(in super::super) enum Effect {
        Weigh,
        Check,
    }

    impl<const SHAPE: i16> Workflow for Parcel<SHAPE> {
        const NAME: &'static str = "parcel";
        const SHAPE: i16 = SHAPE;
        const READS: i16 = 2;
        type Input = RunId;
        type State = State;
        type Event = Event;
        type Effect = Effect;
        type Timer = Timer;

        fn start(_: &RunId, _: Timestamp) -> Step<Self> {
            Step::to(State::Asked).run(Effect::Weigh)
        }

        fn on(this: &RunId, state: State, event: Event, now: Timestamp) -> Result<Step<Self>, Refusal> {
            use {Event as E, State as S};
            let labelling =
                |grams| Step::to(S::Labelling { grams }).spawn::<Label>(Label::of(*this), this.to_string(), this);
            Ok(match (state, event) {
                (S::Asked, E::Weighed { grams }) => {
                    let fragile = (SHAPE > 1).then_some(grams < 100);
                    Step::to(S::Resting { grams, fragile }).timer(Timer::Rested, now + REST)
                }
                (S::Resting { grams, .. }, E::Inspected) => Step::to(S::Checking { grams }).run(Effect::Check),
                (S::Resting { grams, .. }, E::Elapsed(Timer::Rested)) if SHAPE > 1 => {
                    Step::to(S::Checking { grams }).run(Effect::Check)
                }
                (S::Resting { grams, .. }, E::Elapsed(Timer::Rested)) | (S::Checking { grams }, E::Checked) => {
                    labelling(grams)
                }
                (S::Labelling { .. }, E::Labelled) => Step::to(S::Sent),
                (_, E::Inspected) => Step::stay(),
                _ => return Err(Refusal::out_of_turn()),
            })
        }

        fn elapsed(timer: Timer) -> Event {
            Event::Elapsed(timer)
        }

        fn is_final(state: &State) -> bool {
            *state == State::Sent
        }
    }

    impl<const SHAPE: i16> Project<Tx> for Parcel<SHAPE> {
        type Error = DbErr;
        async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
            Ok(())
        }
    }

    impl<const SHAPE: i16> Perform<Parcel<SHAPE>> for Scales {
        async fn perform(&self, _: &Attempt<Parcel<SHAPE>>, effect: Effect) -> Result<Event, Fault> {
            Ok(match effect {
                Effect::Weigh => Event::Weighed { grams: self.weigh() },
                Effect::Check => Event::Checked,
            })
        }
    }
}

/// The label of a parcel: a run of its own that tells the parcel when it is printed. The same in every build.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Label;

impl Label {
    fn of(parcel: RunId) -> RunId {
        RunId::derive("label", &parcel.to_string(), parcel)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Printed {
    Printed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Nothing {}

impl Workflow for Label {
    const NAME: &'static str = "label";
    type Input = RunId;
    type State = Printed;
    type Event = Nothing;
    type Effect = Nothing;
    type Timer = Nothing;

    fn start(parcel: &RunId, _: Timestamp) -> Step<Self> {
        Step::to(Printed::Printed).tell::<old::Parcel>(*parcel, &old::Event::Labelled)
    }

    fn on(_: &RunId, _: Printed, event: Nothing, _: Timestamp) -> Result<Step<Self>, Refusal> {
        match event {}
    }

    fn elapsed(timer: Nothing) -> Nothing {
        timer
    }

    fn is_final(_: &Printed) -> bool {
        true
    }
}

impl Project<Tx> for Label {
    type Error = DbErr;
    async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

impl Perform<Label> for Scales {
    async fn perform(&self, _: &Attempt<Label>, effect: Nothing) -> Result<Nothing, Fault> {
        match effect {}
    }

    async fn look_up(&self, _: &Attempt<Label>, _: &Nothing) -> Result<Found<Nothing>, Fault> {
        Ok(Found::Unknown)
    }
}

/// The outside party of every build: counts how often it was asked.
#[derive(Clone, Default)]
pub(super) struct Scales(Arc<AtomicUsize>);

impl Scales {
    fn weigh(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed);
        250
    }

    pub(super) fn asked(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A build, by what it makes of a parcel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Build {
    Old,
    Bridge,
    New,
}

impl Build {
    pub(super) fn registry(self, scales: &Scales) -> Registry {
        let registry = Registry::new().register::<Label>(scales.clone());
        match self {
            Self::Old => registry.register::<old::Parcel>(scales.clone()),
            Self::Bridge => registry.register::<new::Parcel<1>>(scales.clone()),
            Self::New => registry.register::<new::Parcel<2>>(scales.clone()),
        }
    }
}
