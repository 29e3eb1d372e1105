//! Why a use case did not do what was asked, in the words of the product; `api` turns each into one problem.

use std::borrow::Cow;

use engine::{Conflict, Refusal, TurnError};

use crate::identity::Throttled;
use crate::quoting::{PriceChange, Requoted};

/// Everything that a use case can answer instead of its result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not exist, or it is not this caller's to know about: the two are never told apart.
    #[error("nothing of that name is there for this caller")]
    NotFound,
    /// The request is well formed and means something impossible; every flaw that was found is listed.
    #[error("{} of the given values cannot be right", .0.len())]
    Invalid(Vec<Flaw>),
    /// A rule or the present state forbids it; the code is in the catalogue of problems.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Something scarce (a night) belongs to somebody else already.
    #[error("{0}")]
    Taken(Conflict),
    /// At least one of the nights is taken.
    #[error("dates unavailable: {detail}")]
    DatesUnavailable {
        /// One sentence for a person.
        detail: String,
        /// When a hold in the way ends, unless it is confirmed before.
        hold_ends: Option<domain::Timestamp>,
        /// The caller's own booking, when that is what stands in the way.
        own: Option<domain::BookingId>,
    },
    /// The quote is too old; what the same stay costs now is already in writing, unless it can no longer be had.
    #[error("the quote is too old")]
    QuoteExpired(Option<Box<Requoted>>),
    /// The price is not the one that the caller has seen.
    #[error("the price is not the one expected")]
    PriceChanged(Box<PriceChange>),
    /// It was there and is no more: an expired hold or link.
    #[error("expired: {0}")]
    Gone(Refusal),
    /// Nobody is signed in.
    #[error("not signed in: {0}")]
    NotSignedIn(NotSignedIn),
    /// This person may not do it, whatever the state.
    #[error("forbidden: {0}")]
    Forbidden(Refusal),
    /// The thing changed since the caller read it.
    #[error("the version the caller knows is stale")]
    Stale,
    /// This request needs an idempotency key.
    #[error("the idempotency key is missing")]
    KeyMissing,
    /// The idempotency key was used for a different request.
    #[error("the idempotency key belongs to another request")]
    KeyReused,
    /// The first request with this idempotency key has not been answered yet.
    #[error("the first request with this idempotency key is still being answered")]
    KeyInFlight,
    /// Too many tries; the wait is ours to choose.
    #[error("too many tries, wait {} s", .0.wait.as_secs())]
    Throttled(Throttled),
    /// We are too busy to begin; nothing happened.
    #[error("too busy to begin with {0}")]
    Busy(&'static str),
    /// The connection to the database is gone. Whether what was asked for has happened is open; whoever repeats it under its key knows.
    #[error("lost touch with the database")]
    CutOff(#[source] sea_orm::DbErr),
    /// The database failed us.
    #[error("could not read or write the database")]
    Storage(#[source] sea_orm::DbErr),
    /// Something that cannot be, was.
    #[error("broken invariant: {0}")]
    Broken(Cow<'static, str>),
}

/// One wrong value in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Where, as a JSON pointer into the body (`/guests/adults`) or `?name` for a query parameter.
    pub pointer: Cow<'static, str>,
    /// Stable, snake_case.
    pub code: &'static str,
    /// One sentence for a person; never repeats the value.
    pub detail: Cow<'static, str>,
}

impl Flaw {
    /// A flaw at a place of the body.
    pub fn new(
        pointer: impl Into<Cow<'static, str>>,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// Why a request counts as nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSignedIn {
    /// There is no token.
    #[error("no token")]
    Missing,
    /// The token is not one of ours, or no longer.
    #[error("token not valid")]
    Invalid,
    /// The session has ended: signed out, revoked, or too old.
    #[error("session ended")]
    SessionEnded,
    /// E-mail or password is wrong; which of them is never said.
    #[error("wrong credentials")]
    WrongCredentials,
}

/// What the caller last saw of a thing that it wants to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Any version will do.
    Any,
    /// One of these versions.
    Version(Vec<i64>),
}

impl Expected {
    /// Refuses when the present version is not an expected one.
    pub fn check(&self, present: i64) -> Result<(), Error> {
        match self {
            Self::Any => Ok(()),
            Self::Version(known) if known.contains(&present) => Ok(()),
            Self::Version(_) => Err(Error::Stale),
        }
    }
}

impl Error {
    /// One wrong value.
    pub fn flaw(pointer: &'static str, code: &'static str, detail: &'static str) -> Self {
        Self::Invalid(vec![Flaw::new(pointer, code, detail)])
    }

    /// A rule said no.
    pub const fn refused(code: &'static str, detail: &'static str) -> Self {
        Self::Refused(Refusal::new(code, detail))
    }
}

/// What may simply be tried again is a matter of being busy, and a database that is away comes back; anything else is ours to mend.
impl From<sea_orm::DbErr> for Error {
    fn from(source: sea_orm::DbErr) -> Self {
        // Who got no connection has not begun.
        let never_began = matches!(source, sea_orm::DbErr::ConnectionAcquire(_));
        match store::classify(&source) {
            _ if never_began => Self::Busy("the database"),
            class if class.may_be_repeated() => Self::Busy("the database"),
            store::Class::Connection | store::Class::NoRoom => Self::CutOff(source),
            _ => Self::Storage(source),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Database(source) => source.into(),
            damaged @ store::Error::Row { .. } => Self::Broken(sea_orm::DbErr::from(damaged).to_string().into()),
        }
    }
}

impl From<TurnError> for Error {
    fn from(error: TurnError) -> Self {
        match error {
            TurnError::Refused(refusal) => Self::Refused(refusal),
            TurnError::Taken(conflict) => Self::Taken(conflict),
            TurnError::Duplicate => Self::refused("already_done", "this was done before"),
            TurnError::NoSuchRun => Self::NotFound,
            TurnError::NewerShape => Self::Busy("a process that a newer build has in hand"),
            TurnError::Stale => Self::Broken("a command carried a lease".into()),
            TurnError::Poison { run, why } => Self::Broken(format!("{run} failed: {why}").into()),
            TurnError::Storage(source) => source.into(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        Self::Taken(conflict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_to_a_version_nobody_expected_is_stale() {
        assert!(Expected::Any.check(7).is_ok());
        assert!(Expected::Version(vec![6, 7]).check(7).is_ok());
        assert!(matches!(Expected::Version(vec![6]).check(7), Err(Error::Stale)));
        assert!(matches!(Expected::Version(vec![]).check(7), Err(Error::Stale)));
    }

    #[test]
    fn a_database_that_went_away_is_nobodys_mistake() {
        let gone = || sea_orm::RuntimeErr::Internal("connection reset by peer".to_owned());
        assert!(matches!(Error::from(sea_orm::DbErr::Conn(gone())), Error::CutOff(_)));
        assert!(matches!(Error::from(sea_orm::DbErr::Query(gone())), Error::Storage(_)));
    }
}
