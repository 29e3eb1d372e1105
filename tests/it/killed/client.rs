//! A client as every client should be: it sends the same request with the same key until it knows what became of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rand::Rng;
use rand::rngs::StdRng;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long an answer may be out altogether: longer than any outage that the monkey makes.
const LIMIT: Duration = Duration::from_secs(100);
/// One try in so many is given up after a moment: its outcome is unknown without anybody having been killed.
const HASTY: u32 = 15;

/// How requests fared, those apart that were given up early.
#[derive(Debug, Default)]
pub(crate) struct Fared(Mutex<Vec<Request>>);

#[derive(Clone, Copy, Debug)]
struct Request {
    asked: Instant,
    took: Duration,
    /// By somebody who was not in trouble.
    answered: bool,
}

/// How some requests fared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fare {
    pub(crate) asked: usize,
    /// No answer, or one of a server in trouble.
    pub(crate) failed: usize,
    /// How long all but one in a hundred took at most.
    pub(crate) most: Duration,
}

/// From when until when something was wrong.
pub(crate) type Span = (Instant, Instant);

impl Fared {
    fn note(&self, asked: Instant, answered: bool) {
        let request = Request { asked, took: asked.elapsed(), answered };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    /// How all of them fared.
    pub(crate) fn all(&self) -> Fare {
        self.of(|_| true)
    }

    /// How those fared that were under way in one of these spans.
    pub(crate) fn within(&self, spans: &[Span]) -> Fare {
        self.of(|request| request.touches(spans))
    }

    fn of(&self, counts: impl Fn(&Request) -> bool) -> Fare {
        let requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut some: Vec<Request> = requests.iter().copied().filter(|request| counts(request)).collect();
        some.sort_unstable_by_key(|request| request.took);
        let most = some.get(some.len() * 99 / 100).map_or(Duration::ZERO, |request| request.took);
        Fare { asked: some.len(), failed: some.iter().filter(|request| !request.answered).count(), most }
    }
}

impl Request {
    fn touches(&self, spans: &[Span]) -> bool {
        spans.iter().any(|(from, until)| self.asked <= *until && self.asked + self.took >= *from)
    }
}

/// Reaches the product, by whichever of its addresses answers.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    sites: Vec<String>,
    /// What a balancer in front would say of where the request comes from.
    from: String,
    hasty: bool,
    pub(crate) fared: Arc<Fared>,
}

/// One thing that somebody wants.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) signature: Option<&'static str>,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Nothing,
    Json(Value),
    File { content_type: String, bytes: Vec<u8> },
}

/// A definite answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Body::Nothing)
    }

    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, Body::Json(body))
    }

    pub(crate) fn new(method: Method, path: impl Into<String>, body: Body) -> Self {
        Self { method, path: path.into(), token: None, key: None, tag: None, signature: None, body }
    }

    pub(crate) fn by(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Under a key of the caller's: sent twice, it happens once.
    pub(crate) fn once(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With what stands where the gateway signs.
    pub(crate) fn signed(mut self, signature: &'static str) -> Self {
        self.signature = Some(signature);
        self
    }

    pub(crate) fn if_match(mut self, tag: &str) -> Self {
        self.tag = Some(tag.to_owned());
        self
    }
}

impl Reply {
    /// Whether it says what became of the request, for good.
    fn is_definite(&self) -> bool {
        let retry = self.status >= 500 || self.status == 429 || self.status == 408;
        !retry && self.code() != Some("idempotency_in_flight")
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The stable code of a problem.
    pub(crate) fn code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }

    /// The body, if it went well.
    pub(crate) fn well(self) -> Result<Value> {
        if !self.is_success() {
            bail!("answered {}: {}", self.status, self.body);
        }
        Ok(self.body)
    }
}

impl Client {
    pub(crate) fn new(sites: Vec<String>, from: impl Into<String>) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build().context("make an HTTP client")?;
        Ok(Self { http, sites, from: from.into(), hasty: true, fared: Arc::default() })
    }

    /// The same client from another address.
    pub(crate) fn at(&self, from: impl Into<String>) -> Self {
        Self { from: from.into(), ..self.clone() }
    }

    /// The same client, whose requests are counted apart from this one's.
    pub(crate) fn apart(&self) -> Self {
        Self { fared: Arc::default(), ..self.clone() }
    }

    /// The same client that never hangs up early: for what has no key.
    pub(crate) fn patient(&self) -> Self {
        Self { hasty: false, ..self.clone() }
    }

    /// Asks, and asks again, until there is a definite answer.
    pub(crate) async fn ask(&self, dice: &mut StdRng, ask: &Ask) -> Result<Reply> {
        let began = Instant::now();
        loop {
            let hasty = self.hasty && dice.random_ratio(1, HASTY);
            let patience = if hasty { Duration::from_millis(dice.random_range(1..60)) } else { PATIENCE };
            let site = &self.sites[dice.random_range(0..self.sites.len())];
            let asked = Instant::now();
            let answer = self.send(site, ask, patience).await;
            if !hasty {
                self.fared.note(asked, answer.as_ref().is_ok_and(|reply| reply.status < 500));
            }
            let last = match answer {
                Ok(reply) if reply.is_definite() => return Ok(reply),
                Ok(reply) => format!("{} {}", reply.status, reply.body),
                Err(error) => format!("{error:#}"),
            };
            if began.elapsed() > LIMIT {
                bail!("{} {} has no answer after {LIMIT:?}: {last}", ask.method, ask.path);
            }
            tokio::time::sleep(Duration::from_millis(dice.random_range(30..200))).await;
        }
    }

    /// Asks this address once, whatever comes of it.
    pub(crate) async fn once(&self, site: &str, ask: &Ask) -> Result<Reply> {
        self.send(site, ask, PATIENCE).await
    }

    async fn send(&self, site: &str, ask: &Ask, patience: Duration) -> Result<Reply> {
        let request = self.http.request(ask.method.clone(), format!("{site}{}", ask.path)).timeout(patience);
        let mut request = request.header("x-forwarded-for", &self.from);
        if let Some(token) = &ask.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = &ask.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(tag) = &ask.tag {
            request = request.header("if-match", tag);
        }
        if let Some(signature) = ask.signature {
            request = request.header("sandbox-signature", signature);
        }
        let request = match &ask.body {
            Body::Nothing => request,
            Body::Json(body) if ask.method == Method::PATCH => {
                request.header("content-type", "application/merge-patch+json").body(body.to_string())
            }
            Body::Json(body) => request.json(body),
            Body::File { content_type, bytes } => request.header("content-type", content_type).body(bytes.clone()),
        };
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Ok(Reply { status, headers, body })
    }
}

/// A text field of an answer.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("{field} is missing in {value}"))
}
