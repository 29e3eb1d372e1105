//! A turn, decided in memory: what one run makes of what came in, and everything that has to be written for it.

mod chain;
mod draft;

pub(crate) use chain::{GENESIS, digest, link};
pub(crate) use draft::{Draft, Spoiled};

use crate::{Lane, Origin, Priority, RunId, Scope, Timestamp, WorkId};

/// A run as loaded and locked.
#[derive(Clone, Debug)]
pub(crate) struct RunRow {
    pub(crate) id: RunId,
    pub(crate) workflow: String,
    pub(crate) key: String,
    pub(crate) parent: Option<RunId>,
    pub(crate) input: String,
    pub(crate) state: String,
    pub(crate) state_name: String,
    pub(crate) shape: i16,
    pub(crate) seq: i32,
    pub(crate) finished: bool,
    pub(crate) unexpected: i32,
    pub(crate) head: Vec<u8>,
    /// When it began, on the business clock.
    pub(crate) begun: Timestamp,
}

impl RunRow {
    /// Whether this is the stub of an archived run: no state is empty text.
    pub(crate) const fn is_archived(&self) -> bool {
        self.state.is_empty()
    }
}

/// A timer of the run that is due.
#[derive(Clone, Debug)]
pub(crate) struct DueTimer {
    pub(crate) work: WorkId,
    pub(crate) payload: String,
    pub(crate) due: Timestamp,
    pub(crate) scope: Scope,
}

/// How a turn ended, as journalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Moved = 0,
    Ignored = 1,
    Unexpected = 2,
}

impl Mark {
    /// The word for people.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Ignored => "ignored",
            Self::Unexpected => "unexpected",
        }
    }
}

/// One row of the journal.
#[derive(Clone, Debug)]
pub(crate) struct JournalRow {
    pub(crate) run: RunId,
    pub(crate) key: String,
    pub(crate) seq: i32,
    pub(crate) at: Timestamp,
    pub(crate) mark: Mark,
    pub(crate) event: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) note: Option<String>,
    pub(crate) shape: i16,
    pub(crate) attempts: i32,
    pub(crate) last_error: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) state_digest: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

/// Work that a turn leaves behind.
#[derive(Clone, Debug)]
pub(crate) struct NewWork {
    pub(crate) work: WorkId,
    pub(crate) kind: i16,
    pub(crate) scope: Scope,
    pub(crate) workflow: String,
    pub(crate) queue: &'static str,
    pub(crate) priority: Priority,
    pub(crate) lane: Option<Lane>,
    pub(crate) name: String,
    pub(crate) payload: String,
    pub(crate) request: Option<String>,
    pub(crate) due: Timestamp,
    pub(crate) trace: Option<String>,
}
