//! A backlog of jobs whose effect does nothing, drained by one worker: claimed, executed and concluded, each durably.

use super::house::{House, next_run};
use super::work::{Job, Task};
use super::{count, setting};
use crate::phase::Phase;
use anyhow::Result;
use engine::{Engine, Origin};
use futures::{StreamExt, TryStreamExt, stream};

/// Starts that wait for the writer at the same time when a backlog is made: many in one commit.
const TOGETHER: usize = 512;

pub(super) async fn run(house: &House) -> Result<()> {
    let total = count(setting::BACKLOG)?;
    let desk = house.desk(false).await?;
    let left_over = depth(&desk.engine).await?;
    let phase = Phase::begin("bulk");
    queue(&desk.engine, total).await?;
    phase.done(total);
    let home = house.home_with_room(false).await?;
    let phase = Phase::begin("drain");
    let shift = home.work();
    home.board.have_ended(left_over + total).await;
    phase.done(left_over + total);
    shift.end().await
}

/// Jobs of the single enqueues before: they are drained too.
async fn depth(engine: &Engine) -> Result<usize> {
    let depths = engine.depths().await?;
    Ok(depths.iter().filter_map(|depth| usize::try_from(depth.ready).ok()).sum())
}

async fn queue(engine: &Engine, total: usize) -> Result<()> {
    let starts = stream::iter(0..total as u64).map(|number| async move {
        engine.start::<Job>(next_run(), &format!("backlog {number}"), &Task::of(number), Origin::default()).await
    });
    starts.buffer_unordered(TOGETHER).try_for_each(|_| async { Ok(()) }).await?;
    Ok(())
}
