//! The only place of the engine that knows SQL.

pub mod schema;
