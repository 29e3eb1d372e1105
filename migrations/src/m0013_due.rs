//! The index of what is due without what is leased, as the engine froze it.
//!
//! The previous release goes on working; its claims do not use the index.

use engine::schema::DUE_V6;

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0013_due", postgres: &[DUE_V6], sqlite: &[DUE_V6] };
