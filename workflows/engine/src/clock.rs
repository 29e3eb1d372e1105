//! The business clock: the database's time plus an offset that only a sandbox moves, step by step and never past something that is due.

use crate::engine::Engine;
use crate::storage::schema::LEASED;
use crate::storage::{instant, statement};
use crate::{Target, Timestamp};
use sea_orm::{ConnectionTrait, DbErr, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Who carries out the work that falls due while the clock is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// This call, inline: tests, and tools without a worker.
    Inline,
    /// Workers elsewhere; the call waits for them, at most this long per step.
    Elsewhere(Duration),
}

/// The clock could not be moved as far as asked.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// The database failed.
    #[error("the business clock could not be moved")]
    Storage(#[from] DbErr),
    /// Work that was due did not come to rest.
    #[error("work did not come to rest at {at}; is a worker running?")]
    Restless {
        /// Where the clock stands.
        at: Timestamp,
    },
}

impl Engine {
    /// Moves the business clock to `target`: to the next due instant, until everything that is due has been done, and on.
    ///
    /// A clock that is already past `target` stays. Returns where it stands.
    ///
    /// # Errors
    /// When the database fails or due work does not come to rest.
    pub async fn advance_to(&self, target: Timestamp, settling: Settling) -> Result<Timestamp, ClockError> {
        loop {
            let began = self.now().await?;
            self.rest(settling).await?;
            if began >= target {
                return Ok(self.now().await?);
            }
            // What has fallen due since this round began was perhaps not looked for: the clock does not leap over it.
            let next = self.next_due(began).await?.map_or(target, |due| due.min(target));
            self.shift(next).await?;
        }
    }

    /// The next instant after this one at which something falls due.
    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, DbErr> {
        let db = &self.core.db.write;
        let sql = "select min(not_before) from workflow_work where not_before > $1 and not_before < $2";
        let values = vec![after.timestamp_micros().into(), LEASED.into()];
        let row = db.query_one_raw(statement(db.get_database_backend(), sql, values)).await?;
        let work: Option<i64> = row.map(|r| r.try_get_by_index(0)).transpose()?.flatten();
        let tick = self.next_tick(after).await?;
        Ok(work.map(instant).into_iter().chain(tick).min())
    }

    /// Sets the clock forward to this instant; it never goes back.
    async fn shift(&self, to: Timestamp) -> Result<(), DbErr> {
        let db = &self.core.db.write;
        let backend = db.get_database_backend();
        let real = crate::storage::real_clock(backend);
        let greatest = if backend == sea_orm::DbBackend::Sqlite { "max" } else { "greatest" };
        let sql = format!("update business_clock set offset_us = {greatest}(offset_us, $1 - {real})");
        db.execute_raw(statement(backend, &sql, vec![to.timestamp_micros().into()])).await?;
        self.core.bell.ring_here();
        Ok(())
    }

    async fn rest(&self, settling: Settling) -> Result<(), ClockError> {
        match settling {
            Settling::Inline => Ok(self.settle().await?),
            Settling::Elsewhere(patience) => self.wait_for_rest(patience).await,
        }
    }

