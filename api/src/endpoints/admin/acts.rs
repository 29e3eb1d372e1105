//! Acts: each says what it would do, and does it when told to `write`; once per idempotency key, in the operator's name.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::idempotency::Answer;
use workflows::operating::{self, MOST_AT_ONCE, Mend, On, Outcome, Outcomes, PassedOver, Reprojected, RowChange};
use workflows::{App, Error};

use super::view::{DamagedView, RunView, WorkItem};
use super::which::{ParkedOf, RunName, RunsOf, WorkName};
use crate::caller::Operator;
use crate::once::{Answered, Command, MustKey};
use crate::openapi::IdempotencyKey;
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(retry))
        .routes(routes!(resolve))
        .routes(routes!(cancel))
        .routes(routes!(reproject))
}

/// Parked work to try again: one piece, or what fits; exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RetryOrder {
    /// One piece of work.
    #[schema(value_type = Option<String>)]
    work: Option<WorkName>,
    /// What fits, up to a hundred pieces.
    which: Option<ParkedOf>,
    /// Do it; otherwise only say what would be done.
    #[serde(default)]
    write: bool,
}

/// Parked work to answer for: one piece, or what fits; exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolveOrder {
    /// One piece of work.
    #[schema(value_type = Option<String>)]
    work: Option<WorkName>,
    /// What fits, up to a hundred pieces.
    which: Option<ParkedOf>,
    /// The event that becomes the outcome, as JSON in a text.
    #[schema(max_length = 10_000)]
    event: String,
    /// Do it; otherwise only say what would be done.
    #[serde(default)]
    write: bool,
}

/// Runs to end by their workflow's own command: one, or the open ones that fit; exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CancelOrder {
    /// One run.
    #[schema(value_type = Option<String>)]
    run: Option<RunName>,
    /// The open ones that fit, up to a hundred.
    which: Option<RunsOf>,
    /// Do it; otherwise only say what would be done.
    #[serde(default)]
    write: bool,
}

/// Rows to write again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReprojectOrder {
    /// Where the slice of a hundred runs begins: the `next` of the one before.
    #[schema(value_type = Option<String>)]
    after: Option<RunName>,
    /// Do it; otherwise only say what would change.
    #[serde(default)]
    write: bool,
}

/// What came of one act.
#[derive(Serialize, ToSchema)]
struct ActOn<T> {
    /// What it was done to, as it was before.
    of: T,
    /// `would`, `done` or `refused`.
    outcome: &'static str,
    /// What it leads to, or why it was refused.
    note: String,
}

/// What came of an order.
#[derive(Serialize, ToSchema)]
struct Acts<T> {
    /// One by one.
    data: Vec<ActOn<T>>,
    /// What fits as well and was passed over, because it cannot be read.
    unread: Vec<DamagedView>,
    /// Whether more fits than the hundred of one order. Ask again, under another key, for the next ones; what was refused or unread fits
    /// again, so narrow it down when nothing else comes.
    more: bool,
}

impl<T> Acts<T> {
    fn of<R>(outcomes: Outcomes<R>, did: &'static str) -> Self
    where
        T: From<R>,
    {
        let act = |Outcome { of, came }: Outcome<R>| {
            let (outcome, note) = came.map_or_else(|why| ("refused", why), |note| (did, note));
            ActOn { of: of.into(), outcome, note }
        };
        let Outcomes { each, passed_over: PassedOver { unread, more } } = outcomes;
        let unread = unread.into_iter().map(DamagedView::from).collect();
        Self { data: each.into_iter().map(act).collect(), unread, more }
    }
}

/// What came of a re-projection.
#[derive(Serialize, ToSchema)]
struct ReprojectedView {
    /// The runs of this slice.
    runs: usize,
    /// Rows that came out otherwise.
    changes: Vec<ChangeView>,
    /// Runs that could not be projected.
    failed: Vec<FailedView>,
    /// Where the next slice begins; absent at the end.
    next: Option<String>,
}

/// A row that came out otherwise: only the columns that differ, unless it is new or gone.
#[derive(Serialize, ToSchema)]
struct ChangeView {
    /// Whose row.
    run: String,
    /// The table.
    table: &'static str,
    /// What it said.
    #[schema(value_type = Option<Object>)]
    before: Option<Map<String, Value>>,
    /// What it says.
    #[schema(value_type = Option<Object>)]
    after: Option<Map<String, Value>>,
}

/// A run that could not be projected.
#[derive(Serialize, ToSchema)]
struct FailedView {
    /// Which.
    run: String,
    /// Why.
    why: String,
}

impl From<Reprojected> for ReprojectedView {
    fn from(done: Reprojected) -> Self {
        let Reprojected { runs, changes, failed, next } = done;
        let change =
            |RowChange { run, table, before, after }| ChangeView { run: run.to_string(), table, before, after };
        Self {
            runs,
            changes: changes.into_iter().map(change).collect(),
            failed: failed.into_iter().map(|(run, why)| FailedView { run: run.to_string(), why }).collect(),
            next: next.map(|run| run.to_string()),
        }
    }
}

/// Exactly one of a name and a description.
fn target<One, Which>(
    (place, one): (&'static str, Option<One>),
    which: Option<Which>,
) -> Result<On<One, Which>, Error> {
    match (one, which) {
        (Some(one), None) => Ok(On::One(one)),
        (None, Some(which)) => Ok(On::Which(which, MOST_AT_ONCE)),
        (Some(_), Some(_)) => Err(Error::flaw("/which", "contradiction", "one, or what fits: not both")),
        (None, None) => Err(Error::flaw(place, "missing", "say which: one, or what fits")),
    }
}

/// Try parked work again
///
/// Its age still counts: where a repeat is no longer safe, the outside party is asked first what became of the earlier try.
#[utoipa::path(post, path = "/admin/work/retry", tag = "admin", security(("bearer" = [])), params(IdempotencyKey), request_body = RetryOrder,
    responses((status = 200, body = Acts<WorkItem>)))]
