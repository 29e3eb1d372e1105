//! Workflows of three durable steps: as many as are finished with 1, 32 and 128 in flight, and how long one takes when they come
//! at a steady pace.

use super::house::{Home, House, next_run};
use super::work::{News, Task, Trip};
use super::{count, setting, since};
use crate::phase::Phase;
use anyhow::{Context, Result};
use engine::{Engine, Origin, RunId};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(super) async fn run(house: &House) -> Result<()> {
    let total = count(setting::STEPS)?;
    let mut home = house.home_with_room(false).await?;
    let shift = home.work();
    closed(&mut home, total.div_ceil(20), 8).await?;
    for (name, total, in_flight) in [("steps1", total.div_ceil(8), 1), ("steps32", total, 32), ("steps128", total, 128)]
    {
        let phase = Phase::begin(name);
        closed(&mut home, total, in_flight).await?;
        phase.done(total);
    }
    let (rate, seconds) = (count(setting::RATE)?, count(setting::SECONDS)?);
    let phase = Phase::begin("paced");
    phase.latencies(paced(&mut home, rate, rate * seconds).await?);
    shift.end().await
}

/// So many at a time: the next begins when one has ended.
async fn closed(home: &mut Home, total: usize, in_flight: usize) -> Result<()> {
    for begun in 0..total + in_flight {
        if begun >= in_flight {
            home.ended(1).await?;
        }
        if begun < total {
            begin(&home.engine, next_run(), begun as u64);
        }
    }
    Ok(())
}

/// At a steady pace, whether or not the earlier ones have ended: from the call to the committed end, in milliseconds.
async fn paced(home: &mut Home, rate: usize, total: usize) -> Result<Vec<f64>> {
    let pace = Duration::from_secs_f64(1.0 / rate as f64);
    let mut clock = tokio::time::interval(pace);
    let mut open: HashMap<Uuid, Instant> = HashMap::new();
    let (mut took, mut begun) = (Vec::with_capacity(total), 0);
    while took.len() < total {
        tokio::select! {
            _ = clock.tick(), if begun < total => {
                let run = next_run();
                open.insert(run.uuid(), Instant::now());
                begin(&home.engine, run, begun as u64);
                begun += 1;
            }
            news = home.news.recv() => {
                if let News::Ended { run } = news.context("the worker has gone")? {
                    took.extend(open.remove(&run).map(since));
                }
            }
        }
    }
    Ok(took)
}

/// Has a run begun; that it began well shows when it ends.
fn begin(engine: &Engine, run: RunId, number: u64) {
    let engine = engine.clone();
    tokio::spawn(async move {
        if let Err(error) = engine.start::<Trip>(run, &run.to_string(), &Task { number }, Origin::default()).await {
            tracing::error!(%error, "a run could not begin");
        }
    });
}
