//! What can go wrong between a table and a value, and what a database means by its refusals.

use std::error::Error as StdError;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// What every read answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached; see [`classify`].
    #[error("asking the database failed")]
    Database(#[from] DbErr),
    /// A row holds what no value of ours can be: damage, or the work of a later build.
    #[error("a row of {table} cannot be read")]
    Row {
        /// Which table.
        table: &'static str,
        /// What is wrong with the row.
        #[source]
        source: Unreadable,
    },
}

/// What is wrong with a row. Never quotes what a person wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// Wraps why the column's text is no value.
    pub(crate) fn column<E: StdError>(name: &'static str) -> impl FnOnce(E) -> Self {
        move |why| Self(format!("{name}: {why}"))
    }

    /// Says which table the row is of.
    pub(crate) fn of(self, table: &'static str) -> Error {
        Error::Row { table, source: self }
    }
}

/// For projections, whose error is the database's own.
impl From<Error> for DbErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(error) => error,
            Error::Row { table, source } => Self::Type(format!("a row of {table} cannot be read: {source}")),
        }
    }
}

/// What a database means by an error, in words that are the same for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A unique key is taken.
    Taken,
    /// A row that is referred to does not exist, or is still referred to.
    ForeignKey,
    /// Somebody else is writing; nothing was done.
    Busy,
    /// The transaction could not be put in an order with others; nothing was done.
    Serialization,
    /// Two transactions waited for each other; nothing was done.
    Deadlock,
    /// It took longer than allowed; nothing was done.
    Timeout,
    /// The connection is gone or none was free. At a COMMIT this leaves open whether it happened.
    Connection,
    /// There is no room, on the disk or in memory, or the disk fails. At a COMMIT this leaves open whether it happened.
    NoRoom,
    /// Anything else: a mistake of ours, or a rule of the schema.
    Other,
}

impl Class {
    /// Whether the same transaction may simply be tried again.
    pub fn may_be_repeated(self) -> bool {
        matches!(self, Self::Busy | Self::Serialization | Self::Deadlock | Self::Timeout)
    }
}

/// What the database means by this error.
pub fn classify(error: &DbErr) -> Class {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Class::Connection,
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => of_driver(cause),
        _ => Class::Other,
    }
}

fn of_driver(cause: &SqlxError) -> Class {
    match cause {
        SqlxError::Database(refusal) => refusal.code().map_or(Class::Other, |code| of_code(&code)),
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed => Class::Connection,
        _ => Class::Other,
    }
}

/// PostgreSQL's SQLSTATE and SQLite's extended result codes do not overlap: the former have five characters.
fn of_code(code: &str) -> Class {
    match code {
        "23505" | "23P01" | "1555" | "2067" | "2579" => Class::Taken,
        "23503" | "787" => Class::ForeignKey,
        "5" | "6" | "261" | "262" | "517" | "773" | "55P03" => Class::Busy,
        "40001" => Class::Serialization,
        "40P01" => Class::Deadlock,
        "57014" => Class::Timeout,
        "57P01" | "57P02" | "57P03" | "53300" => Class::Connection,
        class08 if class08.len() == 5 && class08.starts_with("08") => Class::Connection,
        postgres if postgres.len() == 5 => match &postgres[..2] {
            // Insufficient resources, system error.
            "53" | "58" => Class::NoRoom,
            _ => Class::Other,
        },
        // NOMEM, IOERR of all kinds, FULL.
        sqlite if sqlite.parse().is_ok_and(|code: u32| matches!(code & 0xff, 7 | 10 | 13)) => Class::NoRoom,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_are_understood_alike() {
        let same = [
            (Class::Taken, "23505", "1555"),
            (Class::Taken, "23505", "2067"),
            (Class::ForeignKey, "23503", "787"),
            (Class::Busy, "55P03", "5"),
            (Class::Busy, "55P03", "517"),
            (Class::NoRoom, "53100", "13"),
            (Class::NoRoom, "53200", "7"),
            (Class::NoRoom, "58030", "778"),
        ];
        for (class, postgres, sqlite) in same {
            assert_eq!((of_code(postgres), of_code(sqlite)), (class, class), "{postgres} and {sqlite}");
        }
        assert_eq!(of_code("40001"), Class::Serialization);
        assert_eq!(of_code("40P01"), Class::Deadlock);
        assert_eq!(of_code("57014"), Class::Timeout);
        assert_eq!(of_code("08006"), Class::Connection);
        assert_eq!(of_code("23514"), Class::Other);
    }

    #[test]
    fn a_pool_that_has_nothing_to_give_is_a_connection_error() {
        assert_eq!(of_driver(&SqlxError::PoolTimedOut), Class::Connection);
        assert_eq!(of_driver(&SqlxError::RowNotFound), Class::Other);
    }
}
