//! Instants as tables keep them: microseconds since 1970 in a 64-bit integer, the same on both databases.

use domain::Timestamp;
use domain::time::{from_micros, to_micros};
use sea_orm::DeriveValueType;

use crate::error::Unreadable;

/// An instant in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveValueType)]
pub struct Micros(pub i64);

impl From<Timestamp> for Micros {
    fn from(at: Timestamp) -> Self {
        Self(to_micros(at))
    }
}

impl TryFrom<Micros> for Timestamp {
    type Error = Unreadable;

    fn try_from(Micros(micros): Micros) -> Result<Self, Unreadable> {
        from_micros(micros).ok_or_else(|| Unreadable::new(format!("{micros} microseconds are no instant")))
    }
}

/// The instants that a row may lack.
pub(crate) fn maybe(at: Option<Micros>) -> Result<Option<Timestamp>, Unreadable> {
    at.map(Timestamp::try_from).transpose()
}
