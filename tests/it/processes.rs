//! The processes on the real engine, both storages and the sandbox gateway: what the pure tests promise, seen from outside.

mod builds;
mod deploys;
mod letters;
mod market;
mod money;
mod nights;
mod photos;
