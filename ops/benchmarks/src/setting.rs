//! What a contestant is told, by its environment: where the servers are and how much to do.

use anyhow::{Context, Result};
use std::env;

/// The address of the private Postgres, as a URL with a database of this contestant's own.
pub(crate) const POSTGRES: &str = "BENCH_POSTGRES";
/// The address of the private Redis.
pub(crate) const REDIS: &str = "BENCH_REDIS";
/// A folder of this contestant's own.
pub(crate) const FOLDER: &str = "BENCH_FOLDER";
/// Single enqueues.
pub(crate) const ENQUEUES: &str = "BENCH_ENQUEUES";
/// Jobs in the backlog that is drained.
pub(crate) const BACKLOG: &str = "BENCH_BACKLOG";
/// Workflows of three steps.
pub(crate) const STEPS: &str = "BENCH_STEPS";
/// Seconds of each phase that is paced.
pub(crate) const SECONDS: &str = "BENCH_SECONDS";
/// Workflows a second when they are paced.
pub(crate) const RATE: &str = "BENCH_RATE";

/// Callers that enqueue, or that wait for a workflow, at the same time.
pub(crate) const CALLERS: usize = 32;

/// A setting as it is.
pub(crate) fn text(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set; ./ops/bench sets it"))
}

/// A setting that is a count.
pub(crate) fn count(name: &str) -> Result<usize> {
    text(name)?.parse().with_context(|| format!("{name} is not a count"))
}
