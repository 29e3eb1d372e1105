//! The index of runs that no turn has to touch, as the engine froze it.

use engine::schema::{KEPT_V8, SQLITE_KEPT_V8};

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0015_kept", postgres: &[KEPT_V8], sqlite: &[SQLITE_KEPT_V8] };
