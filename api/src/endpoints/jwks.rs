//! `/.well-known/jwks.json`: the public keys, for who checks our tokens without asking us.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::App;
use workflows::identity::{self, Jwk};

use crate::body::Json;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(jwks))
}

/// A JSON Web Key Set (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
struct KeySet {
    /// The keys that tokens may be signed with at present, the coming one included.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Jwk>,
}

/// The keys that sign access tokens
///
/// A new key stands here five minutes before it signs.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "identity", responses((status = 200, body = KeySet)))]
async fn jwks(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let keys = identity::public_keys(&app).await?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=60")], Json(KeySet { keys })))
}
