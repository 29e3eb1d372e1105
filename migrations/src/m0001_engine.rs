//! The engine's own tables, as the engine froze them.

use engine::schema::{POSTGRES_V1, SQLITE_V1};

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0001_engine", postgres: &[POSTGRES_V1], sqlite: &[SQLITE_V1] };
