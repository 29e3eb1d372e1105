//! The place of the full-text index of homes: schema, writer, reader, queries, snapshots.
//!
//! Nothing is here yet: `/search` asks the database (`store::search`), which is enough for the first marketplaces. The crate keeps the
//! place that the import rules give it, between `domain` and those who search.
