//! The three ways in which a call to an outside party yields no answer.

use std::time::Duration;

/// Why a call to an outside party gave no answer, which decides what may be done next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It definitely did not happen: the same call may be made again later.
    #[error("calling an outside party: {what}")]
    Transient {
        /// What went wrong, in words for an operator.
        what: String,
        /// How long the party asked us to wait, if it did.
        retry_after: Option<Duration>,
    },
    /// It may have happened: ask the party what became of it before repeating it.
    #[error("calling an outside party, outcome unknown: {what}")]
    Unknown {
        /// What went wrong, in words for an operator.
        what: String,
    },
    /// It cannot work until somebody mends the configuration or the code that made the call.
    #[error("calling an outside party as we are set up: {what}")]
    Misconfigured {
        /// What is wrong, in words for an operator.
        what: String,
    },
}

impl Error {
    /// A failure before anything happened, with no advice on when to come back.
    pub fn transient(what: impl Into<String>) -> Self {
        Self::Transient { what: what.into(), retry_after: None }
    }

    /// A failure that leaves open whether the call took effect.
    pub fn unknown(what: impl Into<String>) -> Self {
        Self::Unknown { what: what.into() }
    }

    /// A failure that no repetition will cure.
    pub fn misconfigured(what: impl Into<String>) -> Self {
        Self::Misconfigured { what: what.into() }
    }
}
