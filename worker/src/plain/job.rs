//! Doing a chore: a few deletes in the database, or in Redis.

use super::line::Line;
use super::{Chore, House};
use engine::Timestamp;
use std::error::Error;
use std::time::Duration;

/// A chore that takes longer is left for the next tick.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs that one tick archives or forgets at most; the next one goes on.
const RUNS: u64 = 20_000;

/// Does a chore. Whatever comes of it, there is nothing to retry: a schedule asks again.
pub(crate) async fn carry_out(house: &House, chore: Chore) {
    let done = tokio::time::timeout(LIMIT, forget(house, chore)).await;
    match done {
        Ok(Ok(count)) => {
            tracing::debug!(chore = chore.name(), count, "a chore is done");
            if let Some(metrics) = &house.metrics {
                metrics.forgot(chore.name(), count);
            }
        }
        Ok(Err(error)) => {
            tracing::warn!(chore = chore.name(), error = %error, "a chore failed; the next tick asks again");
        }
        Err(_) => tracing::warn!(chore = chore.name(), "a chore took too long; the next tick asks again"),
    }
}

async fn forget(house: &House, chore: Chore) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let before = house.engine.real_now().await? - chore.age();
    let engine = house.engine.clone();
    // A statement on the write pool runs to its end, whoever waits for it.
    Ok(match chore {
        Chore::ForgetJobs => match &house.wire {
            Some(wire) => Line::new(wire.clone()).purge().await?,
            None => 0,
        },
        Chore::ArchiveRuns => engine.archive(RUNS).await?,
        Chore::ForgetRuns => engine.purge(RUNS).await?,
        _ => engine::detached(async move { delete(&engine, chore, before).await }).await?,
    })
}

async fn delete(engine: &engine::Engine, chore: Chore, before: Timestamp) -> Result<u64, workflows::StorageError> {
    // All that is old enough, in one statement each.
    let db = &engine.databases().write().patient();
    match chore {
        Chore::ForgetAnswers => store::idempotency::forget_before(db, before).await,
        Chore::ForgetVerifications => store::users::forget_verifications_before(db, before).await,
        Chore::ForgetSessions => store::sessions::forget_before(db, before).await,
        Chore::ForgetMessages => store::inbox::forget_before(db, before).await,
        Chore::ForgetJobs | Chore::ArchiveRuns | Chore::ForgetRuns => Ok(0),
    }
}
