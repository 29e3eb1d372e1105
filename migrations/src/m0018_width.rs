//! How wide a queue may be in the whole cluster, as the engine froze it.
//!
//! The previous release does not ask: while it runs beside this one, a queue is no narrower for it than its room.

use engine::schema::WIDTH_V11;

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0018_width", postgres: &[WIDTH_V11], sqlite: &[WIDTH_V11] };
