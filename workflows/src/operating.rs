//! What operators ask of the engine and do with it, over HTTP: lists, stories and proofs; retries, answers and endings, each once per
//! idempotency key, in the name of whoever does it, told first and done only when asked to.

use engine::{ScheduleError, Timestamp};
use uuid::Uuid;

use crate::idempotency::{self, Answer, Once};
use crate::{App, Error, Flaw};

mod acts;

pub use self::acts::{Mend, On, Outcome, Outcomes, PassedOver, cancel, mend, would_cancel, would_mend};
pub use engine::{
    Act, Became, Brake, Census, Circuit, Damaged, Depth, Listed, OpenCount, Posting, QueuedWork, Readable, Replay,
    Reprojected, RowChange, Rows, RunCount, RunFilter, RunId, RunView, ScheduleView, ShapeKnown, Standing, Target,
    Transcript, TryView, TurnStory, TurnView, WorkCount, WorkFilter, WorkId, WorkPlace, WorkView,
};

/// The most runs or pieces of work that one request acts on.
pub const MOST_AT_ONCE: u64 = 100;

/// How much waits, and how much waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// Every queue that holds anything.
    pub queues: Readable<Depth>,
    /// Runs that met a fact without a place.
    pub unexpected: i64,
}

/// Runs by filter, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn runs(
    app: &App,
    filter: &RunFilter,
    (after, most): (Option<RunId>, u64),
) -> Result<Rows<RunView, RunId>, Error> {
    known(app, filter.workflow.as_deref())?;
    Ok(app.engine.list_runs(filter, after, most).await?)
}

/// Waiting work by filter, what was due longest ago first.
///
/// # Errors
/// When the database fails.
pub async fn work(
    app: &App,
    filter: &WorkFilter,
    (after, most): (Option<WorkPlace>, u64),
) -> Result<Rows<WorkView, WorkPlace>, Error> {
    known(app, filter.workflow.as_deref())?;
    Ok(app.engine.list_work(filter, after, most).await?)
}

/// A run's whole story, or the run as it was at an instant.
///
/// # Errors
/// [`Error::NotFound`] when there is no such run, [`Error::Invalid`] when it had not begun then.
pub async fn story(app: &App, run: RunId, at: Option<Timestamp>) -> Result<Transcript, Error> {
    let story = app.engine.transcript(run).await?.ok_or(Error::NotFound)?;
    let Some(at) = at else { return Ok(story) };
    let then = story.until(at);
    match then.turns.is_empty() {
        true => Err(Error::flaw("?at", "out_of_range", "the run had not begun then")),
        false => Ok(then),
    }
}

/// What a run's journal proves.
///
/// # Errors
/// [`Error::NotFound`] when there is no such run.
pub async fn replay(app: &App, run: RunId) -> Result<Replay, Error> {
    app.engine.replay(run).await?.ok_or(Error::NotFound)
}

/// How much waits.
///
/// # Errors
/// When the database fails.
pub async fn pulse(app: &App) -> Result<Pulse, Error> {
    Ok(Pulse { queues: app.engine.readable_depths().await?, unexpected: app.engine.unexpected().await? })
}

/// How many runs have not ended, by workflow and state.
///
/// # Errors
/// When the database fails.
pub async fn open_runs(app: &App) -> Result<Readable<OpenCount>, Error> {
    Ok(app.engine.open_runs().await?)
}

/// Every persisted name and shape, counted.
///
/// # Errors
/// When the database fails.
pub async fn census(app: &App, workflow: Option<&str>) -> Result<Census, Error> {
    known(app, workflow)?;
    Ok(app.engine.census(workflow).await?)
}

/// What projecting a slice of a workflow's runs again would change; nothing is written.
///
/// # Errors
/// [`Error::NotFound`] when there is no such workflow.
pub async fn would_reproject(app: &App, workflow: &str, after: Option<RunId>) -> Result<Reprojected, Error> {
    slice(app, workflow, after, Act::Try).await
}

/// Projects a slice of a workflow's runs again.
///
/// # Errors
/// [`Error::NotFound`] when there is no such workflow.
pub async fn reproject(
    app: &App,
    workflow: &str,
    after: Option<RunId>,
    once: Once,
    render: impl FnOnce(Reprojected) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    if let Some(answer) = idempotency::replay(app.engine.databases().read(), &once).await? {
        return Ok(answer);
    }
    // One that cannot be projected would spoil the transaction of all of them: tried first, it is left out.
    let tried = slice(app, workflow, after, Act::Try).await?;
    let (workflow, after) = (workflow.to_owned(), beginning(after));
    once.carry_out(app, move |_, tx| {
        Box::pin(async move { Ok(render(tx.reproject(&workflow, (after, tried)).await?.ok_or(Error::NotFound)?)) })
    })
    .await
}

async fn slice(app: &App, workflow: &str, after: Option<RunId>, act: Act) -> Result<Reprojected, Error> {
    let most = i64::try_from(MOST_AT_ONCE).unwrap_or(i64::MAX);
    app.engine.reproject(workflow, (beginning(after), most), act).await?.ok_or(Error::NotFound)
}

/// After which run a slice begins.
fn beginning(after: Option<RunId>) -> RunId {
    after.unwrap_or(RunId::from_uuid(Uuid::nil()))
}

/// A misspelt workflow is an error, not an empty list.
fn known(app: &App, workflow: Option<&str>) -> Result<(), Error> {
    match workflow {
        Some(name) if !app.engine.registry().names().any(|known| known == name) => {
            Err(Error::flaw("?workflow", "unknown_value", "there is no such workflow"))
        }
        _ => Ok(()),
    }
}

