//! Priorities, lanes and brakes: the engine's second shape, as the engine froze it.
//!
//! A process of the release before goes on claiming while it is replaced, but it knows no brakes: pause and limit once it is gone.

use engine::schema::{POSTGRES_V2, SQLITE_V2};

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0009_brakes", postgres: &[POSTGRES_V2], sqlite: &[SQLITE_V2] };
