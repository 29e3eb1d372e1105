//! `/login`, `/login/refresh`, `/logout`: sessions begun, renewed and ended.
//!
//! Their answers hold tokens, so they are not stored under an idempotency key: a second login is a second session, and a
//! refresh that is repeated within ten seconds brings the same token again.

use axum::extract::State;
use axum::http::StatusCode;
use domain::SessionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::identity::{self, Tokens};
use workflows::{App, SecretString};

use crate::body::{Json, Nothing};
use crate::caller::Caller;
use crate::client::Client;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(login)).routes(routes!(refresh)).routes(routes!(logout))
}

/// Who wants to sign in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// The address of the account.
    #[schema(format = "email", example = "anna@example.org")]
    email: String,
    /// The password.
    #[schema(value_type = String, max_length = 256)]
    password: SecretString,
}

/// A session and what proves it.
#[derive(Serialize, ToSchema)]
struct TokensView {
    /// Names the session among `/sessions`.
    #[schema(value_type = String, example = "ses_0192f0c1a2b37c4d8e5f60718293a4b5")]
    session_id: SessionId,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// In how many seconds the access token expires.
    expires_in: i64,
    /// Keep it; it works once and is replaced.
    refresh_token: String,
}

impl From<Tokens> for TokensView {
    fn from(Tokens { session, access, expires_in, refresh }: Tokens) -> Self {
        Self { session_id: session, token_type: "Bearer", access_token: access, expires_in, refresh_token: refresh }
    }
}

/// Sign in
///
/// After a wrong guess or ten there is a wait, longer each time, for the account and for the address; who has signed in
/// before from where they are is not kept out by others' guesses.
#[utoipa::path(post, path = "/login", tag = "identity", request_body = Credentials, responses((status = 200, body = TokensView)))]
async fn login(
    State(app): State<App>,
    client: Client,
    Json(body): Json<Credentials>,
) -> Result<Json<TokensView>, Problem> {
    let Credentials { email, password } = body;
    Ok(Json(identity::login(&app, &email, password, client.asker()).await?.into()))
}

/// The token that renews a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Renewal {
    /// The latest `refresh_token` of the session.
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// Renew a session
///
/// Brings a new pair of tokens. A token that was replaced brings its successor again for ten seconds, in case the answer was
/// lost; after that it ends the session, because somebody else may hold it.
#[utoipa::path(post, path = "/login/refresh", tag = "identity", request_body = Renewal, responses((status = 200, body = TokensView)))]
async fn refresh(State(app): State<App>, Json(body): Json<Renewal>) -> Result<Json<TokensView>, Problem> {
    Ok(Json(identity::refresh(&app, &body.refresh_token).await?.into()))
}

/// Sign out
///
/// Ends the session of the access token; both tokens stop counting at once.
#[utoipa::path(post, path = "/logout", tag = "identity", security(("bearer" = [])), responses((status = 204, description = "The session is over.")))]
async fn logout(
    caller: Caller,
    State(app): State<App>,
    Json(Nothing {}): Json<Nothing>,
) -> Result<StatusCode, Problem> {
    identity::sessions::logout(&app, caller.signed_in).await?;
    Ok(StatusCode::NO_CONTENT)
}
