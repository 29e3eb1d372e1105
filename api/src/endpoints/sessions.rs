//! `/sessions`: where a person is signed in, and the way to end it.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::SessionId;
use serde::Serialize;
use store::sessions::Session;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::{App, identity};

use crate::caller::Caller;
use crate::page::{Listing, NoFilter, Page, Paging};
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(revoke))
}

/// A login on one device.
#[derive(Debug, Serialize, ToSchema)]
struct SessionView {
    /// Names the session.
    #[schema(value_type = String, example = "ses_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: SessionId,
    /// Whether it is the one that asks.
    current: bool,
    /// What the device called itself.
    user_agent: Option<String>,
    /// When it was begun.
    created_at: DateTime<Utc>,
    /// When it was last renewed.
    last_used_at: DateTime<Utc>,
    /// When it ends in any case.
    expires_at: DateTime<Utc>,
}

impl SessionView {
    fn of(session: Session, asking: SessionId) -> Self {
        let Session { id, user: _, created_at, last_used_at, expires_at, idle_expires_at: _, revoked: _, user_agent } =
            session;
        Self { id, current: id == asking, user_agent, created_at, last_used_at, expires_at }
    }
}

/// List your sessions, newest first
#[utoipa::path(get, path = "/sessions", tag = "identity", params(Paging), security(("bearer" = [])), responses((status = 200, body = Listing<SessionView>)))]
async fn list(caller: Caller, State(app): State<App>, page: Page<NoFilter>) -> Result<Listing<SessionView>, Problem> {
    let after = page.after::<SessionId>()?;
    let rows = identity::sessions::list(&app, caller.id, after, page.fetch()).await?;
    Ok(page.of(rows, |row| row.id, |row| SessionView::of(row, caller.session)))
}

/// End one of your sessions
///
/// Its access token stops counting at once, its refresh token too.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "identity", params(("id" = String, Path, description = "The session.")), security(("bearer" = [])), responses((status = 204, description = "The session is over.")))]
async fn revoke(caller: Caller, State(app): State<App>, Path(id): Path<SessionId>) -> Result<StatusCode, Problem> {
    identity::sessions::revoke(&app, caller.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
