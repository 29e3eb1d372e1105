//! A small world to test the kit with: a lamp that a guest may leave, a guard who waits for the dark, and mistakes to plant.

use super::explore::{Player, Turn};
use super::samples::Samples;
use crate::{Conflict, Fact, Refusal, RunId, Step, Timestamp, Workflow};
use chrono::{TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lamp;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Mistake {
    /// A lamp that comes on after everybody left is an event nobody expects.
    ForgetsTheLateLamp,
    /// Leaving does not switch the lamp off.
    LeavesItOn,
    /// Without bedtime the lamp burns until somebody leaves.
    HasNoBedtime,
    /// And then nobody may leave.
    LocksTheDoor,
    /// Out of patience it asks again instead of giving up.
    AsksTwice,
    /// Every patience is followed by another.
    WaitsForEver,
    /// The guard who went home does not expect the dark any more.
    GuardGoesHome,
    /// It takes what `contested` has never heard of.
    TakesTheBulb,
    /// What was said before is not expected a second time.
    HatesEchoes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Room {
    pub(super) mistake: Option<Mistake>,
    pub(super) guard: Option<RunId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum State {
    Asked,
    Lit { since: Timestamp },
    Dark,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    SwitchedOn,
    Broken,
    SwitchedOff,
    Left,
    Elapsed(Timer),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Effect {
    SwitchOn,
    SwitchOff,
    Greet { name: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Timer {
    Patience,
    Bedtime,
}

fn dark(room: &Room) -> Step<Lamp> {
    Step::to(State::Dark).when(room.guard, |step, guard| step.tell::<Guard>(guard, &Watch::Darkened))
}

impl Workflow for Lamp {
    const NAME: &'static str = "lamp";
    type Input = Room;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(room: &Room, now: Timestamp) -> Step<Self> {
        let bedtime = (room.mistake != Some(Mistake::HasNoBedtime) && room.mistake != Some(Mistake::LocksTheDoor))
            .then_some(Timer::Bedtime);
        Step::to(State::Asked)
            .run(Effect::SwitchOn)
            .timer(Timer::Patience, now + TimeDelta::minutes(5))
            .when(bedtime, |step, bedtime| step.deadline(bedtime, now + TimeDelta::hours(8)))
            .when(room.guard, |step, guard| step.spawn::<Guard>(guard, "guard", room))
    }

    fn on(room: &Room, state: State, event: Event, now: Timestamp) -> Result<Step<Self>, Refusal> {
        use {Event::*, State::*};
        let mistake = |planted| room.mistake == Some(planted);
        Ok(match (state, event) {
            (Asked, SwitchedOn) => {
                Step::to(Lit { since: now }).takes(if mistake(Mistake::TakesTheBulb) { "bulb" } else { "lamp" })
            }
            (Asked, Elapsed(Timer::Patience)) if mistake(Mistake::AsksTwice) => Step::stay().run(Effect::SwitchOn),
            (Asked, Elapsed(Timer::Patience)) if mistake(Mistake::WaitsForEver) => {
                Step::stay().timer(Timer::Patience, now + TimeDelta::minutes(5))
            }
            (Asked, Broken) => dark(room),
            (Asked, Left | Elapsed(_)) => dark(room).withdraw(Effect::SwitchOn),
            (Lit { .. }, Left) if mistake(Mistake::LocksTheDoor) => {
                return Err(Refusal::new("locked", "nobody leaves"));
            }
            (Lit { .. }, Left) if mistake(Mistake::LeavesItOn) => dark(room),
            (Lit { .. }, SwitchedOn) if !mistake(Mistake::HatesEchoes) => Step::ignore("it is on"),
            (Lit { since }, Left | Elapsed(Timer::Bedtime)) => {
                dark(room).run(Effect::SwitchOff).post(Fact::new("burnt", &(now - since).num_minutes()))
            }
            (Dark, SwitchedOn) if !mistake(Mistake::ForgetsTheLateLamp) => Step::stay().run(Effect::SwitchOff),
            (Dark, SwitchedOff | Broken) => Step::ignore("it is dark"),
            _ => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed(timer: Timer) -> Event {
        Event::Elapsed(timer)
    }

    fn is_final(state: &State) -> bool {
        matches!(state, State::Dark)
    }

    fn contested(event: Event, conflict: &Conflict) -> Option<Event> {
        (event == Event::SwitchedOn && conflict.wanted == "lamp").then_some(Event::Broken)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Guard;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Post {
    Watching,
    Home,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Watch {
    Darkened,
    ShiftOver,
}

impl Workflow for Guard {
    const NAME: &'static str = "guard";
    type Input = Room;
    type State = Post;
    type Event = Watch;
    type Effect = ();
    type Timer = ();

    fn start(_: &Room, now: Timestamp) -> Step<Self> {
        Step::to(Post::Watching).timer((), now + TimeDelta::hours(6))
    }

    fn on(room: &Room, state: Post, event: Watch, _: Timestamp) -> Result<Step<Self>, Refusal> {
        Ok(match (state, event) {
            (Post::Watching, _) => Step::to(Post::Home),
            (Post::Home, Watch::Darkened) if room.mistake != Some(Mistake::GuardGoesHome) => {
                Step::ignore("at home already")
            }
            (Post::Home, _) => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed((): ()) -> Watch {
        Watch::ShiftOver
    }

    fn is_final(state: &Post) -> bool {
        *state == Post::Home
    }
}

/// How many lamps burn, by the electrician's own books.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Books {
    pub(super) burning: i32,
}

pub(super) fn noon() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).single().expect("noon exists")
}

pub(super) fn room() -> Room {
    Room { mistake: None, guard: None }
}

pub(super) fn room_with(mistake: Mistake) -> Room {
    Room { mistake: Some(mistake), guard: None }
}

pub(super) fn guarded(mistake: Option<Mistake>) -> Room {
    Room { mistake, guard: Some(RunId::from_uuid(Uuid::from_u128(7))) }
}

pub(super) fn player() -> Player<Lamp, Books> {
    Player::new()
        .outcomes(|effect, _| match effect {
            Effect::SwitchOn => vec![Event::SwitchedOn, Event::Broken],
            Effect::SwitchOff => vec![Event::SwitchedOff],
            Effect::Greet { .. } => vec![],
        })
        .commands(|_| vec![Event::Left])
        .fold(|books: &mut Books, turn: &Turn<'_, Lamp>| match (turn.answers, turn.event) {
            // A lamp that somebody else has taken burns on their account.
            (Some(Effect::SwitchOn), Some(Event::SwitchedOn)) if turn.instead.is_none() => books.burning += 1,
            (Some(Effect::SwitchOff), Some(Event::SwitchedOff)) => books.burning = (books.burning - 1).max(0),
            _ => {}
        })
}

pub(super) fn samples() -> Samples<Lamp> {
    Samples::of(room())
        .states([State::Asked, State::Lit { since: noon() }, State::Dark])
        .events([Event::SwitchedOn, Event::Broken, Event::SwitchedOff, Event::Left, Event::Elapsed(Timer::Patience)])
        .effects([Effect::SwitchOn, Effect::SwitchOff, Effect::Greet { name: None }])
        .timers([Timer::Patience, Timer::Bedtime])
}

pub(super) const TABLE: &str = "\
start with {guard: none, mistake: none}
  → Asked  run SwitchOn, timer Patience, timer Bedtime

Asked
  SwitchedOn         → Lit  takes lamp
  Broken             → Dark
  Left               → Dark  withdraw SwitchOn
  Elapsed(Patience)  → Dark  withdraw SwitchOn
  Elapsed(Bedtime)   → Dark  withdraw SwitchOn
  refused out_of_turn: SwitchedOff

Lit{since: 2026-05-01T12:00Z}
  SwitchedOn        stays  ignored: it is on
  Left              → Dark  run SwitchOff, post burnt
  Elapsed(Bedtime)  → Dark  run SwitchOff, post burnt
  refused out_of_turn: Broken, SwitchedOff, Elapsed(Patience)

Dark  (final)
  SwitchedOn   stays  run SwitchOff
  Broken       stays  ignored: it is dark
  SwitchedOff  stays  ignored: it is dark
  refused out_of_turn: Left, Elapsed(Patience), Elapsed(Bedtime)";
