//! A workflow with its types erased: the rest of the runtime handles serialised text, and a panic of the author's code is a value.

use crate::step::{encode, variant};
use crate::{
    Attempt, Changed, Conflict, Fact, Fault, Found, Lane, Perform, Policy, Priority, Project, ProjectError, Refusal,
    RunId, Scope, Spawn, Step, Tell, Timestamp, Tx, WorkId, Workflow, faults,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DbErr;
use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A value that this build cannot read, or a panic in the author's code: never a business answer.
pub(crate) type Poison = String;

/// A [`Step`] with everything serialised.
#[derive(Debug, Default)]
pub(crate) struct RawStep {
    pub(crate) state: Option<String>,
    pub(crate) is_final: bool,
    pub(crate) effects: Vec<RawEffect>,
    pub(crate) timers: Vec<RawTimer>,
    pub(crate) withdrawn: Vec<String>,
    pub(crate) spawns: Vec<Spawn>,
    pub(crate) tells: Vec<Tell>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) takes: Option<&'static str>,
    pub(crate) ignored: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) struct RawEffect {
    pub(crate) payload: String,
    pub(crate) request: Option<String>,
    pub(crate) queue: &'static str,
    pub(crate) priority: Priority,
    pub(crate) lane: Option<Lane>,
}

#[derive(Debug)]
pub(crate) struct RawTimer {
    pub(crate) payload: String,
    pub(crate) at: Timestamp,
    pub(crate) scope: Scope,
}

/// A run after a commit, for its projection.
#[derive(Debug)]
pub(crate) struct RawChanged {
    pub(crate) run: RunId,
    pub(crate) input: String,
    pub(crate) state: String,
    pub(crate) seq: i32,
    pub(crate) at: Timestamp,
}

/// A try at an effect, serialised.
#[derive(Clone, Debug)]
pub(crate) struct RawAttempt {
    pub(crate) work: WorkId,
    pub(crate) input: String,
    pub(crate) effect: String,
    pub(crate) key: String,
    pub(crate) request: Option<String>,
    pub(crate) number: i32,
    pub(crate) now: Timestamp,
}

/// Why a projection did not come about.
#[derive(Debug)]
pub(crate) enum Unprojected {
    /// What it says itself.
    Said(ProjectError<DbErr>),
    /// The author's code failed.
    Poison(Poison),
}

impl From<Poison> for Unprojected {
    fn from(why: Poison) -> Self {
        Self::Poison(why)
    }
}

/// One workflow without its types.
pub(crate) trait Process: Send + Sync {
    fn name(&self) -> &'static str;
    fn shape(&self) -> i16;
    fn reads(&self) -> i16;
    fn rows(&self) -> &'static [(&'static str, &'static str)];
    fn start(&self, input: &str, now: Timestamp) -> Result<RawStep, Poison>;
    fn on(&self, input: &str, state: &str, event: &str, now: Timestamp) -> Result<Result<RawStep, Refusal>, Poison>;
    fn elapsed(&self, timer: &str) -> Result<String, Poison>;
    fn contested(&self, event: &str, conflict: &Conflict) -> Result<Option<String>, Poison>;
    fn gave_up(&self, effect: &str) -> Result<Option<String>, Poison>;
    fn canceled_by_operator(&self) -> Result<Option<String>, Poison>;
    fn policy(&self, effect: &str) -> Result<Policy, Poison>;
    /// The event as this build writes it: whatever else the text says is not kept.
    fn event(&self, text: &str) -> Result<String, Poison>;
    fn project<'a>(&'a self, tx: &'a Tx, changed: Vec<RawChanged>) -> BoxFuture<'a, Result<(), Unprojected>>;
    fn perform(&self, attempt: RawAttempt) -> BoxFuture<'_, Result<String, Fault>>;
    fn look_up(&self, attempt: RawAttempt) -> BoxFuture<'_, Result<Found<String>, Fault>>;
}

struct Entry<W, P> {
    performer: P,
    workflow: PhantomData<fn() -> W>,
}

/// A workflow with its hands, its types erased.
pub(crate) fn erased<W: Workflow + Project<Tx, Error = DbErr>>(performer: impl Perform<W>) -> Arc<dyn Process> {
    Arc::new(Entry { performer, workflow: PhantomData::<fn() -> W> })
}

fn read<T: serde::de::DeserializeOwned>(what: &str, json: &str) -> Result<T, Poison> {
    serde_json::from_str(json).map_err(|error| format!("{what} {:?} cannot be read: {error}", variant(json)))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_default())
}

/// Runs the author's pure code; a panic becomes a value.
fn contained<T>(body: impl FnOnce() -> Result<T, Poison>) -> Result<T, Poison> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(message(&*panic)))
}

