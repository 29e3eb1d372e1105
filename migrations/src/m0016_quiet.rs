//! What a claim need not look for, since the turn that queued the work has left it there, as the engine froze it.
//!
//! The previous release goes on working: what it queues does not say, and is looked at.

use engine::schema::QUIET_V9;

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0016_quiet", postgres: &[QUIET_V9], sqlite: &[QUIET_V9] };
