//! The `Test-Scenario` header: a sandbox's client asks for trouble, to see whether it copes.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderName;
use axum::http::request::Parts;
use utoipa::IntoParams;
use workflows::App;
use workflows::sandbox::Scenario;

use crate::problem::{Problem, catalogue};

const HEADER: HeaderName = HeaderName::from_static("test-scenario");

/// For the `params(…)` of an operation that can be rehearsed.
#[derive(IntoParams, serde::Deserialize)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described, never read: the header is read by `Rehearsed`")]
pub(crate) struct TestScenario {
    /// In a sandbox: what is to go wrong. `price_changed`, `sold_out`, `card_declined`, `card_needs_action` or
    /// `provider_timeout_after_commit`.
    #[serde(rename = "Test-Scenario")]
    scenario: Option<String>,
}

/// What is to go wrong, if anything is.
#[derive(Debug)]
pub(crate) struct Rehearsed(pub(crate) Option<Scenario>);

impl<S: Send + Sync> FromRequestParts<S> for Rehearsed
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Some(asked) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        let wrong = |why| Problem::new(&catalogue::INVALID_HEADER).because(why);
        if App::from_ref(state).sandbox.is_none() {
            return Err(wrong("Test-Scenario belongs to the sandbox; this is none".to_owned()));
        }
        let scenario = asked.to_str().ok().and_then(|word| word.parse().ok());
        let words = || Scenario::ALL.map(Scenario::as_str).join(", ");
        scenario
            .map(|scenario| Self(Some(scenario)))
            .ok_or_else(|| wrong(format!("Test-Scenario is one of {}", words())))
    }
}
