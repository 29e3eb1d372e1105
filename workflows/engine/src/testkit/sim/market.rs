//! The workload: stalls on a market that contend for pitches, pay for them, write letters and greet their neighbours.

use super::party::Party;
use super::wardens::Tick;
use crate::{
    Changed, Conflict, Fact, Lane, Limits, Patience, Policy, Project, ProjectError, Rate, Refusal, RunId, Step,
    Timestamp, Tx, Workflow,
};
use chrono::TimeDelta;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where letters wait for the post, an outside party that is called no faster than it can bear, and left alone when it fails.
pub(super) const POST: &str = "post";
pub(super) const RATE: Rate = Rate { per_second: 4.0, burst: 3 };
const PATIENCE: Patience = Patience {
    failures: 2,
    within: Duration::from_secs(10),
    rest: Duration::from_millis(500),
    longest: Duration::from_secs(2),
};

/// Patrols of an open stall.
const PATROLS: u8 = 3;

/// A stall: it holds a pitch, pays, opens, and closes; or it is late, called off, or unlucky.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stall;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) me: RunId,
    pub(super) pitch: u32,
    pub(super) neighbour: RunId,
    /// Seconds until an unpaid pitch is given up.
    pub(super) hold: i64,
    /// Seconds until an open stall closes.
    pub(super) day: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum State {
    Held,
    Open {
        patrols: u8,
        letters: u8,
    },
    /// The fee is on its way back.
    Closing,
    Refunded,
    Closed,
    /// The hold ran out; a late payment may still take the pitch.
    Expired,
    /// Called off before it was paid; a late payment goes back.
    Withdrawn,
    /// The payment was refused.
    Lost,
}

impl State {
    /// Whether the stall has its pitch to itself.
    pub(super) fn holds(&self) -> bool {
        matches!(self, Self::Held | Self::Open { .. })
    }

