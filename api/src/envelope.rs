//! What surrounds every request and answer: identity, limits, security headers, entity tags, metrics, and the writing-out
//! of problems.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tracing::{Instrument as _, info_span};

use crate::client::Client;
use crate::etag;
use crate::metrics::{self, Arrival};
use crate::once;
use crate::problem::{self, Problem, catalogue};
use crate::settings::{Network, Settings};

/// The one version of the interface so far; a client may pin it.
pub(crate) const API_VERSION: &str = "2026-11-01";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const VERSION: HeaderName = HeaderName::from_static("api-version");

/// Set unless the answer says otherwise (the pages for people have a content policy of their own).
const HEADERS: [(HeaderName, &str); 8] = [
    (VERSION, API_VERSION),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Probes are answered however busy we are and whatever version they name: a full house must not look like a dead one.
const NEVER_TURNED_AWAY: [&str; 2] = ["/livez", "/readyz"];

/// What the envelope needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    proxies: Arc<[Network]>,
    room: Arc<Semaphore>,
    time_limit: Duration,
}

impl Envelope {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            proxies: settings.trusted_proxies.clone().into(),
            room: Arc::new(Semaphore::new(settings.max_in_flight)),
            time_limit: settings.time_limit(),
        }
    }

    /// Puts the envelope around a router; nothing may stand outside it.
    pub(crate) fn around(self, router: axum::Router) -> axum::Router {
        let surrounded = router
            .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
            .layer(axum::middleware::from_fn_with_state(self, surround));
        // A router adds `Allow` outside of its own layers.
        axum::Router::new().fallback_service(surrounded).layer(axum::middleware::map_response(spaced))
    }

    async fn admit(&self, route: &str, request: Request, next: Next) -> Response {
        let (room, method) = (self.room.try_acquire(), request.method().clone());
        if room.is_err() && !NEVER_TURNED_AWAY.contains(&route) {
            metrics::shed("full", &method);
            return Problem::new(&catalogue::BUSY).after(Duration::from_secs(1)).into_response();
        }
        tokio::time::timeout(self.time_limit, next.run(request)).await.unwrap_or_else(|_| {
            metrics::shed("too_slow", &method);
            Problem::new(&catalogue::TOO_SLOW)
                .after(Duration::from_secs(1))
                .caused_by("the time limit passed")
                .into_response()
        })
    }
}

async fn surround(State(envelope): State<Envelope>, mut request: Request, next: Next) -> Response {
    let (_arrival, began) = (Arrival::now(), Instant::now());
    let client = Client::of(&request, &envelope.proxies);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let known_tags = etag::known(request.headers());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = info_span!("http", %method, route, request.id = client.request_id, trace = client.trace);
    let request_id = client.request_id.clone();
    request.extensions_mut().insert(client);

    let known = if NEVER_TURNED_AWAY.contains(&&*route) { Ok(()) } else { version(request.headers()) };
    let answer = match known.and_then(|()| once::check(&method, request.headers())) {
        Ok(()) => envelope.admit(&route, request, next).instrument(span.clone()).await,
        Err(problem) => problem.into_response(),
    };
    let mut answer = span.in_scope(|| written_out(answer, &request_id, &path));
    // The framework takes the body of an answer to a HEAD away after this.
    if matches!(method, Method::GET | Method::HEAD) && answer.status() == StatusCode::OK {
        answer = tagged(answer, &known_tags).await;
    }
    dress(answer.headers_mut(), &request_id);
    metrics::answered(&method, &route, answer.status(), began.elapsed());
    answer
}

fn version(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(VERSION) {
        Some(asked) if asked != API_VERSION => {
            Err(Problem::new(&catalogue::UNSUPPORTED_VERSION).because(format!("the versions are: {API_VERSION}")))
        }
        _ => Ok(()),
    }
}

/// Gives a problem its body, and turns what the framework refused by itself into a problem.
fn written_out(mut answer: Response, request_id: &str, path: &str) -> Response {
    let status = answer.status();
    let problem = match answer.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => foreign(status),
        None => return answer,
    };
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => tracing::error!(cause = problem.cause(), "a request failed on our side"),
        _ if status.is_server_error() => tracing::warn!(cause = problem.cause(), "a request was turned away"),
        _ => {}
    }
    let body = serde_json::to_vec(&problem.body(request_id, path)).expect("a problem is made of strings and numbers");
    let (mut parts, _) = answer.into_parts();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(problem::CONTENT_TYPE));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body))
}

fn foreign(status: StatusCode) -> Problem {
    let same = || catalogue::CATALOGUE.iter().find(|kind| kind.status == status);
    Problem::new(match status {
        StatusCode::BAD_REQUEST => &catalogue::INVALID_HEADER,
        _ if status.is_client_error() => same().unwrap_or(&catalogue::INVALID_HEADER),
        _ => same().unwrap_or(&catalogue::INTERNAL),
    })
}

/// Every complete answer to a GET or a HEAD has a strong tag; one the client knows already is not sent again.
async fn tagged(answer: Response, known: &etag::Known) -> Response {
    if answer.body().size_hint().exact().is_none() {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return Problem::new(&catalogue::INTERNAL).into_response();
    };
    let tag = etag::of_answer(parts.headers.get(header::ETAG), &bytes);
    parts.headers.insert(header::ETAG, tag.clone());
    if !known.has(&tag) {
        return Response::from_parts(parts, Body::from(bytes));
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}

/// The router joins methods by bare commas; here the list is written as everybody writes one (RFC 9110 §5.6.1).
async fn spaced(mut answer: Response) -> Response {
    if let Some(allow) = answer.headers_mut().get_mut(header::ALLOW) {
        let methods = allow.to_str().map(|methods| HeaderValue::from_str(&methods.replace(',', ", ")));
        if let Ok(Ok(methods)) = methods {
            *allow = methods;
        }
    }
    answer
}

fn dress(headers: &mut HeaderMap, request_id: &str) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the payload over by value")]
fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let said = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
    Problem::new(&catalogue::INTERNAL).caused_by(format_args!("panic: {}", said.unwrap_or("?"))).into_response()
}

#[cfg(test)]
mod tests;
