//! How a request ends when it does not end well: RFC 9457, one shape for everything.
//!
//! A handler returns `Result<_, Problem>`; `?` on a use case's error is the one mapping below. What went wrong inside us
//! is logged and never shown. The request's id and path are added on the way out, by [`crate::envelope`].

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use domain::{LineChange, Priced};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use workflows::identity::Throttled;
use workflows::quoting::{PriceChange, Requoted};
use workflows::{Error, Flaw, NotSignedIn, Refusal};

use crate::endpoints::{LineView, QuoteView};

pub mod catalogue;

use catalogue::Kind;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What the body of a problem is called.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// A request's bad end, before it is written out; boxed, because every `Result` of a handler has room for one.
#[derive(Debug, Clone)]
pub struct Problem(Box<Told>);

#[derive(Debug, Clone)]
struct Told {
    kind: &'static Kind,
    /// A refusal's own code, where the catalogue has none for it.
    code: Cow<'static, str>,
    detail: Option<Cow<'static, str>>,
    errors: Vec<Flaw>,
    /// What only this kind of problem says (RFC 9457 §3.2).
    more: Map<String, Value>,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log, never for the answer.
    cause: Option<String>,
}

/// A problem as it is sent (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Names the kind of problem for ever.
    #[serde(rename = "type")]
    #[schema(example = "urn:innkeeper:problem:dates_unavailable")]
    kind: String,
    /// A short name for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is particular about this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The path that was asked.
    instance: String,
    /// The code to program against; see `x-problems`.
    code: String,
    /// Quote this to support; also in `X-Request-Id`.
    request_id: String,
    /// Each wrong value.
    errors: Vec<FlawBody>,
    /// Whether the same request may succeed later, unchanged.
    retryable: bool,
    /// What only this kind of problem says, such as `hold_expires_at` of `dates_unavailable`.
    #[serde(flatten)]
    #[schema(ignore)]
    more: Map<String, Value>,
}

/// One wrong value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemError)]
pub struct FlawBody {
    /// A JSON pointer into the body, or `?name` for a query parameter.
    #[schema(example = "/guests/adults")]
    pointer: String,
    /// `missing`, `unknown_field`, `wrong_type`, … ; a rule's own code otherwise.
    code: String,
    /// One sentence for a person.
    detail: String,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: &'static Kind) -> Self {
        let code = Cow::Borrowed(kind.code);
        let (errors, more, headers) = (Vec::new(), Map::new(), Vec::new());
        Self(Box::new(Told { kind, code, detail: None, errors, more, retry_after: None, headers, cause: None }))
    }

    /// Adds what is particular about this one; it is shown.
    #[must_use]
    pub fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds wrong values; they are shown.
    #[must_use]
    pub fn at(mut self, flaws: impl IntoIterator<Item = Flaw>) -> Self {
        self.0.errors.extend(flaws);
        self
    }

    /// Adds a member that only this kind of problem has; it is shown.
    #[must_use]
    pub fn saying(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds such a member where there is something to say.
    #[must_use]
    fn saying_if(self, name: &'static str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.saying(name, value),
            None => self,
        }
    }

    /// Adds how long to wait.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Adds the reason for the log; it is never shown.
    #[must_use]
    pub fn caused_by(mut self, cause: impl std::fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// A refusal of a process or a rule: its code from the catalogue if it is there, else under `otherwise`.
    fn refusal(refusal: Refusal, otherwise: &'static Kind) -> Self {
        let known = catalogue::find(&refusal.code).filter(|kind| kind.status == otherwise.status);
        let Refusal { code, detail } = refusal;
        let mut problem = Self::new(known.unwrap_or(otherwise)).because(detail);
        problem.0.code = code;
        problem
    }

    /// The kind.
    pub fn kind(&self) -> &'static Kind {
        self.0.kind
    }

    /// What must reach the log and nobody else.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The body, once the request is known.
    pub fn body(&self, request_id: &str, instance: &str) -> ProblemBody {
        let flaw = |flaw: &Flaw| FlawBody {
            pointer: flaw.pointer.clone().into_owned(),
            code: flaw.code.to_owned(),
            detail: flaw.detail.clone().into_owned(),
        };
        ProblemBody {
            kind: format!("urn:innkeeper:problem:{}", self.0.code),
            title: self.0.kind.title,
            status: self.0.kind.status.as_u16(),
            detail: self.0.detail.clone().map(Cow::into_owned),
            instance: instance.to_owned(),
            code: self.0.code.clone().into_owned(),
            request_id: request_id.to_owned(),
            errors: self.0.errors.iter().map(flaw).collect(),
            retryable: self.0.kind.retryable,
            more: self.0.more.clone(),
        }
    }
}

