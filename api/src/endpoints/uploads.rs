//! `/uploads`: where announced files go as long as we keep them in a folder of our own; an object store takes them itself.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::{App, uploads};

use crate::body;
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(upload))
}

/// Send an announced file
///
/// The address comes from `POST /properties/{id}/images`; type and length must be as announced. 404 where files are kept elsewhere.
#[utoipa::path(put, path = "/uploads/{token}", tag = "properties", params(("token" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 204, description = "Stored.")))]
async fn upload(State(app): State<App>, Path(token): Path<String>, request: Request) -> Result<StatusCode, Problem> {
    receive(&app, &token, request).await
}

/// Takes the file, reading no more of it than was announced.
pub(super) async fn receive(app: &App, token: &str, request: Request) -> Result<StatusCode, Problem> {
    let length = uploads::grant(app, token).await?.length;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let bytes = body::read(request, usize::try_from(length).unwrap_or(usize::MAX)).await?;
    uploads::receive(app, token, &content_type, bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}
