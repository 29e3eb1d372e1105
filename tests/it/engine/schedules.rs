//! Schedules: each instant once in the cluster, missed ones by policy, and what an operator may do with them.

use super::toy::{connect, count};
use chrono::TimeDelta;
use chrono_tz::{Europe::Paris, Tz};
use engine::{CatchUp, Engine, Fire, Registry, Schedule, ScheduleError, Settings, Settling, Timestamp, Tx};
use futures::FutureExt;
use harness::{Beside, TestDatabase, on_both};
use sea_orm::{ConnectionTrait, DbErr, RuntimeErr, Statement};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;

const HOURLY: &str = "0 0 * * * *";

/// Writes a row per strike, without a key: a bell that strikes twice shows.
fn strikes(bell: &'static str) -> Fire {
    Arc::new(move |tx, at| async move { Ok(strike(tx, bell, at).await?) }.boxed())
}

async fn strike(tx: &Tx, bell: &str, at: Timestamp) -> Result<(), DbErr> {
    let sql = "insert into toy_strike (bell, instant) values ($1, $2)";
    let values = [bell.into(), at.timestamp_micros().into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await.map(drop)
}

fn bell(name: &'static str, cron: &str, policy: CatchUp) -> Schedule {
    Schedule::parse(name, cron, Tz::UTC, strikes(name)).unwrap().catch_up(policy)
}

/// A tower: the engine of one process, with its bells.
async fn tower(db: &TestDatabase, process: u128, bells: impl IntoIterator<Item = Schedule>) -> Engine {
    let sql = "create table if not exists toy_strike (bell text not null, instant bigint not null)";
    db.connection.execute_unprepared(sql).await.unwrap();
    let registry = bells.into_iter().fold(Registry::new(), Registry::schedule);
    Engine::open(Settings::new("test", uuid::Uuid::from_u128(process), "test"), connect(db).await, registry)
}

/// Sets the business clock to this instant with nobody looking; all that falls due on the way is missed.
async fn sleep_until(db: &TestDatabase, engine: &Engine, instant: Timestamp) {
    let ahead = (instant - engine.now().await.unwrap()).num_microseconds().unwrap();
    let sql = format!("update business_clock set offset_us = offset_us + {ahead}");
    db.connection.execute_unprepared(&sql).await.unwrap();
}

/// Half past an hour long after today, so that a test has half an hour before the next one begins.
fn half_past(hour: u32) -> Timestamp {
    format!("2037-05-01T{hour:02}:30:00Z").parse().unwrap()
}

async fn struck(db: &TestDatabase, bell: &str) -> Vec<String> {
    let backend = db.connection.get_database_backend();
    let sql = "select instant from toy_strike where bell = $1 order by instant";
    let rows = db.connection.query_all_raw(Statement::from_sql_and_values(backend, sql, [bell.into()])).await.unwrap();
    let at = |micros: i64| Timestamp::from_timestamp_micros(micros).unwrap().format("%m-%dT%H:%M").to_string();
    rows.iter().map(|row| at(row.try_get_by_index(0).unwrap())).collect()
}

async fn an_instant_fires_once_however_many_look(db: TestDatabase) {
    let every_minute = || [bell("minutes", "0 * * * * *", CatchUp::All)];
    let (a, b) = (tower(&db, 1, every_minute()).await, tower(&db, 2, every_minute()).await);
    sleep_until(&db, &a, half_past(8)).await;
    a.fire_ticks().await.unwrap();
    sleep_until(&db, &a, half_past(9)).await;
    let (by_a, by_b) = futures::join!(a.fire_ticks(), b.fire_ticks());
    assert_eq!(by_a.unwrap() + by_b.unwrap(), 60);
    assert_eq!(count(&db, "select count(*) from toy_strike").await, 60);
    assert_eq!(count(&db, "select count(distinct instant) from toy_strike").await, 60);
    assert_eq!(a.fire_ticks().await.unwrap() + b.fire_ticks().await.unwrap(), 0);
}

async fn missed_instants_are_met_by_the_policy(db: TestDatabase) {
    let bells =
        [bell("skips", HOURLY, CatchUp::Skip), bell("once", HOURLY, CatchUp::Once), bell("all", HOURLY, CatchUp::All)];
    let engine = tower(&db, 1, bells).await;
    sleep_until(&db, &engine, half_past(8)).await;
    assert_eq!(engine.fire_ticks().await.unwrap(), 0, "a new schedule makes up for nothing");
    sleep_until(&db, &engine, half_past(11)).await;
    assert_eq!(engine.fire_ticks().await.unwrap(), 4);
    assert_eq!(engine.fire_ticks().await.unwrap(), 0);
    assert!(struck(&db, "skips").await.is_empty());
    assert_eq!(struck(&db, "once").await, ["05-01T11:00"]);
    assert_eq!(struck(&db, "all").await, ["05-01T09:00", "05-01T10:00", "05-01T11:00"]);
    // Awake, all three are alike.
    engine.advance_to(half_past(12), Settling::Inline).await.unwrap();
    for name in ["skips", "once", "all"] {
        assert_eq!(struck(&db, name).await.last().unwrap(), "05-01T12:00", "{name}");
    }
}

async fn a_moved_clock_stops_at_every_instant_also_where_the_clocks_change(db: TestDatabase) {
    let nightly = Schedule::parse("nightly", "0 30 2 * * *", Paris, strikes("nightly")).unwrap();
    let housekeeping = bell("broom", "0 * * * * *", CatchUp::Once).housekeeping();
    let engine = tower(&db, 1, [nightly, housekeeping]).await;
    sleep_until(&db, &engine, "2027-03-26T12:00:00Z".parse().unwrap()).await;
    let target = "2027-03-29T12:00:00Z".parse().unwrap();
    engine.advance_to(target, Settling::Inline).await.unwrap();
    // In Paris: half past two, half past three on the day without a half past two, half past two.
    assert_eq!(struck(&db, "nightly").await, ["03-27T01:30", "03-28T01:30", "03-29T00:30"]);
    assert!(struck(&db, "broom").await.len() <= 4, "nobody waits for the broom");
}

async fn a_paused_schedule_is_silent_and_makes_up_by_its_policy(db: TestDatabase) {
    let bells = || [bell("skips", HOURLY, CatchUp::Skip), bell("all", HOURLY, CatchUp::All)];
    let (engine, other) = (tower(&db, 1, bells()).await, tower(&db, 2, bells()).await);
    sleep_until(&db, &engine, half_past(8)).await;
    engine.fire_ticks().await.unwrap();
    for name in ["skips", "all"] {
        assert!(engine.pause_schedule(name, "usr_op", "the tower is being painted").await.unwrap());
        assert!(!other.pause_schedule(name, "usr_other", "me too").await.unwrap(), "the first pause stays");
    }
    // The clock is moved past two instants, and nobody waits for a schedule that does not fire.
    engine.advance_to(half_past(10), Settling::Inline).await.unwrap();
    assert_eq!(other.fire_ticks().await.unwrap(), 0);
    let view = &other.schedules().await.unwrap()[0];
    let paused = view.paused.as_ref().unwrap();
    assert_eq!((view.name, paused.by.as_str(), paused.why.as_str()), ("all", "usr_op", "the tower is being painted"));
    assert_eq!(view.next, None);

    for name in ["skips", "all"] {
        assert!(other.resume_schedule(name, "usr_op").await.unwrap());
        assert!(!other.resume_schedule(name, "usr_op").await.unwrap());
    }
    engine.fire_ticks().await.unwrap();
    assert!(struck(&db, "skips").await.is_empty());
    assert_eq!(struck(&db, "all").await, ["05-01T09:00", "05-01T10:00"]);
    assert_eq!(engine.schedules().await.unwrap()[0].next, Some("2037-05-01T11:00:00Z".parse().unwrap()));
}

async fn a_run_by_hand_is_a_tick_of_its_own(db: TestDatabase) {
    let engine = tower(&db, 1, [bell("noon", "0 0 12 * * *", CatchUp::Once)]).await;
    sleep_until(&db, &engine, half_past(11)).await;
    engine.fire_ticks().await.unwrap();
    engine.pause_schedule("noon", "usr_op", "testing").await.unwrap();
    let (first, second) = futures::join!(engine.run_now("noon", "usr_op"), engine.run_now("noon", "usr_op"));
    assert_ne!(first.unwrap(), second.unwrap());
    let last = engine.schedules().await.unwrap()[0].last.clone().unwrap();
    assert_eq!(last.manual_by.as_deref(), Some("usr_op"));
    engine.resume_schedule("noon", "usr_op").await.unwrap();
    // A run by hand after the instant does not stand for the instant.
    sleep_until(&db, &engine, half_past(12)).await;
    engine.run_now("noon", "usr_op").await.unwrap();
    assert_eq!(engine.fire_ticks().await.unwrap(), 1);
    assert_eq!(struck(&db, "noon").await, ["05-01T11:30", "05-01T11:30", "05-01T12:00", "05-01T12:30"]);
    assert_eq!(engine.ticks_of("noon", 10).await.unwrap().len(), 4, "the beginning is not a tick");
    assert!(matches!(engine.run_now("midnight", "usr_op").await, Err(ScheduleError::Unknown(_))));
}

async fn a_failure_keeps_nothing_and_is_tried_again(db: TestDatabase) {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let fire: Fire = Arc::new(move |tx, at| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            strike(tx, "cracked", at).await?;
            match number {
                0 => Err(DbErr::Custom("the rope is torn".to_owned()).into()),
                1 => panic!("a planted panic"),
                _ => Ok(()),
            }
        }
        .boxed()
    });
    let cracked = Schedule::parse("cracked", HOURLY, Tz::UTC, fire).unwrap();
    let engine = tower(&db, 1, [cracked, bell("sound", HOURLY, CatchUp::Once)]).await;
    sleep_until(&db, &engine, half_past(8)).await;
    engine.fire_ticks().await.unwrap();
    sleep_until(&db, &engine, half_past(9)).await;
    assert_eq!(engine.fire_ticks().await.unwrap(), 1, "the other bell strikes");
    assert!(struck(&db, "cracked").await.is_empty());
    let view = engine.schedules().await.unwrap()[0].clone();
    let failing = view.failing.unwrap();
    assert!(failing.times == 1 && failing.why.contains("could not be stored"), "{failing:?}");
    assert_eq!(view.next, Some("2037-05-01T09:00:00Z".parse().unwrap()), "the overdue instant");

    assert_eq!(engine.fire_ticks().await.unwrap(), 0, "its panic is a failure like any other");
    assert_eq!(engine.fire_ticks().await.unwrap(), 0, "it waits a moment");
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    db.connection.execute_unprepared("update schedule_state set failed_at = failed_at - 1000000").await.unwrap();
    assert_eq!(engine.fire_ticks().await.unwrap(), 1);
    assert_eq!(struck(&db, "cracked").await, ["05-01T09:00"]);
    assert_eq!(engine.schedules().await.unwrap()[0].failing, None);
}

