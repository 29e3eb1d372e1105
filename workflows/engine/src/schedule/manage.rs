//! What operators see of schedules and do with them: list, run now, pause, resume.

use super::tick::Kind;
use super::{CatchUp, Schedule};
use crate::engine::Engine;
use crate::salvage::{Readable, Salvage};
use crate::storage::{instant, names, real_clock, statement};
use crate::{Registry, Timestamp, TurnError, Tx, record};
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use std::collections::HashMap;

/// A schedule as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ScheduleView {
    /// Its name.
    pub name: &'static str,
    /// Its cron expression, with seconds.
    pub cron: String,
    /// Whose clock the expression speaks of: an IANA zone.
    pub zone: &'static str,
    /// What becomes of missed instants.
    pub catch_up: CatchUp,
    /// Whether it is housekeeping, which a moved sandbox clock does not stop for.
    pub housekeeping: bool,
    /// Its latest tick, manual ones included.
    pub last: Option<TickView>,
    /// Its next instant; an overdue one that is being made up for or keeps failing; `None` while it is paused.
    pub next: Option<Timestamp>,
    /// Who paused it and why.
    pub paused: Option<Paused>,
    /// What keeps its due instant from firing.
    pub failing: Option<Failing>,
}

/// A tick that went through, with everything it started.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TickView {
    /// The instant that its work was given, on the business clock.
    pub instant: Timestamp,
    /// When it fired, in real time.
    pub fired_at: Timestamp,
    /// Who asked for it, if it was not the schedule's own.
    pub manual_by: Option<String>,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Paused {
    /// Who.
    pub by: String,
    /// Why, in words; forgotten with the pause.
    pub why: String,
    /// Since when, in real time.
    pub since: Timestamp,
}

/// A due instant whose work failed and is tried again.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Failing {
    /// How often so far.
    pub times: i32,
    /// The latest failure, in real time.
    pub at: Timestamp,
    /// What it said.
    pub why: String,
}

/// A schedule could not be run, paused or resumed.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// This build knows none of this name.
    #[error("there is no schedule {0:?}")]
    Unknown(String),
    /// Its work failed, and nothing of it was kept.
    #[error("the schedule's work failed")]
    Failed(#[source] TurnError),
    /// The database failed.
    #[error("the schedule could not be stored")]
    Storage(#[from] DbErr),
}

impl Engine {
    /// Every schedule of this build, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedules(&self) -> Result<Vec<ScheduleView>, DbErr> {
        let now = self.now().await?;
        every_schedule(&self.core.db.read, self.registry(), now).await
    }

    /// As [`schedules`](Self::schedules), of those that can be read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn readable_schedules(&self) -> Result<Readable<ScheduleView>, DbErr> {
        let (now, mut salvage) = (self.now().await?, Salvage::default());
        let mut rows = vec![];
        for (name, found) in each_schedule(&self.core.db.read, self.registry(), now).await? {
            match found {
                Ok(schedule) => rows.push(schedule),
                Err(why) => salvage.note(name, why),
            }
        }
        Ok(Readable { rows, damaged: salvage.0 })
    }

    /// The latest ticks of a schedule, latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ticks_of(&self, name: &str, most: u32) -> Result<Vec<TickView>, DbErr> {
        let db = &self.core.db.read;
        let sql = "select instant, fired_at, actor from schedule_tick where schedule = $1 and kind <> 2 order by instant desc limit $2";
        let values = vec![name.into(), i64::from(most).into()];
        let rows = db.query_all_raw(statement(db.get_database_backend(), sql, values)).await?;
        rows.iter().map(|row| tick_view(row, 0)).collect()
    }

    /// Does a schedule's work now, as [`Tx::run_now`].
    ///
    /// # Errors
    /// [`ScheduleError::Failed`] when its work fails.
    pub async fn run_now(&self, name: &str, actor: &str) -> Result<Timestamp, ScheduleError> {
        let (engine, name, actor) = (self.clone(), name.to_owned(), actor.to_owned());
        crate::detached(async move {
            let tx = engine.begin().await?;
            let at = tx.run_now(&name, &actor).await?;
            tx.commit().await?;
            Ok(at)
        })
        .await
    }

    /// Keeps a schedule from firing until it is resumed, as [`Tx::pause_schedule`].
    ///
    /// # Errors
    /// [`ScheduleError::Unknown`] when this build has no such schedule.
    pub async fn pause_schedule(&self, name: &str, actor: &str, why: &str) -> Result<bool, ScheduleError> {
        let (engine, name, actor, why) = (self.clone(), name.to_owned(), actor.to_owned(), why.to_owned());
        crate::detached(async move {
            let tx = engine.begin().await?;
            let paused = tx.pause_schedule(&name, &actor, &why).await?;
            tx.commit().await?;
            Ok(paused)
        })
        .await
    }

    /// Lets a paused schedule fire again, as [`Tx::resume_schedule`].
    ///
    /// # Errors
    /// [`ScheduleError::Unknown`] when this build has no such schedule.
    pub async fn resume_schedule(&self, name: &str, actor: &str) -> Result<bool, ScheduleError> {
        let (engine, name, actor) = (self.clone(), name.to_owned(), actor.to_owned());
        crate::detached(async move {
            let tx = engine.begin().await?;
            let resumed = tx.resume_schedule(&name, &actor).await?;
            tx.commit().await?;
            Ok(resumed)
        })
        .await
    }
}

