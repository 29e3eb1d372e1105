//! Why a try at an effect brought no event: four classes, each with its own consequence.

use std::time::Duration;

/// A failed try. A business "no" (card declined) is not here: it is an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It definitely did not happen; trying again is safe.
    #[error("not done: {what}")]
    Transient {
        /// What we saw.
        what: String,
        /// The party asked us to wait this long.
        retry_after: Option<Duration>,
    },
    /// It may have happened: look up before repeating.
    #[error("outcome unknown: {what}")]
    Unknown {
        /// What we saw.
        what: String,
    },
    /// Our own mistake (wrong key, malformed request): no retry helps; the work parks and an operator is called.
    #[error("misconfigured: {what}")]
    Misconfigured {
        /// What we saw.
        what: String,
    },
    /// The code failed (a panic, a value that cannot be read): the work parks.
    #[error("failed in our own code: {what}")]
    Poison {
        /// What we saw.
        what: String,
    },
}

impl Fault {
    /// A definite, passing failure.
    pub fn transient(what: impl ToString) -> Self {
        Self::Transient { what: what.to_string(), retry_after: None }
    }

    /// A failure after which the outcome is open.
    pub fn unknown(what: impl ToString) -> Self {
        Self::Unknown { what: what.to_string() }
    }

    /// A failure that only a person can mend.
    pub fn misconfigured(what: impl ToString) -> Self {
        Self::Misconfigured { what: what.to_string() }
    }

    /// A failure of our own code.
    pub fn poison(what: impl ToString) -> Self {
        Self::Poison { what: what.to_string() }
    }

    /// The class as stored with the work and counted in metrics.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Transient { .. } => "transient",
            Self::Unknown { .. } => "unknown",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Poison { .. } => "poison",
        }
    }
}
