//! The engine's promises, one test each, on both storages.

mod archive;
mod brakes;
mod evolution;
mod fences;
mod lamp;
mod limits;
mod lost_replies;
mod million;
mod outcomes;
mod promises;
mod relay;
mod retries;
mod schedules;
mod storm;
mod switchboard;
mod toy;
