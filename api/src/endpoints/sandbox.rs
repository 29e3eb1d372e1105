//! `/sandbox`: a clock that can be moved, uploads that we take ourselves, and the guest's bank. Outside a sandbox all of it
//! is 404.

use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::sandbox::{self, GuestAnswer, IntentStatus};
use workflows::{App, Error};

use crate::body::Json;
use crate::endpoints::uploads;
use crate::landing::{self, Button};
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(clock, advance)).routes(routes!(upload)).routes(routes!(challenge, bank))
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
        (None, None) => return Err(Error::flaw("/seconds", "missing", "either `seconds` or `to`").into()),
        (Some(_), Some(_)) => return Err(Error::flaw("/to", "contradiction", "either `seconds` or `to`").into()),
    };
    let place = if to.is_some() { "/to" } else { "/seconds" };
    Ok(Json(ClockView { now: sandbox::advance(&app, target, place).await? }))
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
    uploads::receive(&app, &token, request).await
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

/// The bank's page (3-D Secure)
///
/// For people: where the `action_url` of a payment leads in a browser.
#[utoipa::path(get, path = "/sandbox/challenges/{intent}", tag = "sandbox", params(("intent" = String, Path)),
    responses((status = 200, content_type = "text/html", body = String)))]
async fn bank(_: InSandbox, State(app): State<App>, Path(intent): Path<String>) -> Result<impl IntoResponse, Problem> {
    let title = "The bank of the sandbox";
    if !sandbox::bank_waits(&app, &intent).await? {
        return Ok(landing::page(title, "There is nothing left to confirm here. You can close this page.", &[]));
    }
    let to = format!("/sandbox/challenges/{}", form_urlencoded::byte_serialize(intent.as_bytes()).collect::<String>());
    let (approve, decline) = (json!({"answer": "approve"}), json!({"answer": "decline"}));
    let buttons = [
        Button { label: "Yes, that is me", to: &to, body: &approve, done: "Thank you. You can close this page." },
        Button { label: "No", to: &to, body: &decline, done: "The payment was refused. You can close this page." },
    ];
    Ok(landing::page(title, "Somebody wants to pay with your card. Is it you?", &buttons))
}

/// Stands first in every handler of a sandbox: outside of one nothing else of the request is looked at.
pub(super) struct InSandbox;

impl<S: Send + Sync> FromRequestParts<S> for InSandbox
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Problem> {
        App::from_ref(state).sandbox.as_ref().map(|_| Self).ok_or_else(|| Error::NotFound.into())
    }
}
