//! Commands: a JSON body together with the `Idempotency-Key` that makes sending it twice do it once.
//!
//! `api` only reads the key and hashes the request; whether it was seen before is decided by the use case, in its
//! transaction, with the rows of `workflows::idempotency`.

use std::marker::PhantomData;

use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use workflows::idempotency::{Answer, Once};

use crate::body;
use crate::problem::{Problem, catalogue};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const MAX_KEY: usize = 255;

/// Whether a command may come without a key.
pub trait KeyRule {
    /// True for bookings and money.
    const REQUIRED: bool;
}

/// A key is welcome: the rule of every POST.
#[derive(Debug)]
pub struct AnyKey;

/// A key is a must: the rule of bookings and money.
#[derive(Debug)]
pub struct MustKey;

impl KeyRule for AnyKey {
    const REQUIRED: bool = false;
}

impl KeyRule for MustKey {
    const REQUIRED: bool = true;
}

/// A command: what is asked, and under which key.
#[derive(Debug)]
pub struct Command<T, R = AnyKey> {
    /// What is asked.
    pub body: T,
    key: Option<String>,
    route: String,
    hash: String,
    rule: PhantomData<R>,
}

impl<T, R> Command<T, R> {
    /// The body, and the intent in the name of a caller (a user's id, or what stands for somebody not signed in).
    pub fn by(self, caller: impl ToString) -> (T, Once) {
        let Self { body, key, route, hash: body_hash, rule: _ } = self;
        (body, Once { caller: caller.to_string(), route, key, body_hash })
    }

    /// The same command, once its body is understood.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub fn understood<U>(self, read: impl FnOnce(T) -> Result<U, Problem>) -> Result<Command<U, R>, Problem> {
        let Self { body, key, route, hash, rule } = self;
        Ok(Command { body: read(body)?, key, route, hash, rule })
    }
}

impl<T: DeserializeOwned, R: KeyRule, S: Send + Sync> FromRequest<S> for Command<T, R> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let key = key(&headers)?;
        if R::REQUIRED && key.is_none() {
            return Err(Problem::new(&catalogue::IDEMPOTENCY_KEY_MISSING));
        }
        let template = request.extensions().get::<MatchedPath>().map_or(request.uri().path(), MatchedPath::as_str);
        let route = format!("{} {template}", request.method());
        let path = request.uri().to_string();
        let bytes = body::read(request, body::MAX_BYTES).await?;
        let hash = hex::encode(Sha256::new().chain_update(path).chain_update([0]).chain_update(&bytes).finalize());
        Ok(Self { body: body::parse(&headers, &bytes)?, key, route, hash, rule: PhantomData })
    }
}

/// Refuses a POST whose key cannot be one, also where no answer is kept under it.
pub(crate) fn check(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method == Method::POST { key(headers).map(drop) } else { Ok(()) }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut sent = headers.get_all(KEY).iter();
    let wrong = |why| Err(Problem::new(&catalogue::INVALID_HEADER).because(why));
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => wrong("Idempotency-Key stands there twice"),
        (Some(value), None) => match value.to_str() {
            Ok(key) if is_key(key) => Ok(Some(key.to_owned())),
            _ => wrong("Idempotency-Key has 1 to 255 printable ASCII characters"),
        },
    }
}

fn is_key(text: &str) -> bool {
    (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

/// An answer of a use case, fresh or stored.
#[derive(Debug)]
pub struct Answered(pub Answer);

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let Answer { status, headers, body, replayed } = self.0;
        let mut response = match body.is_empty() {
            true => Response::default(),
            false => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        };
        let Ok(status) = axum::http::StatusCode::from_u16(status) else {
            return Problem::new(&catalogue::INTERNAL)
                .caused_by(format_args!("stored status {status}"))
                .into_response();
        };
        *response.status_mut() = status;
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        if replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    async fn read<R: KeyRule>(keys: &[&str], path: &str, body: &str) -> Result<Once, &'static str> {
        let mut request = Request::builder().method("POST").uri(path).header("content-type", "application/json");
        for key in keys {
            request = request.header(KEY, *key);
        }
        let request = request.body(body.to_owned().into()).unwrap();
        let command = Command::<Value, R>::from_request(request, &()).await;
        command.map(|command| command.by("usr_1").1).map_err(|problem| problem.kind().code)
    }

    #[tokio::test]
    async fn a_key_is_welcome_everywhere_and_a_must_where_money_moves() {
        assert_eq!(read::<AnyKey>(&[], "/a", "{}").await.unwrap().key, None);
        assert_eq!(read::<MustKey>(&[], "/a", "{}").await.unwrap_err(), "idempotency_key_missing");
        assert_eq!(read::<MustKey>(&["k 1"], "/a", "{}").await.unwrap().key.as_deref(), Some("k 1"));
        for wrong in [&["a", "b"][..], &[""], &[&"x".repeat(256)], &["a\tb"]] {
            assert_eq!(read::<AnyKey>(wrong, "/a", "{}").await.unwrap_err(), "invalid_header");
        }
    }

    #[tokio::test]
    async fn another_path_or_body_is_another_request() {
        let hash = async |path, body| read::<AnyKey>(&["k"], path, body).await.unwrap().body_hash;
        let first = hash("/a/1", "{}").await;
        assert_eq!(first, hash("/a/1", "{}").await);
        assert_ne!(first, hash("/a/2", "{}").await);
        assert_ne!(first, hash("/a/1", "{ }").await);
        assert_ne!(first, hash("/a/1?dry_run=true", "{}").await);
    }

    #[test]
    fn a_stored_answer_is_shown_as_it_was_and_says_so() {
        let answer = Answer::json(201, &Value::from(7)).with("location", "/bookings/1");
        let again = Answered(Answer { replayed: true, ..answer }).into_response();
        assert_eq!(again.status().as_u16(), 201);
        assert_eq!(again.headers()["location"], "/bookings/1");
        assert_eq!(again.headers()["idempotency-replayed"], "true");
        assert!(Answered(Answer::empty(204)).into_response().headers().get("content-type").is_none());
    }
}
