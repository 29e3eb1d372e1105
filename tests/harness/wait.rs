//! Waiting for something to become true, with a limit and a name: never for a time to pass.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to leave the other side alone between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until there is something to see; fails with the name of what never came.
pub async fn until<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> Result<T> {
    let start = Instant::now();
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(seen) = look().await {
            return Ok(seen);
        }
        if start.elapsed() > limit {
            bail!("waited {limit:?} for this: {what}");
        }
    }
}

/// The same outside of async code, for servers that start before there is a runtime; `None` when the limit passed.
pub(crate) fn blocking<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if start.elapsed() > limit {
            return None;
        }
        thread::park_timeout(PAUSE);
    }
}
