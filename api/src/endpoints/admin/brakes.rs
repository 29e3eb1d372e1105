//! `/admin/brakes`: what is held back although it is due, by whom and why; pauses, resumes and limits.

use std::ops::RangeInclusive;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::idempotency::Answer;
use workflows::operating::{self, Brake, Circuit, Target};
use workflows::{App, Error};

use super::view::Whole;
use super::which::Word;
use crate::body::Json;
use crate::caller::Operator;
use crate::once::{Answered, Command, MustKey};
use crate::openapi::IdempotencyKey;
use crate::problem::Problem;
use crate::router::Api;

/// The longest reason for a pause.
const LONGEST: usize = 200;
/// How wide a queue may be limited to.
const WIDTHS: RangeInclusive<i32> = 1..=100_000;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(pause)).routes(routes!(resume)).routes(routes!(limit))
}

/// What can be held back.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Held {
    /// Everything in a queue.
    Queue,
    /// Everything that a workflow's runs have queued.
    Workflow,
    /// Every call to an outside party.
    Party,
}

/// A brake.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminBrake)]
pub(super) struct BrakeView {
    /// What kind of thing it is on.
    kind: Held,
    /// Which.
    name: String,
    /// Who pulled it; `itself` for a party that says we are misconfigured; absent while it is not pulled.
    paused_by: Option<String>,
    /// Why.
    paused_why: Option<String>,
    /// Since when.
    paused_since: Option<DateTime<Utc>>,
    /// `closed`, `open` or `half_open`: whether a party is called.
    circuit: &'static str,
    /// Until when an open circuit stays so.
    open_until: Option<DateTime<Utc>>,
    /// A party's failures since its last answer.
    failures: i32,
    /// How much of a queue may be in hands at once, in all processes together; absent when only their room limits it.
    at_once: Option<i32>,
}

impl From<Brake> for BrakeView {
    fn from(brake: Brake) -> Self {
        let Brake { target, paused, circuit, failures, most: at_once } = brake;
        let (kind, name) = match target {
            Target::Queue(name) => (Held::Queue, name),
            Target::Workflow(name) => (Held::Workflow, name),
            Target::Party(name) => (Held::Party, name),
        };
        let (circuit, open_until) = match circuit {
            Circuit::Closed => ("closed", None),
            Circuit::Open { until } => ("open", Some(until)),
            Circuit::HalfOpen => ("half_open", None),
        };
        let paused_since = paused.as_ref().map(|pause| pause.since);
        let (paused_by, paused_why) = paused.map(|pause| (pause.by, pause.why)).unzip();
        Self { kind, name, paused_by, paused_why, paused_since, circuit, open_until, failures, at_once }
    }
}

/// What to hold back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HoldOrder {
    /// What kind of thing.
    kind: Held,
    /// Which.
    name: Word,
    /// Why, in words, for whoever finds it paused. Kept for ever: name nobody.
    #[schema(max_length = 200)]
    why: String,
    /// Do it; otherwise only say how it stands.
    #[serde(default)]
    write: bool,
}

/// What to let go on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GoOnOrder {
    /// What kind of thing.
    kind: Held,
    /// Which.
    name: Word,
    /// Do it; otherwise only say how it stands.
    #[serde(default)]
    write: bool,
}

/// How wide a queue may be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LimitOrder {
    /// Which queue.
    queue: Word,
    /// How much of it may be in hands at once, in all processes together; absent lifts the limit.
    #[schema(minimum = 1, maximum = 100_000)]
    at_once: Option<i32>,
    /// Do it; otherwise only say how it stands.
    #[serde(default)]
    write: bool,
}

fn target(kind: Held, name: Word) -> Target {
    match kind {
        Held::Queue => Target::Queue(name.into()),
        Held::Workflow => Target::Workflow(name.into()),
        Held::Party => Target::Party(name.into()),
    }
}

fn shown(brake: Brake) -> Answer {
    Answer::json(200, &BrakeView::from(brake))
}

/// Brakes
///
/// Every brake that is or was pulled, and every party.
#[utoipa::path(get, path = "/admin/brakes", tag = "admin", security(("bearer" = [])), responses((status = 200, body = Whole<BrakeView>)))]
async fn list(_: Operator, State(app): State<App>) -> Result<Json<Whole<BrakeView>>, Problem> {
    Ok(Json(Whole::of(operating::brakes(&app).await?)))
}

/// Hold something back
///
/// What is in somebody's hands is finished; a pause that is there already stays as it is. Who held it back and why is kept for ever in
/// the log.
#[utoipa::path(post, path = "/admin/brakes/pause", tag = "admin", security(("bearer" = [])), params(IdempotencyKey), request_body = HoldOrder,
    responses((status = 200, body = BrakeView)))]
async fn pause(
    by: Operator,
    State(app): State<App>,
    command: Command<HoldOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (HoldOrder { kind, name, why, write }, once) = command.by(by.id);
    if why.is_empty() || why.chars().count() > LONGEST {
        return Err(Error::flaw("/why", "out_of_range", "1 to 200 characters").into());
    }
    let target = target(kind, name);
    Ok(Answered(match write {
        true => operating::pause(&app, target, &why, (once, &by.id.to_string()), shown).await?,
        false => shown(operating::brake(&app, &target).await?),
    }))
}

/// Let something go on
///
/// A party goes on trial: one call first, the rest once that was answered.
#[utoipa::path(post, path = "/admin/brakes/resume", tag = "admin", security(("bearer" = [])), params(IdempotencyKey), request_body = GoOnOrder,
    responses((status = 200, body = BrakeView)))]
async fn resume(
    by: Operator,
    State(app): State<App>,
    command: Command<GoOnOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (GoOnOrder { kind, name, write }, once) = command.by(by.id);
    let target = target(kind, name);
    Ok(Answered(match write {
        true => operating::resume(&app, target, (once, &by.id.to_string()), shown).await?,
        false => shown(operating::brake(&app, &target).await?),
    }))
}

/// Limit a queue
///
/// In all processes together, whatever room they have. What is in somebody's hands is finished, and counts. Who set the limit is kept for
/// ever in the log.
#[utoipa::path(post, path = "/admin/brakes/limit", tag = "admin", security(("bearer" = [])), params(IdempotencyKey), request_body = LimitOrder,
    responses((status = 200, body = BrakeView)))]
async fn limit(
    by: Operator,
    State(app): State<App>,
    command: Command<LimitOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (LimitOrder { queue, at_once, write }, once) = command.by(by.id);
    if at_once.is_some_and(|most| !WIDTHS.contains(&most)) {
        return Err(Error::flaw("/at_once", "out_of_range", "1 to 100,000; to stop a queue, pause it").into());
    }
    let queue = String::from(queue);
    Ok(Answered(match write {
        true => operating::limit(&app, queue, at_once, (once, &by.id.to_string()), shown).await?,
        false => shown(operating::brake(&app, &Target::Queue(queue)).await?),
    }))
}
