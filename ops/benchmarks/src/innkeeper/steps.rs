//! Workflows of three durable steps: as many as are finished with 1, 32 and 128 in flight, and how long one takes when they come
//! at a steady pace.

use super::enqueue::by_callers;
use super::house::{Home, House, next_run};
use super::work::{Task, Trip};
use super::{count, setting, since};
use crate::phase::Phase;
use anyhow::Result;
use engine::Origin;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

pub(super) async fn run(house: &House) -> Result<()> {
    let total = count(setting::STEPS)?;
    let home = house.home_with_room(false).await?;
    let shift = home.work();
    closed(&home, total.div_ceil(20), 8).await?;
    for (name, total, in_flight) in [("steps1", total.div_ceil(8), 1), ("steps32", total, 32), ("steps128", total, 128)]
    {
        let phase = Phase::begin(name);
        closed(&home, total, in_flight).await?;
        phase.done(total);
    }
    let (rate, seconds) = (count(setting::RATE)?, count(setting::SECONDS)?);
    let phase = Phase::begin("paced");
    phase.latencies(paced(&home, rate, rate * seconds).await?);
    shift.end().await
}

/// So many at a time: the next begins when one has ended.
async fn closed(home: &Home, total: usize, in_flight: usize) -> Result<()> {
    let home = home.clone();
    by_callers(in_flight, total, move |number| one(home.clone(), number)).await
}

/// At a steady pace, whether or not the earlier ones have ended: from the call to the committed end, in milliseconds.
async fn paced(home: &Home, rate: usize, total: usize) -> Result<Vec<f64>> {
    let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / rate as f64));
    let mut open = JoinSet::new();
    for number in 0..total as u64 {
        clock.tick().await;
        let (home, began) = (home.clone(), Instant::now());
        open.spawn(async move { one(home, number).await.map(|()| since(began)) });
    }
    open.join_all().await.into_iter().collect()
}

/// One trip, to its committed end.
async fn one(home: Home, number: u64) -> Result<()> {
    let run = next_run();
    let over = home.board.end_of(run.uuid());
    home.engine.start::<Trip>(run, &run.to_string(), &Task::of(number), Origin::default()).await?;
    Ok(over.await?)
}
