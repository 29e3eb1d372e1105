//! Failures of the outside, in the engine's words: the orphan rule forbids a plain `?` from one crate's error into another's.

use engine::Fault;

/// What a port could not do. A business "no" is not here: it is an answer.
pub(crate) fn outside(error: integrations::Error) -> Fault {
    use integrations::Error;
    match error {
        Error::Transient { what, retry_after } => Fault::Transient { what, retry_after },
        Error::Unknown { what } => Fault::Unknown { what },
        Error::Misconfigured { what } => Fault::Misconfigured { what },
    }
}

/// What could not be read from our own tables: nothing happened outside, so trying again is safe.
pub(crate) fn reading(error: store::Error) -> Fault {
    match error {
        store::Error::Database(error) => Fault::transient(error),
        damaged @ store::Error::Row { .. } => Fault::poison(damaged),
    }
}
