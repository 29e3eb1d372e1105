//! Bodies, read strictly: JSON only, no unknown field, no field twice, and every error points at its place.

use std::borrow::Cow;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_path_to_error::{Path, Segment};
use workflows::Flaw;

use crate::problem::{Problem, catalogue};

mod field;
mod strict;

pub(crate) use field::Field;
pub(crate) use strict::Strict;

/// What a JSON body may weigh: far more than any of ours, far less than what hurts.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The body of a command that has nothing to say: absent or `{}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A JSON body, in either direction.
///
/// A type that is read must say `#[serde(deny_unknown_fields)]`; a test holds every body of the document to it.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = read(request, MAX_BYTES).await?;
        parse(&headers, &bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Reads a body of at most `limit` bytes, without trusting what the headers say about it.
pub(crate) async fn read(request: Request, limit: usize) -> Result<Vec<u8>, Problem> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(too_large(limit));
    }
    // One byte more than allowed is enough to know.
    let reading = axum::body::to_bytes(request.into_body(), limit);
    let read = tokio::time::timeout(MAX_WAIT, reading).await.map_err(|_| Problem::new(&catalogue::BODY_TIMEOUT))?;
    read.map(Into::into).map_err(|error| match std::error::Error::source(&error).map(ToString::to_string) {
        Some(source) if source.contains("length limit") => too_large(limit),
        _ => Problem::new(&catalogue::UNREADABLE_BODY),
    })
}

fn too_large(limit: usize) -> Problem {
    Problem::new(&catalogue::TOO_LARGE).because(format!("at most {limit} bytes"))
}

/// Parses a body; an empty one counts as `{}`, so that a command without fields needs no body.
pub(crate) fn parse<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return from_slice(b"{}");
    }
    if !says_json(headers) {
        return Err(Problem::new(&catalogue::UNSUPPORTED_MEDIA_TYPE));
    }
    from_slice(bytes)
}

fn says_json(headers: &HeaderMap) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/merge-patch+json"].iter().any(|json| essence.eq_ignore_ascii_case(json))
}

fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Strict(&mut reader)).map_err(|error| {
        let path = error.path().clone();
        wrong(&path, &error.into_inner())
    })?;
    reader.end().map_err(|_| Problem::new(&catalogue::MALFORMED_JSON).because("something follows the JSON value"))?;
    Ok(value)
}

fn wrong(path: &Path, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        let place = format!("line {}, column {}", error.line(), error.column());
        return Problem::new(&catalogue::MALFORMED_JSON).because(place);
    }
    Problem::new(&catalogue::INVALID_BODY).at([flaw(pointer(path), &error.to_string())])
}

