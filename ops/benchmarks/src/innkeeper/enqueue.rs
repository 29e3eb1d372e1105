//! Single enqueues, 32 callers at a time, each of whom waits for the commit of a business row and its run: in a transaction of the
//! caller's own, or in the writer's, which takes along whoever else is waiting.

use super::house::{House, next_run};
use super::work::{Job, Row, Task};
use super::{count, setting};
use crate::phase::Phase;
use anyhow::Result;
use engine::{Engine, Origin, RunId, detached};
use sea_orm::{ConnectionTrait, Statement};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The business row.
pub(super) const ORDER: &str = "insert into bench_order (id, run, note) values ($1, $2, 'two nights by the sea')";

pub(super) async fn run(house: &House) -> Result<()> {
    let home = house.desk(house.has_a_wire()).await?;
    let total = count(setting::ENQUEUES)?;
    let phase = Phase::begin("enqueue");
    let engine = home.engine.clone();
    by_callers(setting::CALLERS, total, move |number| one(engine.clone(), number)).await?;
    phase.done(total);
    Ok(())
}

/// Single enqueues that travel together: the business row is the run's projection.
pub(super) async fn together(house: &House) -> Result<()> {
    let home = house.desk(house.has_a_wire()).await?;
    let total = count(setting::ENQUEUES)?;
    let phase = Phase::begin("together");
    let engine = home.engine.clone();
    by_callers(setting::CALLERS, total, move |number| {
        let engine = engine.clone();
        async move {
            // The jobs of the callers' own transactions have the numbers before.
            let task = Task { number: total as u64 + number, row: Row::Job };
            engine.start::<Job>(next_run(), &task.number.to_string(), &task, Origin::default()).await?;
            Ok(())
        }
    })
    .await?;
    phase.done(total);
    Ok(())
}

/// The write of a request: it runs to its end even if its caller hangs up.
pub(super) async fn one(engine: Engine, number: u64) -> Result<()> {
    detached(async move {
        let tx = engine.begin().await?;
        let run: RunId = next_run();
        let backend = tx.get_database_backend();
        let order = [i64::try_from(number)?.into(), run.uuid().into()];
        tx.execute_raw(Statement::from_sql_and_values(backend, ORDER, order)).await?;
        tx.start::<Job>(run, &number.to_string(), &Task::of(number), &Origin::default()).await?;
        tx.commit().await?;
        anyhow::Ok(())
    })
    .await
}

/// Does something `total` times, with so many callers, each of whom begins anew when it has ended.
pub(super) async fn by_callers<F>(
    callers: usize,
    total: usize,
    one: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Result<()>
where
    F: Future<Output = Result<()>> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let callers = (0..callers).map(|_| {
        let (one, next) = (one.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total as u64 {
                    return anyhow::Ok(());
                }
                one(number).await?;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    Ok(())
}
