//! The same request twice is one request: the answer is stored under the caller's key, in the transaction that earned it.

use serde::Serialize;

/// Names one intent of one caller, as `api` read it from the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Whose key it is: keys of two callers never meet.
    pub caller: String,
    /// Method and route template: keys of two routes never meet.
    pub route: String,
    /// The `Idempotency-Key`, when the caller sent one.
    pub key: Option<String>,
    /// SHA-256, in hexadecimal, over the path and the body's bytes: the same key must mean the same request.
    pub body_hash: String,
}

/// What a request is answered with, as it is stored and shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond the usual, such as `location` and `etag`.
    pub headers: Vec<(String, String)>,
    /// The JSON body; empty for none.
    pub body: String,
    /// True when this is an earlier answer shown again.
    pub replayed: bool,
}

impl Answer {
    /// A fresh answer that shows `view` as JSON.
    pub fn json(status: u16, view: &impl Serialize) -> Self {
        let body = serde_json::to_string(view).expect("views have string keys and plain values");
        Self { status, headers: Vec::new(), body, replayed: false }
    }

    /// A fresh answer without a body.
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), replayed: false }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
