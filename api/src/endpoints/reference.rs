//! `/openapi.json` and `/docs`: the API described by itself.

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::router::{Api, Reference};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(openapi)).routes(routes!(docs)).routes(routes!(root))
}

/// This document, for machines
#[utoipa::path(get, path = "/openapi.json", tag = "reference", responses((status = 200, content_type = "application/json", body = Object)))]
async fn openapi(State(reference): State<Reference>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], reference.json.clone())
}

/// This document, for people
#[utoipa::path(get, path = "/docs", tag = "reference", responses((status = 200, content_type = "text/html", body = String)))]
async fn docs(State(reference): State<Reference>) -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, reference.policy.clone())], Html(reference.html.clone()))
}

/// The front door
///
/// For people who try the bare address: it leads to the reference.
#[utoipa::path(get, path = "/", tag = "reference", responses((status = 303, description = "See `/docs`.")))]
async fn root() -> Redirect {
    Redirect::to("/docs")
}
