//! Firing: what is due, who fires it, and what a failure means.

use super::{Fire, Schedule};
use crate::databases::{Trouble, trouble};
use crate::engine::Engine;
use crate::storage::single::{clipped, execute};
use crate::storage::{instant, names, real_clock, statement};
use crate::{Timestamp, TurnError, Tx, faults};
use futures::FutureExt;
use sea_orm::{ConnectionTrait, DbErr};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

/// The longest pause between two tries at an instant whose work fails, in seconds.
const LONGEST_PAUSE: i64 = 60;

/// What a row of `schedule_tick` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(super) enum Kind {
    /// An instant of the expression.
    Regular = 0,
    /// A run that somebody asked for; it says nothing about the instants of the expression.
    Manual = 1,
    /// From here on instants count: a new schedule does not make up for the time before it.
    Beginning = 2,
}

/// Where a schedule stands.
#[derive(Clone, Copy, Debug)]
struct Standing {
    last: Option<Timestamp>,
    paused: bool,
    /// When its present failure may be tried again, on the lease clock in microseconds.
    not_before: i64,
}

impl Engine {
    /// Fires every schedule that is due; an instant that another process fired is passed over. Returns how many fired here.
    ///
    /// A schedule whose work fails is tried again at a later call, after a pause that grows to a minute; its later instants wait. That
    /// the database went away meanwhile is no failure of the schedule's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fire_ticks(&self) -> Result<usize, DbErr> {
        let (now, real) = crate::tx::clocks(&self.core.db.read).await?;
        self.core.clock.note(now.timestamp_micros(), real);
        let standings = self.standings().await?;
        let mut fired = 0;
        for schedule in &self.core.registry.schedules {
            let Some(standing) = standings.get(schedule.name) else { continue };
            match standing.last {
                Some(last) if !standing.paused && standing.not_before <= real => {
                    fired += self.fire_due_ticks(schedule, &schedule.due(last, now)).await?;
                }
                Some(_) => {}
                None => self.begin_to_count(schedule.name, now).await?,
            }
        }
        Ok(fired)
    }

    /// Fires these instants in order, up to the first that fails.
    async fn fire_due_ticks(&self, schedule: &Schedule, due: &[Timestamp]) -> Result<usize, DbErr> {
        let mut fired = 0;
        for instant in due {
            let (engine, mine, at) = (self.clone(), schedule.clone(), *instant);
            match crate::detached(async move { engine.tick(&mine, at).await }).await {
                Ok(first) => fired += usize::from(first),
                // Nothing is wrong with the schedule: the next call fires it.
                Err(TurnError::Storage(error)) if trouble(&error) == Trouble::Passing => return Err(error),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(schedule = schedule.name, instant = %instant, error = %error, cause, "a schedule's tick failed; it is tried again");
                    self.note_failure(schedule.name, &error.to_string()).await?;
                    break;
                }
            }
        }
        Ok(fired)
    }

    /// Records an instant and does its work, in one transaction; `false` when the instant is not to be fired (any more).
    async fn tick(&self, schedule: &Schedule, at: Timestamp) -> Result<bool, TurnError> {
        let tx = self.begin().await?;
        let first = tx.tick(schedule, at, None).await?;
        tx.commit().await?;
        Ok(first)
    }

    async fn begin_to_count(&self, name: &str, now: Timestamp) -> Result<(), DbErr> {
        record(&self.core.db.write, name, now, Kind::Beginning, None).await.map(drop)
    }

    async fn note_failure(&self, name: &str, why: &str) -> Result<(), DbErr> {
        let db = &self.core.db.write;
        let backend = db.get_database_backend();
        let sql = format!(
            "insert into schedule_state (schedule, failures, failed_at, failure) values ($1, 1, {}, $2)
             on conflict (schedule) do update set failures = schedule_state.failures + 1, failed_at = excluded.failed_at, failure = excluded.failure",
            real_clock(backend)
        );
        execute(db, &sql, vec![name.into(), clipped(why).into()]).await.map(drop)
    }

    async fn standings(&self) -> Result<HashMap<String, Standing>, DbErr> {
        let db = &self.core.db.read;
        let backend = db.get_database_backend();
        let sql = format!(
            "select k.name, (select max(instant) from schedule_tick t where t.schedule = k.name and t.kind <> 1), s.paused_at, s.failures, s.failed_at
             from {} left join schedule_state s on s.schedule = k.name",
            names::source(backend, "$1")
        );
        let mine = names::list(backend, self.core.registry.schedules.iter().map(|s| s.name));
        let rows = db.query_all_raw(statement(backend, &sql, vec![mine])).await?;
        let standing = |row: &sea_orm::QueryResult| {
            let failures = row.try_get_by_index::<Option<i32>>(3)?.unwrap_or(0);
            let failed_at = row.try_get_by_index::<Option<i64>>(4)?.unwrap_or(0);
            let standing = Standing {
                last: row.try_get_by_index::<Option<i64>>(1)?.map(instant),
                paused: row.try_get_by_index::<Option<i64>>(2)?.is_some(),
                not_before: failed_at + pause(failures) * 1_000_000,
            };
            Ok((row.try_get_by_index(0)?, standing))
        };
        rows.iter().map(standing).collect()
    }

    /// The next instant that a clock which is being moved has to stop at.
    pub(crate) async fn next_tick(&self, now: Timestamp) -> Result<Option<Timestamp>, DbErr> {
        let standings = self.standings().await?;
        let counts = |s: &&Schedule| !s.housekeeping && standings.get(s.name).is_some_and(|standing| !standing.paused);
        let next = |s: &Schedule| s.after(standings.get(s.name).and_then(|s| s.last).map_or(now, |last| last.max(now)));
        Ok(self.core.registry.schedules.iter().filter(counts).filter_map(next).min())
    }

    pub(crate) async fn tick_is_due(&self) -> Result<bool, DbErr> {
        let now = self.now().await?;
        let standings = self.standings().await?;
        Ok(self.core.registry.schedules.iter().filter(|s| !s.housekeeping).any(|schedule| {
            let standing = standings.get(schedule.name).filter(|standing| !standing.paused);
            standing.and_then(|s| s.last).is_some_and(|last| !schedule.due(last, now).is_empty())
        }))
    }
}