/// Every schedule, by name.
///
/// # Errors
/// When the database fails.
pub async fn schedules(app: &App) -> Result<Readable<ScheduleView>, Error> {
    Ok(app.engine.readable_schedules().await?)
}

/// A schedule as it stands.
///
/// # Errors
/// [`Error::NotFound`] when there is none of this name.
pub async fn schedule(app: &App, name: &str) -> Result<ScheduleView, Error> {
    named(app.engine.schedules().await?, name)
}

fn named(all: Vec<ScheduleView>, name: &str) -> Result<ScheduleView, Error> {
    all.into_iter().find(|view| view.name == name).ok_or(Error::NotFound)
}

/// The same, of one that can be run by hand.
///
/// # Errors
/// As [`schedule`]; refused for housekeeping.
pub async fn runnable(app: &App, name: &str) -> Result<ScheduleView, Error> {
    on_demand(schedule(app, name).await?)
}

fn on_demand(view: ScheduleView) -> Result<ScheduleView, Error> {
    match view.housekeeping {
        true => Err(Error::refused("conflict", "housekeeping is done where it falls due, not on demand")),
        false => Ok(view),
    }
}

/// What is done with a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Its work, now. Asked for under another key it is done again: the engine gives each its own instant.
    Run,
    /// It no longer fires, for this reason.
    Pause(String),
    /// It fires again.
    Resume,
}

/// Does something with a schedule, in the name of an operator.
///
/// # Errors
/// As [`runnable`] for a run, as [`schedule`] otherwise.
pub async fn turn_schedule(
    app: &App,
    name: &str,
    turn: Turn,
    (once, actor): (Once, &str),
    render: impl FnOnce(ScheduleView) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    let (name, actor) = (name.to_owned(), actor.to_owned());
    once.carry_out(app, move |_, tx| {
        Box::pin(async move {
            match turn {
                Turn::Run => {
                    on_demand(named(tx.schedules().await?, &name)?)?;
                    tx.run_now(&name, &actor).await.map(drop)
                }
                Turn::Pause(why) => tx.pause_schedule(&name, &actor, &why).await.map(drop),
                Turn::Resume => tx.resume_schedule(&name, &actor).await.map(drop),
            }
            .map_err(in_our_words)?;
            Ok(render(named(tx.schedules().await?, &name)?))
        })
    })
    .await
}

fn in_our_words(error: ScheduleError) -> Error {
    match error {
        ScheduleError::Unknown(_) => Error::NotFound,
        ScheduleError::Failed(why) => why.into(),
        ScheduleError::Storage(why) => why.into(),
    }
}

/// Every brake that is or was pulled, and every outside party.
///
/// # Errors
/// When the database fails.
pub async fn brakes(app: &App) -> Result<Readable<Brake>, Error> {
    Ok(app.engine.readable_brakes().await?)
}

/// How a brake stands.
///
/// # Errors
/// [`Error::Invalid`] when there is nothing of this name, with the names there are: a misspelt one must not look as if it were held.
pub async fn brake(app: &App, target: &Target) -> Result<Brake, Error> {
    there_is(app, target)?;
    Ok(of(app.engine.brakes().await?, target))
}

fn of(all: Vec<Brake>, target: &Target) -> Brake {
    let quiet = || Brake { target: target.clone(), paused: None, circuit: Circuit::Closed, failures: 0, most: None };
    all.into_iter().find(|brake| brake.target == *target).unwrap_or_else(quiet)
}

fn there_is(app: &App, target: &Target) -> Result<(), Error> {
    let registry = app.engine.registry();
    let (name, there): (_, Vec<&str>) = match target {
        Target::Queue(name) => (name, registry.queues().collect()),
        Target::Workflow(name) => (name, registry.names().collect()),
        Target::Party(name) => (name, registry.parties().map(|party| party.name).collect()),
    };
    if !there.contains(&name.as_str()) {
        let detail = format!("nothing of this kind is called so; there are {}", there.join(", "));
        return Err(Error::Invalid(vec![Flaw::new("/name", "unknown_value", detail)]));
    }
    Ok(())
}

/// Holds something back.
///
/// # Errors
/// As [`brake`].
pub async fn pause(
    app: &App,
    target: Target,
    why: &str,
    (once, actor): (Once, &str),
    render: impl FnOnce(Brake) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    there_is(app, &target)?;
    let (why, actor) = (why.to_owned(), actor.to_owned());
    once.carry_out(app, move |_, tx| {
        Box::pin(async move {
            tx.pause(&target, &why, &actor).await?;
            Ok(render(of(tx.brakes().await?, &target)))
        })
    })
    .await
}

/// Lets something go on.
///
/// # Errors
/// As [`brake`].
pub async fn resume(
    app: &App,
    target: Target,
    (once, actor): (Once, &str),
    render: impl FnOnce(Brake) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    there_is(app, &target)?;
    let actor = actor.to_owned();
    once.carry_out(app, move |_, tx| {
        Box::pin(async move {
            tx.resume(&target, &actor).await?;
            Ok(render(of(tx.brakes().await?, &target)))
        })
    })
    .await
}

/// Limits how much of a queue is in hands at once, in all processes together, or lifts the limit.
///
/// # Errors
/// As [`brake`].
pub async fn limit(
    app: &App,
    queue: String,
    most: Option<i32>,
    (once, actor): (Once, &str),
    render: impl FnOnce(Brake) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    let target = Target::Queue(queue.clone());
    there_is(app, &target)?;
    let actor = actor.to_owned();
    once.carry_out(app, move |_, tx| {
        Box::pin(async move {
            tx.limit(&queue, most, &actor).await?;
            Ok(render(of(tx.brakes().await?, &target)))
        })
    })
    .await
}