    /// How many fees the market should have in the end.
    pub(super) fn fees(&self) -> i32 {
        i32::from(matches!(self, Self::Open { .. } | Self::Closed))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    Paid,
    Declined,
    PaymentFailed,
    CalledOff,
    Recalled,
    Refunded,
    PitchGone,
    Lettered,
    Greeted(RunId),
    Elapsed(Timer),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Effect {
    Charge,
    Refund,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Timer {
    HoldEnds,
    Patrol,
    DayEnds,
}

fn open(terms: &Terms, now: Timestamp) -> Step<Stall> {
    letter(terms, "welcome", Step::to(State::Open { patrols: 0, letters: 0 }))
        .timer(Timer::Patrol, now + TimeDelta::seconds(terms.day / 4))
        .deadline(Timer::DayEnds, now + TimeDelta::seconds(terms.day))
        .tell::<Stall>(terms.neighbour, &Event::Greeted(terms.me))
        .post(Fact::new("opened", &terms.pitch))
}

fn letter(terms: &Terms, about: &str, step: Step<Stall>) -> Step<Stall> {
    let key = format!("{about}:{}", terms.me.uuid().simple());
    let run = RunId::derive(Letter::NAME, &key, terms.me);
    step.spawn::<Letter>(run, key, &terms.me)
}

impl Workflow for Stall {
    const NAME: &'static str = "stall";
    type Input = Terms;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(terms: &Terms, now: Timestamp) -> Step<Self> {
        Step::to(State::Held)
            .takes("pitch")
            .run(Effect::Charge)
            .timer(Timer::HoldEnds, now + TimeDelta::seconds(terms.hold))
    }

    fn on(terms: &Terms, state: State, event: Event, now: Timestamp) -> Result<Step<Self>, Refusal> {
        use Event as E;
        use State as S;
        Ok(match (state, event) {
            (S::Held, E::Paid) => open(terms, now),
            (S::Held, E::Declined | E::PaymentFailed) => Step::to(S::Lost),
            (S::Held, E::CalledOff) => Step::to(S::Withdrawn).withdraw(Effect::Charge),
            (S::Held, E::Elapsed(Timer::HoldEnds)) => Step::to(S::Expired).withdraw(Effect::Charge),
            (S::Open { .. }, E::CalledOff | E::Recalled) => Step::to(S::Closing).run(Effect::Refund),
            (S::Open { patrols, letters }, E::Elapsed(Timer::Patrol)) => {
                let again = (patrols + 1 < PATROLS).then(|| now + TimeDelta::seconds(terms.day / 4));
                Step::to(S::Open { patrols: patrols + 1, letters })
                    .when(again, |step, at| step.timer(Timer::Patrol, at))
            }
            (S::Open { .. }, E::Elapsed(Timer::DayEnds)) => {
                letter(terms, "farewell", Step::to(S::Closed)).post(Fact::new("closed", &terms.pitch))
            }
            (S::Open { patrols, letters }, E::Lettered) => Step::to(S::Open { patrols, letters: letters + 1 }),
            (S::Closing, E::Elapsed(Timer::DayEnds)) => Step::ignore("the stall is closing already"),
            (S::Closing, E::Refunded) => Step::to(S::Refunded),
            // The money came after all: the pitch is taken again, unless somebody else has it by now.
            (S::Expired, E::Paid) => open(terms, now).takes("pitch"),
            (S::Expired | S::Withdrawn, E::PitchGone | E::Paid) => Step::stay().run(Effect::Refund),
            (S::Expired | S::Withdrawn, E::Refunded | E::Declined | E::PaymentFailed) => Step::ignore("it is over"),
            (_, E::Lettered | E::Greeted(_)) => Step::ignore("pleasant, and without consequence"),
            _ => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed(timer: Timer) -> Event {
        Event::Elapsed(timer)
    }

    fn is_final(state: &State) -> bool {
        !matches!(state, State::Held | State::Open { .. } | State::Closing)
    }

    fn contested(event: Event, _: &Conflict) -> Option<Event> {
        (event == Event::Paid).then_some(Event::PitchGone)
    }

    fn gave_up(effect: &Effect) -> Option<Event> {
        (*effect == Effect::Charge).then_some(Event::PaymentFailed)
    }

    fn policy(_: &Effect) -> Policy {
        policy()
    }
}

/// Quick, so that a seed is short; the window is shorter than the party's memory, as everywhere.
fn policy() -> Policy {
    Policy {
        base: Duration::from_millis(200),
        cap: Duration::from_secs(5),
        time_limit: Duration::from_secs(3),
        safe_window: Duration::from_secs(20),
        ..Policy::default().attempts(4)
    }
}

/// A letter that a stall's turn sends and that answers when it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Letter;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Post {
    Writing,
    Sent,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Delivered;

impl Workflow for Letter {
    const NAME: &'static str = "letter";
    type Input = RunId;
    type State = Post;
    type Event = Delivered;
    type Effect = ();
    type Timer = ();

    fn start(_: &RunId, _: Timestamp) -> Step<Self> {
        Step::to(Post::Writing).run(())
    }

    fn on(parent: &RunId, state: Post, Delivered: Delivered, _: Timestamp) -> Result<Step<Self>, Refusal> {
        match state {
            Post::Writing => Ok(Step::to(Post::Sent).tell::<Stall>(*parent, &Event::Lettered)),
            Post::Sent => Err(Refusal::out_of_turn()),
        }
    }

    fn elapsed((): ()) -> Delivered {
        Delivered
    }

    fn is_final(state: &Post) -> bool {
        *state == Post::Sent
    }

    fn policy((): &()) -> Policy {
        Policy { queue: POST, ..policy() }
    }

    /// There are few postmen: one in the one street, two in the other.
    fn lane(parent: &RunId, (): &()) -> Option<Lane> {
        let odd = parent.uuid().as_u128() % 2 == 1;
        Some(if odd { Lane::wide("odd", 2) } else { Lane::single("even") })
    }
}

/// A round that a warden walks over the market: it is over when it has begun.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Walk {
    Begun,
}

impl Workflow for Round {
    const NAME: &'static str = "round";
    type Input = Tick;
    type State = Walk;
    type Event = ();
    type Effect = ();
    type Timer = ();

    fn start(_: &Tick, _: Timestamp) -> Step<Self> {
        Step::to(Walk::Begun)
    }

    fn on(_: &Tick, _: Walk, (): (), _: Timestamp) -> Result<Step<Self>, Refusal> {
        Err(Refusal::out_of_turn())
    }

    fn elapsed((): ()) {}

    fn is_final(_: &Walk) -> bool {
        true
    }
}

// The simulation's storage keeps the pitches itself; these are never called.

impl Project<Tx> for Stall {
    type Error = DbErr;

    async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

impl Project<Tx> for Letter {
    type Error = DbErr;

    async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

impl Project<Tx> for Round {
    type Error = DbErr;

    async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

/// The market's processes with one outside party for all of them.
pub(super) fn registry(party: &Party) -> crate::Registry {
    let post = crate::Party::new("post", &[POST]).limits(Limits { rate: Some(RATE), patience: PATIENCE });
    crate::Registry::new()
        .register::<Stall>(party.clone())
        .register::<Letter>(party.clone())
        .register::<Round>(party.clone())
        .party(post)
}
