//! Keeping leases honest: this process's heartbeat, the rescue of dead processes' work, and the return of leases lost on the way.
//!
//! Every process looks once a second. `not_before` is written out in these statements, so that the planner can tell that the index of
//! leases has them all: among a million timers a look would otherwise read all of them.

use crate::attempt::KNOWN_DEATH;
use crate::engine::Engine;
use crate::event::Fence;
use crate::faults;
use crate::storage::schema::LEASED;
use crate::storage::{lease, real_clock, single, statement, work_id};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use std::collections::HashSet;
use uuid::Uuid;

impl Engine {
    /// Says that this process is alive. Once a second, from a connection of its own.
    ///
    /// # Errors
    /// When the database fails; the next beat tries again.
    pub async fn beat(&self) -> Result<(), DbErr> {
        let db = &self.core.db.heart;
        let backend = db.get_database_backend();
        let real = real_clock(backend);
        let sql = format!(
            "insert into workflow_process (id, role, started_at, beat_at) values ($1, $2, {real}, {real})
             on conflict (id) do update set beat_at = excluded.beat_at"
        );
        let values = vec![self.core.hands.process.into(), self.core.role.into()];
        db.execute_raw(statement(backend, &sql, values)).await?;
        faults::point("after_beat");
        Ok(())
    }

    /// Frees the leases of processes whose heartbeat is too old, and forgets processes that are long gone.
    ///
    /// Their late answers are refused from the next claim on: every claim raises the attempt that a completion must name. What has
    /// seen more than one process die comes back spread over some seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rescue(&self) -> Result<u64, DbErr> {
        if faults::planted("sweeper_off") {
            return Ok(0);
        }
        let db = &self.core.db.write;
        let backend = db.get_database_backend();
        let real = real_clock(backend);
        let mut patience = i64::try_from(self.core.rescue_after.as_micros()).unwrap_or(i64::MAX);
        if crate::faults::planted("no_lease_check") {
            // Nobody beats in the future: every holder looks dead.
            patience = -patience;
        }
        let sql = rescuing(backend);
        let rescued = db.execute_raw(statement(backend, &sql, vec![patience.into()])).await?.rows_affected();
        if rescued > 0 {
            faults::point("after_rescue");
            tracing::warn!(count = rescued, "freed the leases of processes that are gone");
            self.core.observer.rescued(rescued);
            self.core.bell.ring_here();
        }
        let sql = format!("delete from workflow_process where beat_at < {real} - 86400000000");
        db.execute_raw(statement(backend, &sql, vec![])).await?;
        Ok(rescued)
    }

    /// Writes down which of its work this process is about to die of, from the connection of its heartbeat: whoever is known to have
    /// killed its process is put aside after three such deaths, where what was only in hand with it may see twenty. No lease is freed:
    /// that is the rescue's business, when the process is gone.
    ///
    /// # Errors
    /// When the database fails: then the death counts like any other.
    pub async fn blame(&self, culprits: &[Fence]) -> Result<(), DbErr> {
        for culprit in culprits {
            lease::blame(&self.core.db.heart, *culprit, KNOWN_DEATH - 1).await?;
        }
        Ok(())
    }

    /// Frees every lease but this process's own: for a storage that only one process can open at a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rescue_all_others(&self) -> Result<u64, DbErr> {
        let db = &self.core.db.write;
        let backend = db.get_database_backend();
        let sql =
            format!("update workflow_work set {} where not_before = {LEASED} and holder <> $1", lease::died(backend));
        let values = vec![self.core.hands.process.into()];
        Ok(db.execute_raw(statement(backend, &sql, values)).await?.rows_affected())
    }

    /// Frees leases in this process's name that it knows nothing of: a commit whose answer was lost, a task that was dropped.
    ///
    /// `suspects` are those of the last look; only what is unknown twice is freed, since a lease may be on its way between commit and
    /// memory. Returns the suspects for the next look.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reclaim(&self, suspects: &HashSet<Fence>) -> Result<HashSet<Fence>, DbErr> {
        let db = &self.core.db.write;
        let sql = held_by();
        let values = vec![self.core.hands.process.into()];
        let mut unknown = HashSet::new();
        let mut freed = 0;
        for row in db.query_all_raw(statement(db.get_database_backend(), &sql, values)).await? {
            let fence = Fence { work: work_id(&row, 0)?, attempt: row.try_get_by_index(3)? };
            if self.core.hands.held.knows(fence) {
                continue;
            }
            if suspects.contains(&fence) {
                freed += lease::release(db, fence).await?;
            } else {
                unknown.insert(fence);
            }
        }
        if freed > 0 {
            self.core.observer.reclaimed(freed);
            self.core.bell.ring_here();
        }
        Ok(unknown)
    }

    /// Frees everything in this process's name, at the end of a drain: nobody has to wait for its heartbeat to grow old, and the
    /// others hear of it at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn let_go(&self) -> Result<u64, DbErr> {
        let freed = self.hand_over(self.core.hands.process).await?;
        if freed > 0 {
            self.core.bell.ring(&self.core.hands.queues().map(|(queue, _)| queue).collect());
        }
        Ok(freed)
    }

    /// Frees everything in a process's name and forgets the process. Nobody has died: nothing is held against the work.
    pub(crate) async fn hand_over(&self, process: Uuid) -> Result<u64, DbErr> {
        let db = &self.core.db.write;
        let backend = db.get_database_backend();
        let sql = format!(
            "update workflow_work set holder = null, not_before = {} where not_before = {LEASED} and holder = $1",
            single::clock(backend)
        );
        faults::point("before_let_go");
        let freed = db.execute_raw(statement(backend, &sql, vec![process.into()])).await?.rows_affected();
        faults::point("after_let_go");
        db.execute_raw(statement(backend, "delete from workflow_process where id = $1", vec![process.into()])).await?;
        Ok(freed)
    }
}

/// SQL that frees the leases of everybody who has not beaten for so many microseconds.
///
/// Somebody who is cut off may have died in the middle of a transaction: what that has locked must not keep the rest.
pub(crate) fn rescuing(backend: DbBackend) -> String {
    let (real, died) = (real_clock(backend), lease::died(backend));
    let skip_locked = if backend == DbBackend::Sqlite { "" } else { "for update skip locked" };
    format!(
        "update workflow_work set {died}
         where (run, seq, n) in (select run, seq, n from workflow_work where not_before = {LEASED}
           and holder not in (select id from workflow_process where beat_at > {real} - $1) {skip_locked})"
    )
}

/// SQL for the leases of one process.
pub(crate) fn held_by() -> String {
    format!("select run, seq, n, attempt from workflow_work where not_before = {LEASED} and holder = $1")
}