/// The one mapping from what a use case says to what a client hears.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::new(&catalogue::NOT_FOUND),
            Error::Invalid(flaws) => {
                let of_the_query = !flaws.is_empty() && flaws.iter().all(|flaw| flaw.pointer.starts_with('?'));
                Self::new(if of_the_query { &catalogue::INVALID_QUERY } else { &catalogue::INVALID_BODY }).at(flaws)
            }
            Error::Refused(refusal) => Self::refusal(refusal, &catalogue::CONFLICT),
            Error::Taken(conflict) => Self::new(&catalogue::DATES_UNAVAILABLE).because(conflict.detail),
            Error::DatesUnavailable { detail, hold_ends, own } => {
                let until = hold_ends.map(|until| until.to_rfc3339_opts(SecondsFormat::AutoSi, true));
                let problem = Self::new(&catalogue::DATES_UNAVAILABLE).because(detail);
                problem.saying_if("hold_expires_at", until).saying_if("booking_id", own.map(|own| own.to_string()))
            }
            Error::QuoteExpired(fresh) => Self::quote_expired(fresh.as_deref()),
            Error::PriceChanged(change) => Self::price_changed(&change),
            Error::Gone(refusal) => Self::refusal(refusal, &catalogue::GONE),
            Error::NotSignedIn(why) => Self::not_signed_in(why),
            Error::Forbidden(refusal) => Self::refusal(refusal, &catalogue::FORBIDDEN),
            Error::Stale => Self::new(&catalogue::STALE),
            Error::KeyMissing => Self::new(&catalogue::IDEMPOTENCY_KEY_MISSING),
            Error::KeyReused => Self::new(&catalogue::IDEMPOTENCY_KEY_REUSED),
            Error::KeyInFlight => Self::new(&catalogue::IDEMPOTENCY_IN_FLIGHT).after(Duration::from_secs(1)),
            Error::Throttled(limit) => Self::throttled(limit),
            Error::Busy(what) => Self::new(&catalogue::BUSY).after(Duration::from_secs(1)).caused_by(what),
            Error::CutOff(source) => Self::new(&catalogue::CUT_OFF).after(Duration::from_secs(1)).caused_by(source),
            Error::Storage(source) => Self::new(&catalogue::INTERNAL).caused_by(source),
            Error::Broken(what) => Self::new(&catalogue::INTERNAL).caused_by(what),
        }
    }
}

impl Problem {
    fn quote_expired(fresh: Option<&Requoted>) -> Self {
        let problem = Self::new(&catalogue::QUOTE_EXPIRED);
        let Some(Requoted { before, now }) = fresh else { return problem };
        let quote = shown(&QuoteView::from(now));
        problem.saying("quote", quote).saying("changes", changes(before, &now.promise.offer.priced))
    }

    fn price_changed(PriceChange { expected, before, now }: &PriceChange) -> Self {
        let total = now.total();
        let lines: Vec<_> = now.lines().iter().map(LineView::from).collect();
        let changes = before.as_ref().map(|before| changes(before, now));
        Self::new(&catalogue::PRICE_CHANGED)
            .because(format!("the total is {total}, not {expected}"))
            .saying("expected_total", shown(expected))
            .saying("total", shown(&total))
            .saying("lines", shown(&lines))
            .saying("changes", changes)
    }

    /// With the limit that was reached (draft-ietf-httpapi-ratelimit-headers-10): a client sees what it may do, and when.
    fn throttled(Throttled { limit, quota, window, wait }: Throttled) -> Self {
        let (window, reset) = (whole_seconds(window), whole_seconds(wait));
        let told = [
            (RATE_LIMIT_POLICY, format!("\"{limit}\";q={quota};w={window}")),
            (RATE_LIMIT, format!("\"{limit}\";r=0;t={reset}")),
        ];
        let told = told.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?)));
        let problem = Self::new(&catalogue::TOO_MANY_TRIES).after(wait);
        told.fold(problem, |problem, (name, value)| problem.with(name, value))
    }

    fn not_signed_in(why: NotSignedIn) -> Self {
        let (kind, challenge) = match why {
            NotSignedIn::Missing => (&catalogue::NOT_SIGNED_IN, "Bearer"),
            NotSignedIn::Invalid => (&catalogue::TOKEN_INVALID, "Bearer error=\"invalid_token\""),
            NotSignedIn::SessionEnded => (&catalogue::SESSION_ENDED, "Bearer error=\"invalid_token\""),
            NotSignedIn::WrongCredentials => (&catalogue::WRONG_CREDENTIALS, "Bearer"),
        };
        Self::new(kind).with(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }
}

/// The kinds of lines whose amounts differ, with the old amount and the new.
fn changes(before: &Priced, now: &Priced) -> Value {
    let change = |LineChange { kind, before, after }| json!({"kind": kind, "before": before, "after": after});
    now.changes_since(before).into_iter().map(change).collect()
}

