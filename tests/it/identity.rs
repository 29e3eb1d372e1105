//! Accounts, sessions and tokens, over HTTP on both databases.

mod accounts;
mod keys;
mod sessions;
