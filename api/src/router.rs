//! The whole API as one router: routes and document from one registration, the envelope around everything.

use axum::extract::FromRef;
use axum::http::HeaderValue;
use bytes::Bytes;
use workflows::App;

use crate::endpoints::Watching;
use crate::envelope::Envelope;
use crate::health::Health;
use crate::problem::{Problem, catalogue};
use crate::settings::Settings;
use crate::{docs, endpoints, openapi};

/// What handlers may ask for with `State`: the `App`, the process's [`Health`], the [`Reference`].
#[derive(Clone)]
pub(crate) struct Api {
    app: App,
    health: Health,
    reference: Reference,
    watching: Watching,
}

/// The document, written out once.
#[derive(Clone)]
pub(crate) struct Reference {
    pub(crate) json: Bytes,
    pub(crate) html: Bytes,
    pub(crate) policy: HeaderValue,
}

impl FromRef<Api> for App {
    fn from_ref(api: &Api) -> Self {
        api.app.clone()
    }
}

impl FromRef<Api> for Health {
    fn from_ref(api: &Api) -> Self {
        api.health.clone()
    }
}

impl FromRef<Api> for Watching {
    fn from_ref(api: &Api) -> Self {
        api.watching.clone()
    }
}

impl FromRef<Api> for Reference {
    fn from_ref(api: &Api) -> Self {
        api.reference.clone()
    }
}

/// The API, ready to be served with connection info (`into_make_service_with_connect_info::<SocketAddr>()`).
pub fn router(app: App, settings: &Settings, health: Health) -> axum::Router {
    let (routes, collected) = endpoints::all().split_for_parts();
    let api = Api {
        app,
        watching: Watching::new(health.clone()),
        health,
        reference: Reference::of(&openapi::complete(collected)),
    };
    let router = routes
        .fallback(async || Problem::new(&catalogue::NOT_FOUND))
        .method_not_allowed_fallback(async || Problem::new(&catalogue::METHOD_NOT_ALLOWED))
        .with_state(api);
    Envelope::new(settings).around(router)
}

/// The OpenAPI document, as `/openapi.json` serves it.
pub fn document() -> serde_json::Value {
    openapi::complete(endpoints::all().into_openapi())
}

impl Reference {
    fn of(document: &serde_json::Value) -> Self {
        let policy = docs::content_policy().try_into().expect("a content policy is visible ASCII");
        let json = serde_json::to_vec_pretty(document).expect("a document is plain JSON");
        Self { json: json.into(), html: docs::render(document).into(), policy }
    }
}

#[cfg(test)]
mod tests;
