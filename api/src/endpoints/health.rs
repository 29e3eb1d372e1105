//! `/livez` and `/readyz`: what an orchestrator and a balancer ask.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::App;

use crate::body::Json;
use crate::health::Health;
use crate::problem::{Problem, catalogue};
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(livez)).routes(routes!(readyz))
}

/// The health of this process.
#[derive(Debug, Serialize, ToSchema)]
struct Condition {
    /// `alive`; `ready`; or `degraded`: ready, but without the parts that are missing.
    status: &'static str,
    /// What we do without at present.
    missing: Vec<&'static str>,
}

/// The process lives
///
/// Looks at nothing outside the process: a restart would not mend a database.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, body = Condition)))]
async fn livez() -> Json<Condition> {
    Json(Condition { status: "alive", missing: Vec::new() })
}

/// The process can be sent work
///
/// 503 while draining or without the database; parts that can be done without only degrade it.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = Condition)))]
async fn readyz(State(health): State<Health>, State(app): State<App>) -> Result<Json<Condition>, Problem> {
    if health.is_draining() {
        return Err(Problem::new(&catalogue::DRAINING).because("this process is stopping"));
    }
    app.reach_database().await.map_err(|error| Problem::new(&catalogue::DRAINING).caused_by(error))?;
    let missing = health.missing();
    Ok(Json(Condition { status: if missing.is_empty() { "ready" } else { "degraded" }, missing }))
}
