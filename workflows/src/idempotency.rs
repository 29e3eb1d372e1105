//! The same request twice is one request: the answer is stored under the caller's key, in the transaction that earned it.
//!
//! A use case says what is to be done and how it is answered; [`Once::carry_out`] does it in the one transaction:
//!
//! ```text
//! once.carry_out(app, move |app, tx| {
//!     Box::pin(async move {
//!         let view = …;               // rows and turns, all of them with `tx`
//!         Ok(render(&view))
//!     })
//! })
//! .await
//! ```
//!
//! Only what happened is stored: a refusal rolls back and is worked out afresh when it is asked again. While the first
//! request is being answered, a second with its key hears 409 (PostgreSQL) or waits for its answer (SQLite, where writers
//! are alone).

use domain::Timestamp;
use engine::{Tx, detached};
use futures::future::BoxFuture;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use store::idempotency::{self as rows, Key, Stored};

use crate::{App, Error};

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
    #[must_use]
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

impl Once {
    /// Does the work and keeps its answer, in one transaction that goes on to its end even if the caller hangs up. Who asks under a
    /// key that was answered before gets that answer, and nothing is done.
    ///
    /// # Errors
    /// What the work refuses: then nothing of it has happened. [`Error::KeyReused`] when the key belongs to another request,
    /// [`Error::KeyInFlight`] while the first request with it is being answered.
    pub(crate) async fn carry_out<W>(self, app: &App, work: W) -> Result<Answer, Error>
    where
        W: for<'a> FnOnce(&'a App, &'a Tx) -> BoxFuture<'a, Result<Answer, Error>> + Send + 'static,
    {
        let app = app.clone();
        detached(async move {
            let tx = app.engine.begin().await?;
            let claimed = match claim(&*tx, &self).await? {
                Claim::Seen(answer) => return Ok(answer),
                Claim::Mine(claimed) => claimed,
            };
            let answer = work(&app, &tx).await?;
            claimed.keep(&*tx, &answer).await?;
            tx.commit().await?;
            Ok(answer)
        })
        .await
    }
}

/// What a request finds under its key.
#[derive(Debug)]
enum Claim {
    /// It is the first: do it, then [`keep`](Claimed::keep) the answer.
    Mine(Claimed),
    /// It was answered before: roll back and say so again.
    Seen(Answer),
}

/// The right to answer a request.
#[derive(Debug)]
struct Claimed(Option<First>);

/// The first request with its key.
#[derive(Debug)]
struct First {
    key: Key,
    body_hash: String,
    /// By the clock that says how old its answer is: the database's.
    at: Timestamp,
}

/// Says whether this request is the first with its key; the first thing in the transaction that answers it.
async fn claim(tx: &impl ConnectionTrait, once: &Once) -> Result<Claim, Error> {
    let Once { caller, route, key, body_hash } = once.clone();
    let Some(key) = key else { return Ok(Claim::Mine(Claimed(None))) };
    let key = Key { caller, route, key };
    match rows::claim(tx, &key).await? {
        rows::Claim::Fresh(at) => Ok(Claim::Mine(Claimed(Some(First { key, body_hash, at })))),
        rows::Claim::InFlight => Err(Error::KeyInFlight),
        rows::Claim::Answered(stored) if stored.body_hash == body_hash => seen(*stored),
        rows::Claim::Answered(_) => Err(Error::KeyReused),
    }
}

/// The answer that was given under this key before, without a transaction: a repeat is answered before anything else is asked.
///
/// # Errors
/// [`Error::KeyReused`] when the key belongs to another request.
pub async fn replay(reader: &impl ConnectionTrait, once: &Once) -> Result<Option<Answer>, Error> {
    let Once { caller, route, key, body_hash } = once.clone();
    let Some(key) = key else { return Ok(None) };
    match rows::lookup(reader, &Key { caller, route, key }).await? {
        None => Ok(None),
        Some(stored) if stored.body_hash != body_hash => Err(Error::KeyReused),
        Some(stored) => match seen(stored)? {
            Claim::Seen(answer) => Ok(Some(answer)),
            Claim::Mine(_) => Ok(None),
        },
    }
}

fn seen(stored: Stored) -> Result<Claim, Error> {
    let headers =
        serde_json::from_str(&stored.headers).map_err(|_| Error::Broken("stored headers are not ours".into()))?;
    Ok(Claim::Seen(Answer { status: stored.status, headers, body: stored.body, replayed: true }))
}

impl Claimed {
    /// Stores the answer in the same transaction.
    async fn keep(self, tx: &impl ConnectionTrait, answer: &Answer) -> Result<(), Error> {
        let Some(First { key, body_hash, at }) = self.0 else { return Ok(()) };
        let headers = serde_json::to_string(&answer.headers).expect("headers are texts");
        let stored = Stored { body_hash, status: answer.status, headers, body: answer.body.clone(), created_at: at };
        Ok(rows::store(tx, &key, &stored).await?)
    }
}
