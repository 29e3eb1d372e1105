//! Our own contestant: the engine and the worker as they are shipped, with two small workflows.

mod backlog;
mod bare;
mod board;
mod enqueue;
mod house;
mod latency;
mod steps;
mod work;

use crate::setting;
use anyhow::{Result, bail};
use house::House;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One part of the contest.
pub(crate) async fn run(part: &str) -> Result<()> {
    match part {
        "jobs" => {
            let house = House::postgres().await?;
            enqueue::run(&house).await?;
            enqueue::together(&house).await?;
            bare::enqueue(&house).await?;
            backlog::run(&house).await
        }
        "latency" => latency::same_process(House::postgres().await?).await,
        "across" => latency::across_processes(House::postgres().await?).await,
        // Not a part: the other process of `across`.
        "worker" => latency::work(House::postgres().await?).await,
        "workflows" => steps::run(&House::postgres().await?).await,
        "sqlite" => {
            let house = House::sqlite().await?;
            bare::commits(&house).await?;
            enqueue::run(&house).await?;
            enqueue::together(&house).await?;
            backlog::run(&house).await?;
            steps::run(&house).await
        }
        _ => bail!("there is no part {part:?}: jobs, latency, across, workflows, sqlite"),
    }
}

/// Milliseconds since the epoch: the one clock that two processes share.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time, between processes too")]
fn wall() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1e3)
}

/// Milliseconds since then.
fn since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}

/// A contestant is sized by its environment.
fn count(name: &str) -> Result<usize> {
    setting::count(name)
}
