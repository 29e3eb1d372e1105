//! The way in: requests straight to the router, so that a test decides about every byte and waits for no socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::BoxFuture;
use harness::TestApp;
use http_body_util::BodyExt as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tower::ServiceExt as _;

/// A request that can be sent again, spoilt.
#[derive(Clone, Default)]
pub(crate) struct Ask {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

/// The router of one process.
#[derive(Clone)]
pub(crate) struct Door {
    send: Arc<dyn Fn(reqwest::Request) -> BoxFuture<'static, Answer> + Send + Sync>,
    callers: Arc<AtomicU32>,
}

impl Ask {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same without a header, however often it is there.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(one, _)| !one.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn by(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.without("content-type").with("content-type", "application/json").bytes(body.to_string())
    }

    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Door {
    pub(crate) fn of(house: &TestApp) -> Self {
        let everywhere = vec!["0.0.0.0/0".parse().unwrap()];
        let settings = api::Settings { trusted_proxies: everywhere, ..api::Settings::default() };
        let router = api::router(house.app.clone(), &settings, house.health.clone());
        let send = move |request: reqwest::Request| -> BoxFuture<'static, Answer> {
            let router = router.clone();
            Box::pin(async move {
                let request = http::Request::<reqwest::Body>::try_from(request).unwrap();
                let answer = router.oneshot(request).await.unwrap();
                let (parts, body) = answer.into_parts();
                let bytes = body.collect().await.unwrap().to_bytes().into();
                Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
            })
        };
        Self { send: Arc::new(send), callers: Arc::default() }
    }

    /// Sends it, from an address of its own: the brake on guessing is no part of these tests.
    pub(crate) async fn send(&self, ask: &Ask) -> Answer {
        let url = format!("http://innkeeper.test{}", ask.path);
        let mut request = reqwest::Request::new(ask.method.parse().unwrap(), url.parse().unwrap());
        let caller = std::net::Ipv4Addr::from(0x0a00_0000 + self.callers.fetch_add(1, Ordering::Relaxed));
        request.headers_mut().insert("x-forwarded-for", caller.to_string().parse().unwrap());
        for (name, value) in &ask.headers {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        *request.body_mut() = Some(ask.body.clone().into());
        (self.send)(request).await
    }

    /// Sends what must succeed, and returns its body.
    pub(crate) async fn done(&self, ask: Ask) -> Value {
        let answer = self.send(&ask).await;
        assert!(
            (200..300).contains(&answer.status),
            "{} {}: {} {}",
            ask.method,
            ask.path,
            answer.status,
            answer.text()
        );
        answer.json()
    }
}
