//! `/admin`: what operators see of runs and queues, and do with them. Everything here needs an operator's account; whatever changes
//! something says what it would do unless it is told to `write`.

mod acts;
mod brakes;
mod events;
mod schedules;
mod view;
mod which;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::App;
use workflows::operating::{self, Listed, Rows, WorkPlace};

use self::view::{CensusView, Item, QueueView, ReplayView, RunView, StoryView, Whole, WorkItem};
use self::which::{Moment, RunName, WhichRuns, WhichWork};
use crate::body::Json;
use crate::caller::Operator;
use crate::page::{Listing, Page, Paging};
use crate::path::{Path, Query};
use crate::problem::Problem;
use crate::router::Api;

pub(crate) use self::events::Watching;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(runs))
        .routes(routes!(run))
        .routes(routes!(replay))
        .routes(routes!(work))
        .routes(routes!(queues))
        .routes(routes!(census))
        .merge(acts::routes())
        .merge(brakes::routes())
        .merge(events::routes())
        .merge(schedules::routes())
}

/// Every queue that holds anything.
#[derive(Serialize, ToSchema)]
struct Queues {
    #[serde(flatten)]
    queues: Whole<QueueView>,
    /// Runs that met a fact without a place.
    unexpected: i64,
}

/// Which workflow.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfWorkflow {
    /// Only this workflow.
    workflow: Option<String>,
}

/// As of when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Then {
    /// As it stood at this instant.
    #[param(value_type = Option<DateTime<Utc>>)]
    at: Option<Moment>,
}

/// A page of rows of which some may be damaged; the damaged ones stand where they were found.
fn listing<F, T, C: Serialize + Clone, V>(
    page: &Page<F>,
    (after, rows): (Option<C>, Rows<T, C>),
    place: impl Fn(&T) -> C,
    show: impl Fn(T) -> V,
) -> Listing<Item<V>> {
    // A damaged row has the place of the one before it: the next page begins after the last one that can be read.
    let mut last = after;
    let placed = rows.rows.into_iter().map(|row| {
        last = row.read().map(&place).or_else(|| last.clone());
        (last.clone(), row)
    });
    let placed: Vec<(Option<C>, Listed<T>)> = placed.collect();
    page.of(placed, |(place, _)| place.clone(), |(_, row)| Item::of(row, &show))
}

/// Runs
///
/// The newest first. A row that cannot be read is shown as such, and the list goes on.
#[utoipa::path(get, path = "/admin/runs", tag = "admin", security(("bearer" = [])), params(Paging, WhichRuns), responses((status = 200, body = Listing<Item<RunView>>)))]
async fn runs(_: Operator, State(app): State<App>, page: Page<WhichRuns>) -> Result<Listing<Item<RunView>>, Problem> {
    let after = page.after::<Option<_>>()?.flatten();
    let rows = operating::runs(&app, &page.filter.filter(), (after, page.fetch())).await?;
    Ok(listing(&page, (after, rows), |run| run.run, RunView::from))
}

/// A run's whole story
///
/// Every turn, what it queued, what became of that, and what it posted. With `at`, the run as it was then: the turns until then and the
/// state that they had led to; what became of their work is told as it is today.
#[utoipa::path(get, path = "/admin/runs/{id}", tag = "admin", security(("bearer" = [])), params(("id" = String, Path), Then),
    responses((status = 200, body = StoryView)))]
async fn run(
    _: Operator,
    State(app): State<App>,
    Path(RunName(id)): Path<RunName>,
    Query(Then { at }): Query<Then>,
) -> Result<Json<StoryView>, Problem> {
    Ok(Json(operating::story(&app, id, at.map(|moment| moment.0)).await?.into()))
}

/// What a run's journal proves
#[utoipa::path(get, path = "/admin/runs/{id}/replay", tag = "admin", security(("bearer" = [])), params(("id" = String, Path)), responses((status = 200, body = ReplayView)))]
async fn replay(
    _: Operator,
    State(app): State<App>,
    Path(RunName(id)): Path<RunName>,
) -> Result<Json<ReplayView>, Problem> {
    Ok(Json(operating::replay(&app, id).await?.into()))
}

/// Waiting work
///
/// What was due longest ago first; `standing=parked` is what waits for a person.
#[utoipa::path(get, path = "/admin/work", tag = "admin", security(("bearer" = [])), params(Paging, WhichWork), responses((status = 200, body = Listing<Item<WorkItem>>)))]
async fn work(_: Operator, State(app): State<App>, page: Page<WhichWork>) -> Result<Listing<Item<WorkItem>>, Problem> {
    let after = page.after::<Option<WorkPlace>>()?.flatten();
    let rows = operating::work(&app, &page.filter.filter(), (after, page.fetch())).await?;
    Ok(listing(&page, (after, rows), WorkPlace::of, WorkItem::from))
}

/// Queues
#[utoipa::path(get, path = "/admin/queues", tag = "admin", security(("bearer" = [])), responses((status = 200, body = Queues)))]
async fn queues(_: Operator, State(app): State<App>) -> Result<Json<Queues>, Problem> {
    let pulse = operating::pulse(&app).await?;
    Ok(Json(Queues { queues: Whole::of(pulse.queues), unexpected: pulse.unexpected }))
}

/// A census
///
/// How many runs and how much work there are of each persisted name and shape: what has none may be deleted from the code.
#[utoipa::path(get, path = "/admin/census", tag = "admin", security(("bearer" = [])), params(OfWorkflow), responses((status = 200, body = CensusView)))]
async fn census(
    _: Operator,
    State(app): State<App>,
    Query(OfWorkflow { workflow }): Query<OfWorkflow>,
) -> Result<Json<CensusView>, Problem> {
    Ok(Json(operating::census(&app, workflow.as_deref()).await?.into()))
}
