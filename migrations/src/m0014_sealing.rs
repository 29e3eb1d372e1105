//! The trigger that guards the event log, as the engine froze it.

use engine::schema::SEALING_V7;

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0014_sealing", postgres: &[SEALING_V7], sqlite: &[] };
