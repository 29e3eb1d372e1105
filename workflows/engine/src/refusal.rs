//! What `on` answers when an event has no place in the state: a person hears it, a fact is kept and flagged.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A business "no" with a stable code (API clients program against it) and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable, snake_case, documented in the API's catalogue of problems.
    pub code: Cow<'static, str>,
    /// One sentence for a person; no personal data, it is journalled for facts.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with its code and sentence.
    #[must_use]
    pub const fn new(code: &'static str, detail: &'static str) -> Self {
        Self { code: Cow::Borrowed(code), detail: Cow::Borrowed(detail) }
    }

    /// The event has no meaning in the present state.
    #[must_use]
    pub const fn out_of_turn() -> Self {
        Self::new("out_of_turn", "this is not possible in the present state")
    }

    /// A refusal whose sentence is made at run time.
    #[must_use]
    pub fn because(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), detail: Cow::Owned(detail.into()) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Refusal {}

/// Something scarce that a step wanted was already taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// What was wanted, as the step called it in [`takes`](crate::Step::takes).
    pub wanted: String,
    /// What stands in the way, for the answer to a person: keys, never personal data.
    pub detail: String,
}

impl Conflict {
    /// A conflict over `wanted`.
    #[must_use]
    pub fn over(wanted: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { wanted: wanted.into(), detail: detail.into() }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} already taken: {}", self.wanted, self.detail)
    }
}
