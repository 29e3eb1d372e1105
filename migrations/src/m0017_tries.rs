//! Every try that failed, kept one by one for a run's transcript, as the engine froze it.
//!
//! The previous release goes on working, and what it tries is kept as well: the database does it.

use engine::schema::{SQLITE_TRIES_V10, TRIES_V10};

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0017_tries", postgres: &[TRIES_V10], sqlite: &[SQLITE_TRIES_V10] };
