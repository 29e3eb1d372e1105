//! The index that leases are looked after by, as the engine froze it.
//!
//! The previous release goes on working; its looks do not use the index.

use engine::schema::LEASES_V5;

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0012_leases", postgres: &[LEASES_V5], sqlite: &[LEASES_V5] };
