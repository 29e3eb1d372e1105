//! `/sandbox`: a clock that can be moved, uploads that we take ourselves, and the guest's bank. Outside a sandbox all of it
//! is 404.

use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::sandbox::{self, GuestAnswer, IntentStatus};
use workflows::{App, Error};

use crate::body::{self, Json};
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(clock, advance)).routes(routes!(upload)).routes(routes!(challenge))
}

/// What time it is in the sandbox.
#[derive(Serialize, ToSchema)]
#[schema(as = SandboxClock)]
struct ClockView {
    /// The instant by which holds, deadlines and payouts go.
    now: DateTime<Utc>,
}

/// How far to move the clock: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// By so many seconds, up to 400 days.
    #[schema(minimum = 1, maximum = 34_560_000)]
    seconds: Option<u32>,
    /// To this instant, at most 400 days away; the clock never goes back.
    to: Option<DateTime<Utc>>,
}

/// What the guest tells the bank.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// "Yes, that is me."
    Approve,
    /// "No."
    Decline,
}

/// An answer to the bank.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BankAnswer {
    /// What the guest tells the bank.
    answer: Said,
}

/// Where the payment stands at the gateway.
#[derive(Serialize, ToSchema)]
#[schema(as = SandboxIntent)]
struct IntentView {
    /// `requires_action`, `authorized`, `captured`, `voided` or `declined`.
    status: &'static str,
}

/// The sandbox's clock
#[utoipa::path(get, path = "/sandbox/clock", tag = "sandbox", responses((status = 200, body = ClockView)))]
async fn clock(_: InSandbox, State(app): State<App>) -> Result<Json<ClockView>, Problem> {
    Ok(Json(ClockView { now: sandbox::clock(&app).await? }))
}

/// Move the sandbox's clock
///
/// From one due instant to the next; everything that falls due on the way is done before it goes on.
#[utoipa::path(post, path = "/sandbox/clock", tag = "sandbox", request_body = Advance, responses((status = 200, body = ClockView)))]
async fn advance(
    _: InSandbox,
    State(app): State<App>,
    Json(Advance { seconds, to }): Json<Advance>,
) -> Result<Json<ClockView>, Problem> {
    let target = match (seconds, to) {
        (Some(seconds), None) => sandbox::clock(&app).await? + TimeDelta::seconds(seconds.into()),
        (None, Some(to)) => to,
        _ => return Err(Error::flaw("/seconds", "contradiction", "either `seconds` or `to`").into()),
    };
    Ok(Json(ClockView { now: sandbox::advance(&app, target).await? }))
}

/// Send an announced file
///
/// The address comes from `POST /properties/{id}/images`; type and length must be as announced.
#[utoipa::path(put, path = "/sandbox/uploads/{token}", tag = "sandbox", params(("token" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 204, description = "Stored.")))]
async fn upload(
    _: InSandbox,
    State(app): State<App>,
    Path(token): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let length = sandbox::grant(&app, &token).await?.length;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let bytes = body::read(request, usize::try_from(length).unwrap_or(usize::MAX)).await?;
    sandbox::upload(&app, &token, &content_type, bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answer the bank (3-D Secure)
///
/// The `action_url` of a payment leads here. The gateway tells us the outcome by webhook.
#[utoipa::path(post, path = "/sandbox/challenges/{intent}", tag = "sandbox", params(("intent" = String, Path)),
    request_body = BankAnswer, responses((status = 200, body = IntentView)))]
async fn challenge(
    _: InSandbox,
    State(app): State<App>,
    Path(intent): Path<String>,
    Json(BankAnswer { answer }): Json<BankAnswer>,
) -> Result<Json<IntentView>, Problem> {
    let answer = match answer {
        Said::Approve => GuestAnswer::Confirms,
        Said::Decline => GuestAnswer::Refuses,
    };
    let status = match sandbox::answer_challenge(&app, &intent, answer).await? {
        IntentStatus::RequiresAction => "requires_action",
        IntentStatus::Authorized { .. } => "authorized",
        IntentStatus::Captured { .. } => "captured",
        IntentStatus::Voided => "voided",
        IntentStatus::Declined { .. } => "declined",
    };
    Ok(Json(IntentView { status }))
}

/// Stands first in every handler here: outside a sandbox nothing else of the request is looked at.
struct InSandbox;

impl<S: Send + Sync> FromRequestParts<S> for InSandbox
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Problem> {
        App::from_ref(state).sandbox.as_ref().map(|_| Self).ok_or_else(|| Error::NotFound.into())
    }
}