impl Tx {
    /// As [`Engine::schedules`], with what this transaction has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedules(&self) -> Result<Vec<ScheduleView>, DbErr> {
        let now = self.now().await?;
        every_schedule(&**self, self.registry(), now).await
    }

    /// Does a schedule's work now, paused or not: a tick of its own, under its own instant, that changes nothing about the others.
    ///
    /// # Errors
    /// [`ScheduleError::Failed`] when its work fails: then the transaction must be dropped.
    pub async fn run_now(&self, name: &str, actor: &str) -> Result<Timestamp, ScheduleError> {
        let schedule = known(self.registry(), name)?;
        let mut at = self.now().await?;
        while !self.tick(schedule, at, Some(actor)).await.map_err(ScheduleError::Failed)? {
            // Somebody else's run, or the expression's own instant, has this name.
            at += TimeDelta::microseconds(1);
        }
        let name = schedule.name;
        self.once_committed(move |_| tracing::info!(schedule = name, instant = %at, "a schedule was run by hand"));
        Ok(at)
    }

    /// Keeps a schedule from firing until it is resumed; a tick that is under way ends. Pausing again keeps the first pause.
    ///
    /// Returns whether it was running.
    ///
    /// # Errors
    /// [`ScheduleError::Unknown`] when this build has no such schedule.
    pub async fn pause_schedule(&self, name: &str, actor: &str, why: &str) -> Result<bool, ScheduleError> {
        let schedule = known(self.registry(), name)?.name;
        let backend = self.get_database_backend();
        let sql = format!(
            "insert into schedule_state (schedule, paused_at, paused_by, paused_why, failures) values ($1, {}, $2, $3, 0)
             on conflict (schedule) do update set paused_at = excluded.paused_at, paused_by = excluded.paused_by, paused_why = excluded.paused_why
             where schedule_state.paused_at is null",
            real_clock(backend)
        );
        let values = vec![schedule.into(), actor.into(), why.into()];
        let paused = self.execute_raw(statement(backend, &sql, values)).await?.rows_affected() == 1;
        if paused {
            record::on_target(&**self, ("pause", &format!("schedule {schedule}")), (actor, Some(why))).await?;
            let actor = actor.to_owned();
            self.once_committed(move |_| tracing::info!(schedule, actor, "a schedule is paused"));
        }
        Ok(paused)
    }

    /// Lets a paused schedule fire again; what it missed is met by its catch-up policy. Returns whether it was paused.
    ///
    /// # Errors
    /// [`ScheduleError::Unknown`] when this build has no such schedule.
    pub async fn resume_schedule(&self, name: &str, actor: &str) -> Result<bool, ScheduleError> {
        let schedule = known(self.registry(), name)?.name;
        let sql = "update schedule_state set paused_at = null, paused_by = null, paused_why = null where schedule = $1 and paused_at is not null";
        let values = vec![schedule.into()];
        let resumed = self.execute_raw(statement(self.get_database_backend(), sql, values)).await?.rows_affected() == 1;
        if resumed {
            record::on_target(&**self, ("resume", &format!("schedule {schedule}")), (actor, None)).await?;
            let actor = actor.to_owned();
            self.once_committed(move |_| tracing::info!(schedule, actor, "a schedule is resumed"));
        }
        Ok(resumed)
    }
}