impl<W: Workflow, P: Perform<W>> Entry<W, P> {
    fn raw(input: &W::Input, before: Option<&W::State>, step: Step<W>) -> RawStep {
        let Step { state, effects, timers, withdrawn, spawns, tells, facts, takes, ignored } = step;
        let is_final = state.as_ref().or(before).is_some_and(W::is_final);
        let effect = |effect: &W::Effect| {
            let Policy { queue, priority, .. } = W::policy(effect);
            let (payload, request, lane) = (encode(effect), W::request(input, effect), W::lane(input, effect));
            RawEffect { payload, request, queue, priority, lane }
        };
        RawStep {
            state: state.as_ref().map(encode),
            is_final,
            effects: effects.iter().map(effect).collect(),
            timers: timers
                .into_iter()
                .map(|t| RawTimer { payload: encode(&t.timer), at: t.at, scope: t.scope })
                .collect(),
            withdrawn: withdrawn.iter().map(encode).collect(),
            spawns,
            tells,
            facts,
            takes,
            ignored,
        }
    }

    fn attempt(raw: &RawAttempt) -> Result<(Attempt<W>, W::Effect), Fault> {
        let input = read("input", &raw.input).map_err(Fault::poison)?;
        let effect = read("effect", &raw.effect).map_err(Fault::poison)?;
        let RawAttempt { work, key, request, number, now, .. } = raw.clone();
        Ok((Attempt { work, input, key, request, number, now }, effect))
    }
}

impl<W: Workflow + Project<Tx, Error = DbErr>, P: Perform<W>> Process for Entry<W, P> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn shape(&self) -> i16 {
        W::SHAPE
    }

    fn reads(&self) -> i16 {
        W::READS
    }

    fn rows(&self) -> &'static [(&'static str, &'static str)] {
        W::ROWS
    }

    fn start(&self, input: &str, now: Timestamp) -> Result<RawStep, Poison> {
        contained(|| {
            let input: W::Input = read("input", input)?;
            let step = W::start(&input, now);
            Ok(Self::raw(&input, None, step))
        })
    }

    fn on(&self, input: &str, state: &str, event: &str, now: Timestamp) -> Result<Result<RawStep, Refusal>, Poison> {
        contained(|| {
            let input: W::Input = read("input", input)?;
            let state: W::State = read("state", state)?;
            let event: W::Event = read("event", event)?;
            let step = W::on(&input, state.clone(), event, now);
            Ok(step.map(|step| Self::raw(&input, Some(&state), step)))
        })
    }

    fn elapsed(&self, timer: &str) -> Result<String, Poison> {
        contained(|| Ok(encode(&W::elapsed(read("timer", timer)?))))
    }

    fn contested(&self, event: &str, conflict: &Conflict) -> Result<Option<String>, Poison> {
        contained(|| Ok(W::contested(read("event", event)?, conflict).as_ref().map(encode)))
    }

    fn gave_up(&self, effect: &str) -> Result<Option<String>, Poison> {
        contained(|| Ok(W::gave_up(&read("effect", effect)?).as_ref().map(encode)))
    }

    fn canceled_by_operator(&self) -> Result<Option<String>, Poison> {
        contained(|| Ok(W::canceled_by_operator().as_ref().map(encode)))
    }

    fn policy(&self, effect: &str) -> Result<Policy, Poison> {
        contained(|| Ok(W::policy(&read("effect", effect)?)))
    }

    fn event(&self, text: &str) -> Result<String, Poison> {
        read::<W::Event>("event", text).map(|event| encode(&event))
    }

    fn project<'a>(&'a self, tx: &'a Tx, changed: Vec<RawChanged>) -> BoxFuture<'a, Result<(), Unprojected>> {
        async move {
            let mut typed = Vec::with_capacity(changed.len());
            for RawChanged { run, input, state, seq, at } in changed {
                let (input, state) = (read("input", &input)?, read("state", &state)?);
                typed.push(Changed::<W> { run, input, state, seq, at });
            }
            let rows = AssertUnwindSafe(W::project(tx, &typed)).catch_unwind().await;
            rows.map_err(|panic| message(&*panic))?.map_err(Unprojected::Said)
        }
        .boxed()
    }

    fn perform(&self, attempt: RawAttempt) -> BoxFuture<'_, Result<String, Fault>> {
        async move {
            let (cx, effect) = Self::attempt(&attempt)?;
            let performed = async {
                faults::taste(cx.run()).await;
                self.performer.perform(&cx, effect).await
            };
            let done = AssertUnwindSafe(performed).catch_unwind().await;
            done.unwrap_or_else(|panic| Err(Fault::poison(message(&*panic)))).map(|event| encode(&event))
        }
        .boxed()
    }

    fn look_up(&self, attempt: RawAttempt) -> BoxFuture<'_, Result<Found<String>, Fault>> {
        async move {
            let (cx, effect) = Self::attempt(&attempt)?;
            let found = AssertUnwindSafe(self.performer.look_up(&cx, &effect)).catch_unwind().await;
            Ok(match found.unwrap_or_else(|panic| Err(Fault::poison(message(&*panic))))? {
                Found::Done(event) => Found::Done(encode(&event)),
                Found::Absent => Found::Absent,
                Found::Unknown => Found::Unknown,
            })
        }
        .boxed()
    }
}
