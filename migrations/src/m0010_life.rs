//! Schedules that can be seen, run and paused, and the archive of runs that finished long ago, as the engine froze them.
//!
//! The previous release goes on working: it writes ticks without the new columns and never archives.

use engine::schema::{POSTGRES_V3, SQLITE_V3};

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0010_life", postgres: &[POSTGRES_V3], sqlite: &[SQLITE_V3] };