/// The place as a JSON pointer (RFC 6901); an enum's variant is no step of its own in our JSON.
fn pointer(path: &Path) -> String {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

/// Names a parser's complaint, without repeating the value that was sent.
pub(crate) fn flaw(place: String, complaint: &str) -> Flaw {
    let complaint = complaint.split(" at line ").next().unwrap_or(complaint);
    let named = |prefix: &str| complaint.strip_prefix(prefix)?.split('`').next();
    let beneath =
        |name: &str| if place.ends_with(&format!("/{name}")) { place.clone() } else { format!("{place}/{name}") };
    let expected = complaint.rsplit_once(", expected ").map(|(_, what)| format!("expected {what}"));
    if let Some(name) = named("missing field `") {
        return Flaw::new(beneath(name), "missing", "this field is required");
    }
    if let Some(name) = named("unknown field `") {
        return Flaw::new(beneath(name), "unknown_field", "this field is not known here");
    }
    if let Some(name) = named("duplicate field `") {
        return Flaw::new(beneath(name), "repeated_field", "this field stands here twice");
    }
    let (code, detail): (_, Cow<'static, str>) = match complaint {
        c if c.starts_with("invalid type") => ("wrong_type", expected.unwrap_or("of another type".into()).into()),
        c if c.starts_with("unknown variant") => {
            ("unknown_value", expected.unwrap_or("not a known value".into()).into())
        }
        c if c.starts_with("invalid value") || c.starts_with("invalid length") => {
            ("out_of_range", expected.unwrap_or("out of range".into()).into())
        }
        rule => ("invalid_value", rule.to_owned().into()),
    };
    Flaw::new(place, code, detail)
}

/// A field of a JSON Merge Patch (RFC 7396): absent, `null` and a value are three different wishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Absent: leave it.
    #[default]
    Keep,
    /// `null`: take it away.
    Clear,
    /// A value: set it.
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    /// Only called when the field is there; give the field `#[serde(default)]`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

impl<T> Patch<T> {
    /// The wish as use cases take it: nothing, nothing there, or a value.
    pub fn wish(self) -> Option<Option<T>> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }

    /// The new value, once the wish is carried out on `present`.
    pub fn over(self, present: Option<T>) -> Option<T> {
        match self {
            Self::Keep => present,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// For a field of a patch that cannot be taken away: absent is `None`, `null` is an error.
///
/// # Errors
/// When the value is not a `T`; `null` is none.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use domain::PropertyId;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        property: PropertyId,
        guests: Vec<Guest>,
        #[serde(default)]
        phone: Patch<String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Guest {
        age: u8,
        kind: Kind,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Adult,
    }

    const PROPERTY: &str = "prp_0192f0c1a2b37c4d8e5f60718293a4b5";

    fn refused(body: &str) -> (u16, String) {
        let problem = from_slice::<Wish>(body.as_bytes()).unwrap_err();
        let body = serde_json::to_value(problem.body("", "")).unwrap();
        let first = &body["errors"][0];
        let said = first.as_object().map_or_else(
            || format!("{} {}", body["code"], body["detail"]),
            |_| format!("{} {} {}", first["pointer"], first["code"], first["detail"]),
        );
        (problem.kind().status.as_u16(), said.replace('"', ""))
    }

    #[test]
    fn every_error_points_at_its_place() {
        let wish = |guests: &str| format!(r#"{{"property":"{PROPERTY}","guests":{guests}}}"#);
        let cases = [
            (wish("[{\"kind\":\"adult\"}]"), 422, "/guests/0/age missing this field is required"),
            (wish("[{\"age\":\"secret\",\"kind\":\"adult\"}]"), 422, "/guests/0/age wrong_type expected u8"),
            (wish("[{\"age\":300,\"kind\":\"adult\"}]"), 422, "/guests/0/age out_of_range expected u8"),
            (wish("[{\"age\":-1,\"kind\":\"adult\"}]"), 422, "/guests/0/age out_of_range expected u8"),
            (wish("[{\"age\":1e400,\"kind\":\"adult\"}]"), 400, "malformed_json line 1, column 73"),
            (wish("[{\"age\":1.5,\"kind\":\"adult\"}]"), 422, "/guests/0/age wrong_type expected u8"),
            (wish("[{\"age\":1,\"kind\":\"child\"}]"), 422, "/guests/0/kind unknown_value expected `adult`"),
            (
                wish("[{\"age\":1,\"age\":2,\"kind\":\"adult\"}]"),
                422,
                "/guests/0/age repeated_field this field stands here twice",
            ),
            (
                wish("[{\"age\":1,\"kind\":\"adult\",\"role\":1}]"),
                422,
                "/guests/0/role unknown_field this field is not known here",
            ),
            (wish("null"), 422, "/guests wrong_type expected a sequence"),
            ("[]".into(), 422, " wrong_type expected struct Wish"),
            (wish("[[7, \"adult\"]]"), 422, "/guests/0 wrong_type expected struct Guest"),
            ("{}".into(), 422, "/property missing this field is required"),
            (
                wish("[]").replace("prp_", "usr_"),
                422,
                "/property invalid_value not an id of the form prp_ and 32 lower-case hexadecimal digits",
            ),
            (
                wish("[]").replace("[]", "[],\"phone\":\"a\\u0000\""),
                422,
                "/phone invalid_value a text without control characters is needed",
            ),
            (wish("[]") + "x", 400, "malformed_json something follows the JSON value"),
            ("{\"property\":".into(), 400, "malformed_json line 1, column 12"),
            ("{\"property\":\"\u{1}\"".into(), 400, "malformed_json line 1, column 14"),
        ];
        for (body, status, said) in cases {
            assert_eq!(refused(&body), (status, said.to_owned()), "{body}");
        }
    }

    #[test]
    fn absent_null_and_a_value_are_three_wishes() {
        let phone = |field: &str| {
            let body = format!(r#"{{"property":"{PROPERTY}","guests":[]{field}}}"#);
            from_slice::<Wish>(body.as_bytes()).unwrap().phone
        };
        let present = Some("+1".to_owned());
        assert_eq!(phone("").over(present.clone()), present);
        assert_eq!(phone(",\"phone\":null").over(present.clone()), None);
        assert_eq!(phone(",\"phone\":\"+2\"").over(present), Some("+2".to_owned()));
    }

    async fn ask(content_type: Option<&str>, body: Body) -> Problem {
        let mut request = Request::builder().method("POST").uri("/");
        if let Some(value) = content_type {
            request = request.header("content-type", value);
        }
        Json::<Wish>::from_request(request.body(body).unwrap(), &()).await.unwrap_err()
    }

    #[tokio::test]
    async fn only_json_is_read_and_only_so_much() {
        for other in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")] {
            assert_eq!(ask(other, "{}".into()).await.kind().code, "unsupported_media_type", "{other:?}");
        }
        assert_eq!(ask(Some("application/json; charset=utf-8"), "{}".into()).await.kind().code, "invalid_body");
        let whole = "x".repeat(MAX_BYTES + 1);
        assert_eq!(ask(Some("application/json"), whole.clone().into()).await.kind().code, "too_large");
        // In pieces and without a length: the bytes are counted, not the header.
        let pieces =
            whole.as_bytes().chunks(1000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
        let stream = Body::from_stream(futures::stream::iter(pieces));
        assert_eq!(ask(Some("application/json"), stream).await.kind().code, "too_large");
    }
}
