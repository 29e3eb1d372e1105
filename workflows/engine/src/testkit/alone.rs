//! Two builds of any workflow: as it is, and as a next release that writes everything in another shape.
//!
//! The next build decides as the real one does, but keeps inputs, states, events, effects and timers in a new form that only it can
//! read; what the present build wrote it reads too. So a deploy forth and back can be played with the product's own processes, at
//! every state of theirs, before there is a next release.
//!
//! Both play *alone*: they start and tell nobody and project no rows, so that a run can be led along a [recorded](super::recorded())
//! way, whatever others would say to it.

use crate::step::{encode, variant};
use crate::{
    Armed, Attempt, Changed, Conflict, Fault, Found, Lane, Perform, Policy, Project, ProjectError, Refusal, Retention,
    RunId, Step, Timestamp, Tx, WorkId, Workflow,
};
use sea_orm::DbErr;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// `W` without others: as it is (`AHEAD` 0), or as a next build writes it (1).
#[derive(Clone, Debug, PartialEq)]
pub struct Alone<W, const AHEAD: i16>(PhantomData<fn() -> W>);

/// A value in the shape of that build.
#[derive(Clone, Debug, PartialEq)]
pub struct Written<T, const AHEAD: i16>(pub T);

/// What the next build puts in the place of a variant's fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ahead {
    release: i16,
    was: Box<RawValue>,
}

impl<T: Serialize, const AHEAD: i16> Serialize for Written<T, AHEAD> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if AHEAD == 0 {
            return self.0.serialize(to);
        }
        let text = encode(&self.0);
        let name = variant(&text).to_owned();
        let was = RawValue::from_string(text).map_err(serde::ser::Error::custom)?;
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry(&name, &Ahead { release: AHEAD, was })?;
        map.end()
    }
}

impl<'de, T: DeserializeOwned, const AHEAD: i16> Deserialize<'de> for Written<T, AHEAD> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(from)?;
        let ahead = match AHEAD {
            0 => None,
            _ => serde_json::from_str::<BTreeMap<String, Ahead>>(text.get()).ok(),
        };
        let was = ahead.and_then(|map| map.into_values().next()).map_or(text, |ahead| ahead.was);
        serde_json::from_str(was.get()).map(Self).map_err(D::Error::custom)
    }
}

fn alone<W: Workflow, const AHEAD: i16>(step: Step<W>) -> Step<Alone<W, AHEAD>> {
    let Step { state, effects, timers, withdrawn, spawns: _, tells: _, facts, takes, ignored } = step;
    let armed = |Armed { timer, at, scope }| Armed { timer: Written(timer), at, scope };
    Step {
        state: state.map(Written),
        effects: effects.into_iter().map(Written).collect(),
        timers: timers.into_iter().map(armed).collect(),
        withdrawn: withdrawn.into_iter().map(Written).collect(),
        spawns: vec![],
        tells: vec![],
        facts,
        takes,
        ignored,
    }
}

impl<W: Workflow, const AHEAD: i16> Workflow for Alone<W, AHEAD> {
    const NAME: &'static str = W::NAME;
    const SHAPE: i16 = if AHEAD == 0 { W::SHAPE } else { W::READS + AHEAD };
    const READS: i16 = W::READS + AHEAD;
    type Input = Written<W::Input, AHEAD>;
    type State = Written<W::State, AHEAD>;
    type Event = Written<W::Event, AHEAD>;
    type Effect = Written<W::Effect, AHEAD>;
    type Timer = Written<W::Timer, AHEAD>;

    fn start(input: &Self::Input, now: Timestamp) -> Step<Self> {
        alone(W::start(&input.0, now))
    }

    fn on(input: &Self::Input, state: Self::State, event: Self::Event, now: Timestamp) -> Result<Step<Self>, Refusal> {
        W::on(&input.0, state.0, event.0, now).map(alone)
    }