async fn retry(
    by: Operator,
    State(app): State<App>,
    command: Command<RetryOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (RetryOrder { work, which, write }, once) = command.by(by.id);
    let target = target(("/work", work.map(|name| name.0)), which.map(|which| which.filter()))?;
    if !write {
        let outcomes = operating::would_mend(&app, target, &Mend::Retry).await?;
        return Ok(shown::<WorkItem, _>(outcomes, "would"));
    }
    let done =
        operating::mend(&app, target, Mend::Retry, (once, by.origin()), |all| answer::<WorkItem, _>(all, "done"));
    Ok(Answered(done.await?))
}

/// Answer for parked work
///
/// The event becomes the effect's outcome, and stands in the journal under your name.
#[utoipa::path(post, path = "/admin/work/resolve", tag = "admin", security(("bearer" = [])), params(IdempotencyKey), request_body = ResolveOrder,
    responses((status = 200, body = Acts<WorkItem>)))]
async fn resolve(
    by: Operator,
    State(app): State<App>,
    command: Command<ResolveOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (ResolveOrder { work, which, event, write }, once) = command.by(by.id);
    if event.len() > 10_000 || serde_json::from_str::<Value>(&event).is_err() {
        return Err(Error::flaw("/event", "invalid_value", "an event as JSON, of at most 10000 bytes").into());
    }
    let target = target(("/work", work.map(|name| name.0)), which.map(|which| which.filter()))?;
    let mend = Mend::Resolve(event);
    if !write {
        let outcomes = operating::would_mend(&app, target, &mend).await?;
        return Ok(shown::<WorkItem, _>(outcomes, "would"));
    }
    let done = operating::mend(&app, target, mend, (once, by.origin()), |all| answer::<WorkItem, _>(all, "done"));
    Ok(Answered(done.await?))
}

/// End runs
///
/// By their workflow's own command for that, judged like any other; a workflow without one refuses.
#[utoipa::path(post, path = "/admin/runs/cancel", tag = "admin", security(("bearer" = [])), params(IdempotencyKey), request_body = CancelOrder,
    responses((status = 200, body = Acts<RunView>)))]
async fn cancel(
    by: Operator,
    State(app): State<App>,
    command: Command<CancelOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (CancelOrder { run, which, write }, once) = command.by(by.id);
    let target = target(("/run", run.map(|name| name.0)), which.map(|which| which.filter()))?;
    if !write {
        let outcomes = operating::would_cancel(&app, target).await?;
        return Ok(shown::<RunView, _>(outcomes, "would"));
    }
    let done = operating::cancel(&app, target, (once, by.origin()), |all| answer::<RunView, _>(all, "done"));
    Ok(Answered(done.await?))
}

/// Write rows again
///
/// The rows that people read, from the states of a workflow's runs, a hundred at a time. A second time changes nothing.
#[utoipa::path(post, path = "/admin/workflows/{workflow}/reproject", tag = "admin", security(("bearer" = [])),
    params(("workflow" = String, Path), IdempotencyKey), request_body = ReprojectOrder, responses((status = 200, body = ReprojectedView)))]
async fn reproject(
    by: Operator,
    State(app): State<App>,
    Path(workflow): Path<String>,
    command: Command<ReprojectOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (ReprojectOrder { after, write }, once) = command.by(by.id);
    let after = after.map(|name| name.0);
    let shown = |done: Reprojected| Answer::json(200, &ReprojectedView::from(done));
    Ok(Answered(match write {
        true => operating::reproject(&app, &workflow, after, once, shown).await?,
        false => shown(operating::would_reproject(&app, &workflow, after).await?),
    }))
}

fn answer<T: From<R> + Serialize, R>(outcomes: Outcomes<R>, did: &'static str) -> Answer {
    Answer::json(200, &Acts::<T>::of(outcomes, did))
}

fn shown<T: From<R> + Serialize, R>(outcomes: Outcomes<R>, did: &'static str) -> Answered {
    Answered(answer::<T, R>(outcomes, did))
}
