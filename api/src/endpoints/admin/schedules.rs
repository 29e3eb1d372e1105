//! `/admin/schedules`: what happens by the clock, done now, paused and resumed.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::idempotency::Answer;
use workflows::operating::{self, ScheduleView as Schedule, Turn};
use workflows::{App, Error};

use super::view::Whole;
use crate::body::Json;
use crate::caller::Operator;
use crate::once::{Answered, Command, MustKey};
use crate::openapi::IdempotencyKey;
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;

/// The longest reason for a pause.
const LONGEST: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(run)).routes(routes!(pause)).routes(routes!(resume))
}

/// A schedule.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminSchedule)]
pub(super) struct ScheduleView {
    /// Its name.
    name: &'static str,
    /// Its cron expression, with seconds.
    cron: String,
    /// Whose clock the expression speaks of: an IANA zone.
    zone: &'static str,
    /// Whether it is housekeeping, which nobody would miss.
    housekeeping: bool,
    /// The instant of its latest tick.
    last: Option<DateTime<Utc>>,
    /// Its next instant; absent while it is paused.
    next: Option<DateTime<Utc>>,
    /// Who paused it; absent while it runs.
    paused_by: Option<String>,
    /// Why it is paused.
    paused_why: Option<String>,
    /// How often its due instant has failed so far.
    failures: i32,
    /// The last failure.
    last_error: Option<String>,
}

impl From<Schedule> for ScheduleView {
    fn from(schedule: Schedule) -> Self {
        let Schedule { name, cron, zone, catch_up: _, housekeeping, last, next, paused, failing } = schedule;
        let last = last.map(|tick| tick.instant);
        let (paused_by, paused_why) = paused.map(|pause| (pause.by, pause.why)).unzip();
        let (failures, last_error) = failing.map_or((0, None), |failing| (failing.times, Some(failing.why)));
        Self { name, cron, zone, housekeeping, last, next, paused_by, paused_why, failures, last_error }
    }
}

/// Whether to do it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleOrder {
    /// Do it; otherwise only say how it stands.
    #[serde(default)]
    write: bool,
}

/// A pause.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PauseOrder {
    /// Why, in words, for whoever finds it paused. Kept for ever: name nobody.
    #[schema(max_length = 200)]
    why: String,
    /// Do it; otherwise only say how it stands.
    #[serde(default)]
    write: bool,
}

fn shown(schedule: Schedule) -> Answer {
    Answer::json(200, &ScheduleView::from(schedule))
}

/// Schedules
#[utoipa::path(get, path = "/admin/schedules", tag = "admin", security(("bearer" = [])), responses((status = 200, body = Whole<ScheduleView>)))]
async fn list(_: Operator, State(app): State<App>) -> Result<Json<Whole<ScheduleView>>, Problem> {
    Ok(Json(Whole::of(operating::schedules(&app).await?)))
}

/// Do a schedule's work now
///
/// A tick of its own, that changes nothing about the others. Housekeeping is refused: its work is done where it falls due.
#[utoipa::path(post, path = "/admin/schedules/{name}/run", tag = "admin", security(("bearer" = [])), params(("name" = String, Path), IdempotencyKey),
    request_body = ScheduleOrder, responses((status = 200, body = ScheduleView)))]
async fn run(
    by: Operator,
    State(app): State<App>,
    Path(name): Path<String>,
    command: Command<ScheduleOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (ScheduleOrder { write }, once) = command.by(by.id);
    Ok(Answered(match write {
        true => operating::turn_schedule(&app, &name, Turn::Run, (once, &by.id.to_string()), shown).await?,
        false => shown(operating::runnable(&app, &name).await?),
    }))
}

/// Pause a schedule
///
/// Who paused it and why is kept for ever in the log.
#[utoipa::path(post, path = "/admin/schedules/{name}/pause", tag = "admin", security(("bearer" = [])), params(("name" = String, Path), IdempotencyKey),
    request_body = PauseOrder, responses((status = 200, body = ScheduleView)))]
async fn pause(
    by: Operator,
    State(app): State<App>,
    Path(name): Path<String>,
    command: Command<PauseOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (PauseOrder { why, write }, once) = command.by(by.id);
    if why.is_empty() || why.chars().count() > LONGEST {
        return Err(Error::flaw("/why", "out_of_range", "1 to 200 characters").into());
    }
    Ok(Answered(match write {
        true => operating::turn_schedule(&app, &name, Turn::Pause(why), (once, &by.id.to_string()), shown).await?,
        false => shown(operating::schedule(&app, &name).await?),
    }))
}

/// Resume a schedule
///
/// What it missed is met by its own policy.
#[utoipa::path(post, path = "/admin/schedules/{name}/resume", tag = "admin", security(("bearer" = [])), params(("name" = String, Path), IdempotencyKey),
    request_body = ScheduleOrder, responses((status = 200, body = ScheduleView)))]
async fn resume(
    by: Operator,
    State(app): State<App>,
    Path(name): Path<String>,
    command: Command<ScheduleOrder, MustKey>,
) -> Result<Answered, Problem> {
    let (ScheduleOrder { write }, once) = command.by(by.id);
    Ok(Answered(match write {
        true => operating::turn_schedule(&app, &name, Turn::Resume, (once, &by.id.to_string()), shown).await?,
        false => shown(operating::schedule(&app, &name).await?),
    }))
}
