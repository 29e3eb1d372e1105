//! The house stands as it was drawn: who may import whom, what may be in it, and that its map is true.

mod dependencies;
mod edges;
mod layout;
mod metadata;
