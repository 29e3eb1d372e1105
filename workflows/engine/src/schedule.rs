//! Schedules: an instant fires once in the whole cluster, in one transaction with what it starts.

use crate::engine::Engine;
use crate::storage::{instant, statement};
use crate::tx::Tx;
use crate::{Timestamp, TurnError};
use chrono_tz::Tz;
use futures::future::BoxFuture;
use sea_orm::{ConnectionTrait, DbErr};
use std::str::FromStr;
use std::sync::Arc;

/// What a schedule does at an instant, within the transaction that records the tick.
pub type Fire = Arc<dyn for<'a> Fn(&'a Tx, Timestamp) -> BoxFuture<'a, Result<(), TurnError>> + Send + Sync>;

/// A named, repeating instant.
///
/// Catch-up is `once`: after a standstill the latest missed instant fires and the earlier ones are passed over, because what our
/// schedules start (a payout run, a sweep) covers everything up to its instant.
#[derive(Clone)]
pub struct Schedule {
    /// Its name, for ever.
    pub name: &'static str,
    cron: cron::Schedule,
    zone: Tz,
    fire: Fire,
    housekeeping: bool,
}

impl Schedule {
    /// A schedule by a cron expression with seconds (`0 30 4 * * *`), in a time zone.
    ///
    /// # Errors
    /// When the expression cannot be read.
    pub fn parse(name: &'static str, cron: &str, zone: Tz, fire: Fire) -> Result<Self, cron::error::Error> {
        Ok(Self { name, cron: cron::Schedule::from_str(cron)?, zone, fire, housekeeping: false })
    }

    /// Nothing that people see hangs on its instants: a sandbox's clock that is moved does not stop for each of them.
    #[must_use]
    pub fn housekeeping(mut self) -> Self {
        self.housekeeping = true;
        self
    }

    /// The first instant after this one. Local times that a change of clocks skips do not fire, times that it repeats fire once.
    fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        self.cron.after(&instant.with_timezone(&self.zone)).next().map(|local| local.to_utc())
    }

    /// The latest instant after `last` that is not after `now`.
    fn due(&self, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let mut due = None;
        let mut at = last;
        while let Some(next) = self.after(at).filter(|next| *next <= now) {
            due = Some(next);
            at = next;
        }
        due
    }
}

impl Engine {
    /// Fires every schedule that is due; an instant that another process fired is passed over. Returns how many fired here.
    ///
    /// # Errors
    /// When the database fails; a schedule whose own work fails is logged and tried again at the next call.
    pub async fn fire_ticks(&self) -> Result<usize, DbErr> {
        let now = self.now().await?;
        let mut fired = 0;
        for schedule in self.core.registry.schedules.clone() {
            let Some(due) = self.due_tick(&schedule, now).await? else { continue };
            let engine = self.clone();
            let outcome =
                crate::detached(async move { engine.tick(&schedule, due).await.map(|first| (schedule.name, first)) })
                    .await;
            match outcome {
                Ok((_, first)) => fired += usize::from(first),
                Err(error) => tracing::error!(error = %error, "a schedule's tick failed; it is tried again"),
            }
        }
        Ok(fired)
    }

    async fn tick(&self, schedule: &Schedule, instant: Timestamp) -> Result<bool, TurnError> {
        let tx = self.begin().await?;
        let first = record(&*tx, schedule.name, instant).await?;
        if first {
            (schedule.fire)(&tx, instant).await?;
        }
        tx.commit().await?;
        Ok(first)
    }

    /// The instant of a schedule that is due. A schedule that has never fired counts from now on, not from the beginning of time.
    async fn due_tick(&self, schedule: &Schedule, now: Timestamp) -> Result<Option<Timestamp>, DbErr> {
        match self.last_tick(schedule.name).await? {
            Some(last) => Ok(schedule.due(last, now)),
            None => {
                record(&self.core.db.write, schedule.name, now).await?;
                Ok(None)
            }
        }
    }

    async fn last_tick(&self, name: &str) -> Result<Option<Timestamp>, DbErr> {
        let db = &self.core.db.read;
        let sql = "select max(instant) from schedule_tick where schedule = $1";
        let row = db.query_one_raw(statement(db.get_database_backend(), sql, vec![name.into()])).await?;
        Ok(row.map(|r| r.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten().map(instant))
    }

    pub(crate) async fn next_tick(&self, now: Timestamp) -> Result<Option<Timestamp>, DbErr> {
        let mut next = None;
        for schedule in self.core.registry.schedules.iter().filter(|s| !s.housekeeping) {
            let last = self.last_tick(schedule.name).await?.unwrap_or(now);
            next = next.into_iter().chain(schedule.after(last.max(now))).min();
        }
        Ok(next)
    }

    pub(crate) async fn tick_is_due(&self) -> Result<bool, DbErr> {
        let now = self.now().await?;
        for schedule in self.core.registry.schedules.iter().filter(|s| !s.housekeeping) {
            if self.last_tick(schedule.name).await?.is_some_and(|last| schedule.due(last, now).is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Records a tick; `false` when it was recorded before.
async fn record(db: &impl ConnectionTrait, name: &str, instant: Timestamp) -> Result<bool, DbErr> {
    let backend = db.get_database_backend();
    let sql = format!(
        "insert into schedule_tick (schedule, instant, fired_at) values ($1, $2, {}) on conflict do nothing",
        crate::storage::real_clock(backend)
    );
    let values = vec![name.into(), instant.timestamp_micros().into()];
    Ok(db.execute_raw(statement(backend, &sql, values)).await?.rows_affected() == 1)
}