    async fn wait_for_rest(&self, patience: Duration) -> Result<(), ClockError> {
        let began = Instant::now();
        while self.busy().await? {
            // Whoever gets there first fires a tick; waiting for somebody else's round would cost its pause at every step.
            self.fire_ticks().await?;
            if began.elapsed() > patience {
                return Err(ClockError::Restless { at: self.now().await? });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Whether anything is due or in somebody's hands. What a pause holds back is neither: it waits for a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn busy(&self) -> Result<bool, DbErr> {
        let db = &self.core.db.write;
        let backend = db.get_database_backend();
        let real = crate::storage::real_clock(backend);
        let (waiting, mut values) = self.unpaused().await?;
        values.insert(0, LEASED.into());
        let sql = format!(
            "select case when exists (select 1 from workflow_work
               where not_before = $1 or (not_before <= {real} + (select offset_us from business_clock) {waiting})) then 1 else 0 end"
        );
        let row = db.query_one_raw(statement(backend, &sql, values)).await?;
        let work = row.map(|r| r.try_get_by_index::<i32>(0)).transpose()?.unwrap_or(0) == 1;
        Ok(work || self.tick_is_due().await?)
    }

    /// SQL for "and nobody has paused it", with its values from `$2` on; nothing while nothing is paused.
    async fn unpaused(&self) -> Result<(String, Vec<Value>), DbErr> {
        let (mut sql, mut values) = (String::new(), vec![]);
        let mut not = |column: &str, name: &str| {
            values.push(name.into());
            sql += &format!(" and {column} <> ${}", values.len() + 1);
        };
        for brake in self.brakes().await?.into_iter().filter(|brake| brake.paused.is_some()) {
            match brake.target {
                Target::Queue(name) => not("queue", &name),
                Target::Workflow(name) => not("workflow", &name),
                Target::Party(name) => {
                    let party = self.core.registry.parties().find(|party| party.name == name);
                    party.into_iter().flat_map(|party| party.queues).for_each(|queue| not("queue", queue));
                }
            }
        }
        Ok((sql, values))
    }

    /// Claims and executes everything that is due, in this task, until nothing is: the drain of tests. Needs hands with room.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle(&self) -> Result<(), DbErr> {
        loop {
            let ticked = self.fire_ticks().await?;
            let claimed = self.claim().await?;
            let mut executed = 0;
            while let Some(lease) = self.core.hands.ready().await {
                self.execute(lease).await;
                executed += 1;
            }
            if ticked + claimed + executed == 0 {
                return Ok(());
            }
        }
    }
}

/// The business clock as this process last saw it, for code that cannot ask the database: the sandbox's pretend bank, say.
///
/// It is as fresh as the latest commit or read of this process; anything that decides about money or nights reads the database.
#[derive(Clone, Debug, Default)]
pub struct Mirror(Arc<Face>);

#[derive(Debug, Default)]
struct Face {
    offset_us: AtomicI64,
    /// How far this machine's clock was ahead of the database's when that was last heard of.
    ahead_us: AtomicI64,
    /// The latest that the database has told of its lease clock, or was foreseen to tell.
    latest_us: AtomicI64,
    seen: AtomicBool,
}

impl Mirror {
    /// Remembers the two clocks of the database as it has just told them.
    pub(crate) fn note(&self, now_us: i64, real_us: i64) {
        self.0.offset_us.store(now_us - real_us, Ordering::Relaxed);
        self.0.ahead_us.store(here() - real_us, Ordering::Relaxed);
        if self.0.latest_us.fetch_max(real_us, Ordering::Relaxed) > real_us + SET_BACK {
            self.0.latest_us.store(real_us, Ordering::Relaxed);
        }
        self.0.seen.store(true, Ordering::Release);
    }

    /// This machine's clock with the business clock's offset.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        instant(here() + self.0.offset_us.load(Ordering::Relaxed))
    }

    /// What the database will say of the lease clock and of the offset, if it is asked now. It has said it before anybody heard of it, so
    /// this is rather behind its clock than ahead of it. It never goes back: of two turns of a run the second is not the earlier one.
    pub(crate) fn foresee(&self) -> Option<(i64, i64)> {
        let told = |it: &AtomicI64| it.load(Ordering::Relaxed);
        self.0.seen.load(Ordering::Acquire).then(|| {
            let real = here() - told(&self.0.ahead_us);
            (real.max(self.0.latest_us.fetch_max(real, Ordering::Relaxed)), told(&self.0.offset_us))
        })
    }
}

/// A database whose clock is this much before what it has told was set back; less than that, its answer was slow.
const SET_BACK: i64 = 1_000_000;

/// This machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where a process looks at the clock that it mirrors with"
)]
fn here() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreseen(mirror: &Mirror) -> i64 {
        mirror.foresee().map_or(0, |(real, _)| real)
    }

    #[test]
    fn the_foreseen_clock_goes_back_only_with_the_database() {
        let (mirror, told) = (Mirror::default(), here());
        assert_eq!(mirror.foresee(), None);
        mirror.note(told, told);
        let first = foreseen(&mirror);
        assert!(first >= told);
        // An answer that was long on its way.
        mirror.note(told - SET_BACK / 2, told - SET_BACK / 2);
        assert!(foreseen(&mirror) >= first, "a second turn would come before the first");
        mirror.note(told - 3 * SET_BACK, told - 3 * SET_BACK);
        assert!(foreseen(&mirror) < told - SET_BACK, "it would be ahead for as long as the clock was set back");
    }
}
