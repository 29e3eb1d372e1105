//! The engine's promises, one test each, on both storages.

mod fences;
mod lost_replies;
mod outcomes;
mod promises;
mod relay;
mod schedules;
mod storm;
mod toy;