impl Tx {
    /// Records an instant and does its work; `false` when the instant is not to be fired (any more).
    pub(super) async fn tick(
        &self,
        schedule: &Schedule,
        at: Timestamp,
        actor: Option<&str>,
    ) -> Result<bool, TurnError> {
        let first = match actor {
            None => record_regular(&**self, schedule.name, at).await?,
            Some(_) => record(&**self, schedule.name, at, Kind::Manual, actor).await?,
        };
        if first {
            faults::point("before_tick");
            contained(&schedule.fire, self, at).await?;
            faults::point("after_tick");
            forget_failure(&**self, schedule.name).await?;
        }
        Ok(first)
    }
}

/// The pause before the next try after so many failures, in seconds: none after the first.
fn pause(failures: i32) -> i64 {
    let doubled = 1_i64 << failures.saturating_sub(1).clamp(0, 6);
    (doubled - 1).min(LONGEST_PAUSE)
}

/// Does a schedule's work; its panic is a failure like any other.
async fn contained(fire: &Fire, tx: &Tx, at: Timestamp) -> Result<(), TurnError> {
    let done = AssertUnwindSafe(async { fire(tx, at).await }).catch_unwind().await;
    done.unwrap_or_else(|_| Err(TurnError::Storage(DbErr::Custom("the schedule's work panicked".to_owned()))))
}

/// Records an instant of the expression, unless it or a later one has fired, or somebody has paused the schedule meanwhile.
async fn record_regular(db: &impl ConnectionTrait, name: &str, at: Timestamp) -> Result<bool, DbErr> {
    let backend = db.get_database_backend();
    let (real, regular) = (real_clock(backend), Kind::Regular as i16);
    let sql = format!(
        "insert into schedule_tick (schedule, instant, fired_at, kind)
         select cast($1 as text), cast($2 as bigint), {real}, {regular}
         where not exists (select 1 from schedule_state where schedule = $1 and paused_at is not null)
           and not exists (select 1 from schedule_tick where schedule = $1 and instant > $2 and kind = {regular})
         on conflict do nothing"
    );
    let values = vec![name.into(), at.timestamp_micros().into()];
    Ok(execute(db, &sql, values).await? == 1)
}

/// Records an instant; `false` when there is one of this name.
async fn record(
    db: &impl ConnectionTrait,
    name: &str,
    at: Timestamp,
    kind: Kind,
    actor: Option<&str>,
) -> Result<bool, DbErr> {
    let backend = db.get_database_backend();
    let sql = format!(
        "insert into schedule_tick (schedule, instant, fired_at, kind, actor) values ($1, $2, {}, $3, $4) on conflict do nothing",
        real_clock(backend)
    );
    let values = vec![name.into(), at.timestamp_micros().into(), (kind as i16).into(), actor.into()];
    Ok(execute(db, &sql, values).await? == 1)
}

async fn forget_failure(db: &impl ConnectionTrait, name: &str) -> Result<(), DbErr> {
    let sql =
        "update schedule_state set failures = 0, failed_at = null, failure = null where schedule = $1 and failures > 0";
    execute(db, sql, vec![name.into()]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_after_a_failure_grows_to_a_minute() {
        let pauses: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1000].map(pause).into();
        assert_eq!(pauses, [0, 0, 1, 3, 7, 15, 31, 60, 60, 60]);
    }
}
