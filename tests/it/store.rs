//! The tables and their queries, on both databases.

mod ledger;
mod nights;
mod owners;
mod requests;
mod schema;
mod search;
mod sessions;
mod town;
mod upgrade;