fn known<'a>(registry: &'a Registry, name: &str) -> Result<&'a Schedule, ScheduleError> {
    let mut all = registry.schedules.iter();
    all.find(|schedule| schedule.name == name).ok_or_else(|| ScheduleError::Unknown(name.to_owned()))
}

async fn every_schedule(
    db: &impl ConnectionTrait,
    registry: &Registry,
    now: Timestamp,
) -> Result<Vec<ScheduleView>, DbErr> {
    each_schedule(db, registry, now).await?.into_iter().map(|(_, view)| view).collect()
}

/// A schedule's name, and what can be said of it.
type Named = (&'static str, Result<ScheduleView, DbErr>);

async fn each_schedule(db: &impl ConnectionTrait, registry: &Registry, now: Timestamp) -> Result<Vec<Named>, DbErr> {
    let mut rows: HashMap<String, QueryResult> = HashMap::new();
    for row in schedule_rows(db, registry).await? {
        rows.insert(row.try_get_by_index(0)?, row);
    }
    let mine = registry.schedules.iter();
    let mut views: Vec<Named> = mine
        .filter_map(|schedule| rows.get(schedule.name).map(|row| (schedule.name, view(schedule, row, now))))
        .collect();
    views.sort_by_key(|(name, _)| *name);
    Ok(views)
}

async fn schedule_rows(db: &impl ConnectionTrait, registry: &Registry) -> Result<Vec<QueryResult>, DbErr> {
    let backend = db.get_database_backend();
    let beginning = Kind::Beginning as i16;
    let sql = format!(
        "select k.name, t.instant, t.fired_at, t.actor, s.paused_by, s.paused_why, s.paused_at, s.failures, s.failed_at, s.failure,
           (select max(instant) from schedule_tick where schedule = k.name and kind <> 1)
         from {} left join schedule_state s on s.schedule = k.name
         left join schedule_tick t on t.schedule = k.name
           and t.instant = (select max(instant) from schedule_tick where schedule = k.name and kind <> {beginning})",
        names::source(backend, "$1")
    );
    let mine = names::list(backend, registry.schedules.iter().map(|s| s.name));
    db.query_all_raw(statement(backend, &sql, vec![mine])).await
}

fn view(schedule: &Schedule, row: &QueryResult, now: Timestamp) -> Result<ScheduleView, DbErr> {
    let last = row.try_get_by_index::<Option<i64>>(1)?.map(|_| tick_view(row, 1)).transpose()?;
    let counted = row.try_get_by_index::<Option<i64>>(10)?.map(instant);
    let paused = paused(row)?;
    let due = counted.and_then(|last| schedule.due(last, now).first().copied());
    let next = due.or_else(|| schedule.after(counted.map_or(now, |last| last.max(now))));
    Ok(ScheduleView {
        name: schedule.name,
        cron: schedule.instants.expression().to_owned(),
        zone: schedule.instants.zone.name(),
        catch_up: schedule.catch_up,
        housekeeping: schedule.housekeeping,
        last,
        next: next.filter(|_| paused.is_none()),
        paused,
        failing: failing(row)?,
    })
}

/// Reads `(instant, fired_at, actor)` from three columns beginning at `at`.
fn tick_view(row: &QueryResult, at: usize) -> Result<TickView, DbErr> {
    Ok(TickView {
        instant: instant(row.try_get_by_index(at)?),
        fired_at: instant(row.try_get_by_index(at + 1)?),
        manual_by: row.try_get_by_index(at + 2)?,
    })
}

fn paused(row: &QueryResult) -> Result<Option<Paused>, DbErr> {
    let Some(since) = row.try_get_by_index::<Option<i64>>(6)? else { return Ok(None) };
    let text = |at: usize| row.try_get_by_index::<Option<String>>(at).map(Option::unwrap_or_default);
    Ok(Some(Paused { by: text(4)?, why: text(5)?, since: instant(since) }))
}

fn failing(row: &QueryResult) -> Result<Option<Failing>, DbErr> {
    let times = row.try_get_by_index::<Option<i32>>(7)?.unwrap_or(0);
    let Some(at) = row.try_get_by_index::<Option<i64>>(8)?.filter(|_| times > 0) else { return Ok(None) };
    let why = row.try_get_by_index::<Option<String>>(9)?.unwrap_or_default();
    Ok(Some(Failing { times, at: instant(at), why }))
}