async fn a_database_that_goes_away_is_no_failure_of_the_schedule(db: TestDatabase) {
    let tries = Arc::new(AtomicUsize::new(0));
    let fire: Fire = Arc::new(move |tx, at| {
        let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            strike(tx, "cut", at).await?;
            let gone = || DbErr::Conn(RuntimeErr::Internal("connection reset by peer".to_owned()));
            if first { Err(gone().into()) } else { Ok(()) }
        }
        .boxed()
    });
    let engine = tower(&db, 1, [Schedule::parse("cut", HOURLY, Tz::UTC, fire).unwrap()]).await;
    sleep_until(&db, &engine, half_past(8)).await;
    engine.fire_ticks().await.unwrap();
    sleep_until(&db, &engine, half_past(9)).await;
    assert!(matches!(engine.fire_ticks().await, Err(DbErr::Conn(_))));
    assert_eq!(engine.schedules().await.unwrap()[0].failing, None);
    assert_eq!(engine.fire_ticks().await.unwrap(), 1, "at once, without a pause for the failure");
    assert_eq!(struck(&db, "cut").await, ["05-01T09:00"]);
}

async fn another_process_fires_what_a_killed_one_had_begun(db: TestDatabase) {
    let survivor = tower(&db, 2, [bell("hours", HOURLY, CatchUp::Once)]).await;
    sleep_until(&db, &survivor, half_past(8)).await;
    survivor.fire_ticks().await.unwrap();
    sleep_until(&db, &survivor, half_past(9)).await;
    // The first process is killed when its tick has struck and not yet committed.
    let (begun, midway) = oneshot::channel();
    let begun = Arc::new(std::sync::Mutex::new(Some(begun)));
    let fire: Fire = Arc::new(move |tx, at| {
        let begun = begun.lock().unwrap().take();
        async move {
            strike(tx, "hours", at).await?;
            begun.map(|begun| begun.send(()));
            std::future::pending().await
        }
        .boxed()
    });
    let hangs = |theirs| async move {
        let hangs = Schedule::parse("hours", HOURLY, Tz::UTC, fire).unwrap();
        tower(&theirs, 1, [hangs]).await.fire_ticks().await
    };
    let other = Beside::start(&db, hangs).unwrap();
    midway.await.unwrap();
    other.kill();
    assert_eq!(survivor.fire_ticks().await.unwrap(), 1);
    assert_eq!(struck(&db, "hours").await, ["05-01T09:00"]);
}

async fn a_tick_that_is_a_little_late_is_not_a_missed_one(db: TestDatabase) {
    let engine = tower(&db, 1, [bell("skips", HOURLY, CatchUp::Skip)]).await;
    sleep_until(&db, &engine, half_past(8)).await;
    engine.fire_ticks().await.unwrap();
    sleep_until(&db, &engine, half_past(9) - TimeDelta::minutes(30) + TimeDelta::seconds(20)).await;
    assert_eq!(engine.fire_ticks().await.unwrap(), 1);
}

on_both!(
    an_instant_fires_once_however_many_look,
    missed_instants_are_met_by_the_policy,
    a_moved_clock_stops_at_every_instant_also_where_the_clocks_change,
    a_paused_schedule_is_silent_and_makes_up_by_its_policy,
    a_run_by_hand_is_a_tick_of_its_own,
    a_failure_keeps_nothing_and_is_tried_again,
    a_database_that_goes_away_is_no_failure_of_the_schedule,
    another_process_fires_what_a_killed_one_had_begun,
    a_tick_that_is_a_little_late_is_not_a_missed_one,
);
