//! What becomes of a lease that no turn concludes: put aside, put back, let go, or kept with what was obtained.
//!
//! Each names its attempt, so that whoever has lost it changes nothing; but for [`park`], which takes it from whoever has it.

use super::schema::{LEASED, PARKED};
use super::single::{clipped, clock, execute, named, query};
use crate::event::Fence;
use crate::{Fault, Timestamp, WorkId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Value};

/// Puts work aside until a person decides; whoever holds it loses it.
pub(crate) async fn park(db: &impl ConnectionTrait, work: WorkId, class: &str, why: &str) -> Result<u64, DbErr> {
    let sql = "update workflow_work set holder = null, not_before = $4, attempt = attempt + 1, error_class = $5, last_error = $6
      where run = $1 and seq = $2 and n = $3";
    let mut values = named(work);
    values.extend([PARKED.into(), class.into(), clipped(why).into()]);
    execute(db, sql, values).await
}

pub(crate) async fn park_fenced(db: &impl ConnectionTrait, fence: Fence, class: &str, why: &str) -> Result<u64, DbErr> {
    let sql = "update workflow_work set holder = null, not_before = $5, failures = failures + 1, error_class = $6, last_error = $7
      where run = $1 and seq = $2 and n = $3 and attempt = $4";
    execute(db, sql, fenced(fence, [PARKED.into(), class.into(), clipped(why).into()])).await
}

/// Gives work back for a later try.
pub(crate) async fn put_back(
    db: &impl ConnectionTrait,
    fence: Fence,
    at: Timestamp,
    fault: &Fault,
) -> Result<u64, DbErr> {
    let sql = "update workflow_work set holder = null, not_before = $5, failures = failures + 1, error_class = $6, last_error = $7
      where run = $1 and seq = $2 and n = $3 and attempt = $4";
    let values =
        fenced(fence, [at.timestamp_micros().into(), fault.class().into(), clipped(&fault.to_string()).into()]);
    execute(db, sql, values).await
}

/// Gives a lease back for later, without a mark: nothing has failed.
pub(crate) async fn defer(db: &impl ConnectionTrait, fence: Fence, at: Timestamp) -> Result<u64, DbErr> {
    let sql = "update workflow_work set holder = null, not_before = $5 where run = $1 and seq = $2 and n = $3 and attempt = $4";
    execute(db, sql, fenced(fence, [at.timestamp_micros().into()])).await
}

/// Whether a lease still stands.
pub(crate) async fn holds(db: &impl ConnectionTrait, fence: Fence) -> Result<bool, DbErr> {
    let sql = "select 1 from workflow_work where run = $1 and seq = $2 and n = $3 and attempt = $4 and not_before = $5";
    Ok(!query(db, sql, fenced(fence, [LEASED.into()])).await?.is_empty())
}

/// Gives a lease back untouched.
pub(crate) async fn release(db: &impl ConnectionTrait, fence: Fence) -> Result<u64, DbErr> {
    let sql = format!(
        "update workflow_work set holder = null, not_before = {} where run = $1 and seq = $2 and n = $3 and attempt = $4 and not_before = $5",
        clock(db.get_database_backend())
    );
    execute(db, &sql, fenced(fence, [LEASED.into()])).await
}

/// Keeps an outcome whose turn failed, so that the next try does not call out again.
pub(crate) async fn save_outcome(db: &impl ConnectionTrait, fence: Fence, event: &str) -> Result<u64, DbErr> {
    let sql = "update workflow_work set outcome = $5 where run = $1 and seq = $2 and n = $3 and attempt = $4";
    execute(db, sql, fenced(fence, [event.into()])).await
}

/// Forgets work before it is done: only a planted bug does that.
pub(crate) async fn forget(db: &impl ConnectionTrait, fence: Fence) -> Result<u64, DbErr> {
    execute(db, "delete from workflow_work where run = $1 and seq = $2 and n = $3 and attempt = $4", fenced(fence, []))
        .await
}

/// SQL that takes work out of the hands of somebody who died: due again at once, the first time. Work that kills its process takes
/// everything along that was in hand with it; if all of that came back at the same instant, it would be in hand together again, until
/// the innocent are parked as well.
pub(crate) fn died(backend: DbBackend) -> String {
    let apart = match backend {
        DbBackend::Sqlite => "abs(random() % (1 + 1000000 * min(deaths, 20)))",
        _ => "floor(random() * 1000000 * least(deaths, 20))::int8",
    };
    let one = i32::from(!crate::faults::planted("no_death_count"));
    format!("holder = null, not_before = {} + {apart}, deaths = deaths + {one}", clock(backend))
}

/// Holds a death that is to come against the work that brings it about, on top of what its burial counts.
pub(crate) async fn blame(db: &impl ConnectionTrait, fence: Fence, deaths: i32) -> Result<u64, DbErr> {
    let sql = "update workflow_work set deaths = deaths + $6
      where run = $1 and seq = $2 and n = $3 and attempt = $4 and not_before = $5";
    execute(db, sql, fenced(fence, [LEASED.into(), deaths.into()])).await
}

/// Takes a lease out of hands that a panic of our own has dropped: a death like any other, or it would be tried for ever.
pub(crate) async fn bury(db: &impl ConnectionTrait, fence: Fence) -> Result<u64, DbErr> {
    let sql = format!(
        "update workflow_work set {} where run = $1 and seq = $2 and n = $3 and attempt = $4 and not_before = $5",
        died(db.get_database_backend())
    );
    execute(db, &sql, fenced(fence, [LEASED.into()])).await
}

fn fenced(fence: Fence, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut values = named(fence.work);
    values.push(fence.attempt.into());
    values.extend(more);
    values
}
