//! Deaths of whoever held a piece of work, counted as what they are: the engine's fourth shape, as the engine froze it.
//!
//! The previous release goes on working while it is replaced: what it queues has seen no death, and those that it meets it does not
//! count.

use engine::schema::{POSTGRES_V4, SQLITE_V4};

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0011_deaths", postgres: &[POSTGRES_V4], sqlite: &[SQLITE_V4] };