fn shown(view: &impl Serialize) -> Value {
    serde_json::to_value(view).expect("views have string keys and plain values")
}

/// Rounded up: a client that waits this long is never early.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl IntoResponse for Problem {
    /// Status and headers; the body follows when the request is known.
    fn into_response(self) -> Response {
        let mut response = self.0.kind.status.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(wait) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        for (name, value) in &self.0.headers {
            headers.insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use insta::{assert_json_snapshot, assert_snapshot};

    use super::*;

    fn shown(error: Error) -> ProblemBody {
        Problem::from(error).body("req_1", "/bookings")
    }

    #[test]
    fn wrong_values_are_pointed_at() {
        let error = Error::flaw("/check_out", "before_check_in", "the stay ends before it begins");
        assert_json_snapshot!(shown(error), @r#"
        {
          "type": "urn:innkeeper:problem:invalid_body",
          "title": "Invalid body",
          "status": 422,
          "instance": "/bookings",
          "code": "invalid_body",
          "request_id": "req_1",
          "errors": [
            {
              "pointer": "/check_out",
              "code": "before_check_in",
              "detail": "the stay ends before it begins"
            }
          ],
          "retryable": false
        }
        "#);
    }

    #[test]
    fn what_failed_inside_is_logged_and_never_shown() {
        let problem = Problem::from(Error::Storage(sea_orm_error()));
        let body = serde_json::to_string(&problem.body("req_1", "/bookings")).unwrap();
        assert!(problem.cause().unwrap().contains("secret_table"));
        assert!(!body.contains("secret_table"), "{body}");
        assert!(problem.into_response().status().is_server_error());
    }

    fn sea_orm_error() -> workflows::StorageError {
        workflows::StorageError::Custom("relation secret_table does not exist".into())
    }

    #[test]
    fn who_must_wait_hears_which_limit_was_reached_and_for_how_long() {
        let (window, wait) = (Duration::from_secs(400), Duration::from_millis(39_500));
        let limit = Throttled { limit: "account", quota: 10, window, wait };
        let answer = Problem::from(Error::Throttled(limit)).into_response();
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        assert_eq!(header("ratelimit-policy"), "\"account\";q=10;w=400");
        assert_eq!(header("ratelimit"), "\"account\";r=0;t=40");
        assert_eq!(header("retry-after"), "40");
    }

    #[test]
    fn every_end_has_its_status_and_code() {
        let wait = Duration::from_millis(1500);
        let limit = Throttled { limit: "account", quota: 10, window: Duration::from_secs(400), wait };
        let refusal = |code| Refusal::new(code, "because");
        let ends = [
            Error::NotFound,
            Error::Invalid(vec![]),
            Error::flaw("/check_out", "not_a_stay", "…"),
            Error::flaw("?check_out", "not_a_stay", "…"),
            Error::Refused(refusal("out_of_turn")),
            Error::Refused(refusal("a_rule_of_its_own")),
            Error::Refused(refusal("not_found")),
            Error::Taken(workflows::Conflict::over("nights", "2027-01-03 is taken")),
            Error::QuoteExpired(None),
            Error::NotSignedIn(NotSignedIn::Missing),
            Error::NotSignedIn(NotSignedIn::Invalid),
            Error::NotSignedIn(NotSignedIn::SessionEnded),
            Error::NotSignedIn(NotSignedIn::WrongCredentials),
            Error::Forbidden(refusal("email_unverified")),
            Error::Stale,
            Error::KeyMissing,
            Error::KeyReused,
            Error::KeyInFlight,
            Error::Throttled(limit),
            Error::Busy("password hashing"),
            Error::CutOff(sea_orm_error()),
            Error::Storage(sea_orm_error()),
            Error::Broken("a row without an owner".into()),
        ];
        let lines = ends.into_iter().map(|error| {
            let response = Problem::from(error).into_response();
            let code = &response.extensions().get::<Problem>().unwrap().0.code;
            let retry = response.headers().get("retry-after").map_or("", |value| value.to_str().unwrap());
            format!("{} {code} {retry}", response.status().as_u16()).trim_end().to_owned()
        });
        assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
        404 not_found
        422 invalid_body
        422 invalid_body
        400 invalid_query
        409 out_of_turn
        409 a_rule_of_its_own
        409 not_found
        409 dates_unavailable
        410 quote_expired
        401 not_signed_in
        401 token_invalid
        401 session_ended
        401 wrong_credentials
        403 email_unverified
        412 stale
        400 idempotency_key_missing
        422 idempotency_key_reused
        409 idempotency_in_flight 1
        429 too_many_tries 2
        503 busy 1
        503 cut_off 1
        500 internal
        500 internal
        ");
    }
}