    fn elapsed(timer: Self::Timer) -> Self::Event {
        Written(W::elapsed(timer.0))
    }

    fn is_final(state: &Self::State) -> bool {
        W::is_final(&state.0)
    }

    fn contested(event: Self::Event, conflict: &Conflict) -> Option<Self::Event> {
        W::contested(event.0, conflict).map(Written)
    }

    fn gave_up(effect: &Self::Effect) -> Option<Self::Event> {
        W::gave_up(&effect.0).map(Written)
    }

    fn canceled_by_operator() -> Option<Self::Event> {
        W::canceled_by_operator().map(Written)
    }

    fn policy(effect: &Self::Effect) -> Policy {
        W::policy(&effect.0)
    }

    fn lane(input: &Self::Input, effect: &Self::Effect) -> Option<Lane> {
        W::lane(&input.0, &effect.0)
    }

    fn retention() -> Retention {
        W::retention()
    }

    fn request(input: &Self::Input, effect: &Self::Effect) -> Option<String> {
        W::request(&input.0, &effect.0)
    }
}

/// What the outside says to runs that play alone: outcomes, and what is taken.
#[derive(Clone, Default)]
pub struct Cues(Arc<Mutex<HashMap<WorkId, String>>>);

/// What the next projection of a run finds taken.
static TAKEN: Mutex<BTreeMap<RunId, Conflict>> = Mutex::new(BTreeMap::new());

impl Cues {
    /// This work, when it is performed, brings this event.
    pub fn answer(&self, work: WorkId, event: &str) {
        self.lock().insert(work, event.to_owned());
    }

    /// Whether there is an answer to this work that has not been given.
    #[must_use]
    pub fn has(&self, work: WorkId) -> bool {
        self.lock().contains_key(&work)
    }

    /// What this run takes next, it finds taken.
    pub fn taken(run: RunId, conflict: Conflict) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).insert(run, conflict);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkId, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Workflow, const AHEAD: i16> Project<Tx> for Alone<W, AHEAD> {
    type Error = DbErr;

    async fn project(_: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        match changed.iter().find_map(|changed| taken.remove(&changed.run)) {
            Some(conflict) => Err(ProjectError::Taken(conflict)),
            None => Ok(()),
        }
    }
}

impl<W: Workflow, const AHEAD: i16> Perform<Alone<W, AHEAD>> for Cues {
    async fn perform(
        &self,
        cx: &Attempt<Alone<W, AHEAD>>,
        _: Written<W::Effect, AHEAD>,
    ) -> Result<Written<W::Event, AHEAD>, Fault> {
        let event = self.lock().remove(&cx.work).ok_or_else(|| Fault::misconfigured("nobody said what comes of it"))?;
        serde_json::from_str(&event).map(Written).map_err(|error| Fault::misconfigured(error.to_string()))
    }

    async fn look_up(
        &self,
        _: &Attempt<Alone<W, AHEAD>>,
        _: &Written<W::Effect, AHEAD>,
    ) -> Result<Found<Written<W::Event, AHEAD>>, Fault> {
        Ok(Found::Absent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::toy::{State, noon};

    type Today = Written<State, 0>;
    type Next = Written<State, 1>;

    #[test]
    fn the_next_build_reads_both_shapes_and_todays_only_its_own() {
        for state in [State::Dark, State::Lit { since: noon() }] {
            let (today, next) = (encode(&Written::<_, 0>(state.clone())), encode(&Written::<_, 1>(state.clone())));
            assert_eq!(today, encode(&state), "today's is as it is");
            assert_eq!(variant(&next), variant(&today), "a state keeps its name");
            assert_eq!(serde_json::from_str::<Next>(&next).unwrap().0, state);
            assert_eq!(serde_json::from_str::<Next>(&today).unwrap().0, state);
            assert!(serde_json::from_str::<Today>(&next).is_err(), "{next}");
        }
    }
}
