//! The engine's promises, one test each, on both storages.

mod archive;
mod bad_days;
mod brakes;
mod conformance;
mod crowds;
mod deaths;
mod evolution;
mod fences;
mod full;
mod lamp;
mod limits;
mod lost_replies;
mod million;
mod outcomes;
mod plans;
mod promises;
mod recall;
mod relay;
mod retries;
mod schedules;
mod silent_wires;
mod starts;
pub(crate) mod storm;
mod switchboard;
mod told;
mod toy;
mod tries;
