//! A client of the REST API, as anybody could write one: it knows nothing but HTTP and JSON.

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long to wait for something that workers do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Speaks to one API.
pub(crate) struct Client {
    http: reqwest::Client,
    site: String,
    keys: AtomicU64,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) token: String,
}

impl Client {
    pub(crate) fn new(site: &str) -> Result<Self> {
        let http =
            reqwest::Client::builder().timeout(Duration::from_secs(90)).build().context("make an HTTP client")?;
        Ok(Self { http, site: site.to_owned(), keys: AtomicU64::new(1) })
    }

    /// One request; every POST carries an idempotency key of its own.
    pub(crate) async fn ask(
        &self,
        who: Option<&Person>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.site));
        if let Some(person) = who {
            request = request.bearer_auth(&person.token);
        }
        if method == Method::POST {
            request = request.header("idempotency-key", format!("demo-{}", self.keys.fetch_add(1, Ordering::Relaxed)));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await.with_context(|| format!("{method} {path}"))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).context("read the answer")? };
        Ok(Reply { status, headers, body })
    }

    pub(crate) async fn get(&self, who: Option<&Person>, path: &str) -> Result<Value> {
        self.ask(who, Method::GET, path, None).await?.well(path)
    }

    pub(crate) async fn post(&self, who: Option<&Person>, path: &str, body: &Value) -> Result<Value> {
        self.ask(who, Method::POST, path, Some(body)).await?.well(path)
    }

    /// A change to something that may have changed meanwhile.
    pub(crate) async fn patch(&self, who: &Person, path: &str, body: &Value) -> Result<Value> {
        let before = self.ask(Some(who), Method::GET, path, None).await?;
        let tag =
            before.headers.get("etag").and_then(|t| t.to_str().ok()).context("the resource has no ETag")?.to_owned();
        let request = self.http.patch(format!("{}{path}", self.site)).bearer_auth(&who.token).header("if-match", tag);
        let request = request.header("content-type", "application/merge-patch+json").body(body.to_string());
        self.send(request).await?.well(path)
    }

    /// Puts bytes where an answer said they should go.
    pub(crate) async fn upload(&self, target: &Value, bytes: Vec<u8>) -> Result<()> {
        let url = target["url"].as_str().context("an upload has an address")?;
        let mut request = self.http.put(url).body(bytes);
        for (name, value) in target["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let status = request.send().await?.status();
        ensure!(status.is_success(), "the upload was answered {status}");
        Ok(())
    }

    /// Looks again and again until the answer is what was waited for.
    pub(crate) async fn until(
        &self,
        who: &Person,
        path: &str,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let began = std::time::Instant::now();
        loop {
            let seen = self.get(Some(who), path).await?;
            if is(&seen) {
                return Ok(seen);
            }
            if began.elapsed() > PATIENCE {
                bail!("waited {PATIENCE:?} for {what}, last seen: {seen}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Reply {
    /// The body of a success.
    pub(crate) fn well(self, path: &str) -> Result<Value> {
        ensure!(self.status.is_success(), "{path} was answered {}: {}", self.status, self.body);
        Ok(self.body)
    }

    /// The stable code of a problem with this status.
    pub(crate) fn problem(&self, status: StatusCode) -> Result<&str> {
        ensure!(self.status == status, "expected {status}, was answered {}: {}", self.status, self.body);
        self.body["code"].as_str().context("a problem has a code")
    }
}

/// A text field of an answer.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("{field} is missing in {value}"))
}
