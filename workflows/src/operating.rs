//! What operators ask of the engine and do with it, over HTTP: lists, stories and proofs; retries, answers and endings, each once per
//! idempotency key, in the name of whoever does it, told first and done only when asked to.

use engine::{Engine, ScheduleError};
use uuid::Uuid;

use crate::idempotency::{self, Answer, Once};
use crate::{App, Error, Flaw, Origin};

pub use engine::{
    Act, Became, Brake, Census, Circuit, Depth, Listed, Posting, QueuedWork, Replay, Reprojected, RowChange, Rows,
    RunCount, RunFilter, RunId, RunView, ScheduleView, ShapeKnown, Standing, Target, Transcript, TryView, TurnStory,
    TurnView, WorkCount, WorkFilter, WorkId, WorkPlace, WorkView,
};

/// The most runs or pieces of work that one request acts on.
pub const MOST_AT_ONCE: u64 = 100;

/// What is done with parked work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// Try it again, now.
    Retry,
    /// Take this event, as JSON, for its outcome.
    Resolve(String),
}

/// What an act is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On<One, Which> {
    /// Exactly this.
    One(One),
    /// At most so many of those that fit.
    Which(Which, u64),
}

/// What came of an act on one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<T> {
    /// The thing as it was.
    pub of: T,
    /// What it leads to, in a word; or why it was refused.
    pub came: Result<String, String>,
}

/// How much waits, and how much waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// Every queue that holds anything.
    pub queues: Vec<Depth>,
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

/// A run's whole story.
///
/// # Errors
/// [`Error::NotFound`] when there is no such run.
pub async fn story(app: &App, run: RunId) -> Result<Transcript, Error> {
    app.engine.transcript(run).await?.ok_or(Error::NotFound)
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
    Ok(Pulse { queues: app.engine.depths().await?, unexpected: app.engine.unexpected().await? })
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

/// What a mend would come to; nothing is written.
///
/// # Errors
/// [`Error::NotFound`] when the one piece of work is not parked.
pub async fn would_mend(
    app: &App,
    target: On<WorkId, WorkFilter>,
    mend: &Mend,
) -> Result<Vec<Outcome<WorkView>>, Error> {
    let found = parked(&app.engine, target).await?;
    Ok(found.into_iter().map(|of| Outcome { came: fits(&app.engine, &of, mend), of }).collect())
}

/// Mends parked work.
///
/// # Errors
/// [`Error::NotFound`] when the one piece of work is not parked.
pub async fn mend(
    app: &App,
    target: On<WorkId, WorkFilter>,
    mend: Mend,
    (once, origin): (Once, Origin),
    render: impl FnOnce(Vec<Outcome<WorkView>>) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    once.carry_out(app, move |app, tx| {
        Box::pin(async move {
            let mut outcomes = vec![];
            for of in parked(&app.engine, target).await? {
                let came = match (fits(&app.engine, &of, &mend), &mend) {
                    (Err(why), _) => Err(why),
                    (Ok(_), Mend::Retry) => match tx.retry(of.work, &origin).await? {
                        true => Ok("due".to_owned()),
                        false => Err("it is no longer parked".to_owned()),
                    },
                    (Ok(_), Mend::Resolve(event)) => Ok(tx.resolve(of.work, event, &origin).await?.state),
                };
                outcomes.push(Outcome { of, came });
            }
            Ok(render(outcomes))
        })
    })
    .await
}

/// The parked work that an act is about, in the order in which runs are locked.
async fn parked(engine: &Engine, target: On<WorkId, WorkFilter>) -> Result<Vec<WorkView>, Error> {
    let (filter, most) = match &target {
        On::One(work) => (WorkFilter { run: Some(work.run), ..WorkFilter::default() }, 1000),
        On::Which(filter, most) => (filter.clone(), *most),
    };
    let filter = WorkFilter { standing: Some(Standing::Parked), ..filter };
    let mut found: Vec<WorkView> = readable(engine.list_work(&filter, None, most).await?);
    if let On::One(work) = target {
        found.retain(|view| view.work == work);
        if found.is_empty() {
            return Err(Error::NotFound);
        }
    }
    found.sort_by_key(|view| view.work);
    Ok(found)
}

fn readable<T, C>(rows: Rows<T, C>) -> Vec<T> {
    let read = |row| match row {
        Listed::Read(row) => Some(row),
        Listed::Unreadable { .. } => None,
    };
    rows.rows.into_iter().filter_map(read).collect()
}

/// Whether this can be done with that.
fn fits(engine: &Engine, of: &WorkView, mend: &Mend) -> Result<String, String> {
    match mend {
        Mend::Retry => Ok("due".to_owned()),
        Mend::Resolve(_) if of.kind != "effect" => Err("only an effect can be answered for".to_owned()),
        // What cannot be read is not repeated: it could say anything.
        Mend::Resolve(event) => match engine.reads_event(&of.workflow, event) {
            Ok(()) => Ok("answered".to_owned()),
            Err(_) => Err(format!("this is no event of {}", of.workflow)),
        },
    }
}

/// What an ending would come to; nothing is written.
///
/// # Errors
/// [`Error::NotFound`] when there is no such run.
pub async fn would_cancel(app: &App, target: On<RunId, RunFilter>) -> Result<Vec<Outcome<RunView>>, Error> {
    let mut outcomes = vec![];
    for of in meant(&app.engine, target).await? {
        let came = in_words(app.engine.would_cancel(of.run).await)?;
        outcomes.push(Outcome { of, came });
    }
    Ok(outcomes)
}

/// Ends runs by their workflows' own command for that.
///
/// # Errors
/// [`Error::NotFound`] when there is no such run.
pub async fn cancel(
    app: &App,
    target: On<RunId, RunFilter>,
    (once, origin): (Once, Origin),
    render: impl FnOnce(Vec<Outcome<RunView>>) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    let key = once.event_key();
    once.carry_out(app, move |app, tx| {
        Box::pin(async move {
            let mut outcomes = vec![];
            for of in meant(&app.engine, target).await? {
                let canceled = tx.cancel(of.run, key.clone(), &origin).await;
                let came = in_words(canceled.map(|moved| moved.state))?;
                outcomes.push(Outcome { of, came });
            }
            Ok(render(outcomes))
        })
    })
    .await
}

/// The runs that an act is about, in the order in which they are locked.
async fn meant(engine: &Engine, target: On<RunId, RunFilter>) -> Result<Vec<RunView>, Error> {
    let mut found = match target {
        On::One(run) => vec![engine.run(run).await?.ok_or(Error::NotFound)?],
        On::Which(filter, most) => readable(engine.list_runs(&filter, None, most).await?),
    };
    found.sort_by_key(|view| view.run);
    Ok(found)
}

/// A refusal is an outcome among others; what else goes wrong ends the request.
fn in_words(decided: Result<String, engine::TurnError>) -> Result<Result<String, String>, Error> {
    use engine::TurnError as E;
    match decided {
        Ok(state) => Ok(Ok(state)),
        Err(E::Refused(refusal)) => Ok(Err(refusal.detail.into_owned())),
        Err(error @ (E::NewerShape | E::Duplicate | E::NoSuchRun)) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Every schedule, by name.
///
/// # Errors
/// When the database fails.
pub async fn schedules(app: &App) -> Result<Vec<ScheduleView>, Error> {
    Ok(app.engine.schedules().await?)
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
pub async fn brakes(app: &App) -> Result<Vec<Brake>, Error> {
    Ok(app.engine.brakes().await?)
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
