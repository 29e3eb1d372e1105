//! `/webhooks/sandbox`: what the payment gateway tells us by itself.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::{App, till};

use crate::body;
use crate::endpoints::sandbox::InSandbox;
use crate::problem::{Problem, catalogue};
use crate::router::Api;

const SIGNATURE: &str = "sandbox-signature";

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(sandbox))
}

/// Tell us of a change at the sandbox gateway
///
/// Signed over the body's bytes. Accepted at once and worked on later; a message that is sent again is accepted again and
/// changes nothing.
#[utoipa::path(post, path = "/webhooks/sandbox", tag = "webhooks", params(("sandbox-signature" = String, Header, description = "`t=…,v1=…`")),
    request_body(content = String, content_type = "application/json"), responses((status = 204, description = "Accepted.")))]
async fn sandbox(_: InSandbox, State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let signature = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let signature =
        signature.ok_or_else(|| Problem::new(&catalogue::INVALID_HEADER).because("sandbox-signature is needed"))?;
    let raw = body::read(request, body::MAX_BYTES).await?;
    till::receive(&app, &signature, raw).await?;
    Ok(StatusCode::NO_CONTENT)
}
