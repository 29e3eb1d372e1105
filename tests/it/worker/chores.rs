//! Plain jobs: done through Redis or without it, and never able to hold anything up.

use super::toy::{House, MOMENT, Plan, Town, plainly, wire};
use anyhow::Result;
use engine::Timestamp;
use harness::servers::fresh_redis;
use harness::{Backend, TestDatabase, on_both, wait};
use sea_orm::{ConnectionTrait, Statement};
use std::sync::atomic::{AtomicI64, Ordering};
use worker::{Chore, Chores};

on_both!(
    what_is_old_is_forgotten_without_redis,
    what_is_old_is_forgotten_through_redis_and_the_job_with_it,
    a_line_that_kills_its_workers_is_thrown_away,
    a_schedule_asks_for_chores,
);

const KEYS: &str = "idempotency_key";

/// An answer from that many hours ago.
async fn answer(db: &TestDatabase, key: &str, hours: i64) -> Result<()> {
    let now = match db.backend {
        Backend::Postgres => "(extract(epoch from clock_timestamp()) * 1000000)::int8",
        Backend::Sqlite => "cast(unixepoch('subsec') * 1000 as integer) * 1000",
    };
    let age = hours * 3_600_000_000;
    let sql = format!(
        "insert into idempotency_key (caller, route, key, body_hash, status, headers, body, created_at)
         values ('c', 'r', '{key}', 'h', 200, '[]', '', {now} - {age})"
    );
    db.connection.execute_unprepared(&sql).await?;
    Ok(())
}

async fn count(db: &TestDatabase, table: &str) -> Option<i64> {
    let sql = format!("select count(*) from {table}");
    let row = db.connection.query_one_raw(Statement::from_string(db.connection.get_database_backend(), sql)).await;
    row.ok()??.try_get_by_index(0).ok()
}

async fn only_one_is_left(db: &TestDatabase) -> Result<()> {
    wait::until(MOMENT, "the old answer is forgotten", async || (count(db, KEYS).await? == 1).then_some(())).await
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(second, 0).expect("a second of our time")
}

struct Home {
    house: House,
    chores: Chores,
    settings: worker::Settings,
}

async fn home(db: &TestDatabase, redis: Option<&str>) -> Result<Home> {
    let chores = Chores::new();
    let town = Town::open();
    let house = Plan { chores: Some(&chores), ..Plan::with_room(&town) }.open(db).await?;
    let mut settings = plainly();
    settings.chores = Some(chores.clone());
    settings.wire = redis.map(|url| wire(url, house.process)).transpose()?;
    Ok(Home { house, chores, settings })
}

async fn what_is_old_is_forgotten_without_redis(db: TestDatabase) -> Result<()> {
    answer(&db, "old", 73).await?;
    answer(&db, "young", 71).await?;
    let Home { house, chores, settings } = home(&db, None).await?;
    let working = house.work(settings);
    for chore in Chore::ALL {
        chores.ask(chore, at(0));
    }
    only_one_is_left(&db).await?;
    working.stop().await
}

async fn what_is_old_is_forgotten_through_redis_and_the_job_with_it(db: TestDatabase) -> Result<()> {
    let redis = fresh_redis().await?;
    answer(&db, "old", 73).await?;
    answer(&db, "young", 71).await?;
    let Home { house, chores, settings } = home(&db, Some(&redis)).await?;
    let working = house.work(settings);
    chores.ask(Chore::ForgetAnswers, at(1));
    only_one_is_left(&db).await?;
    let connection = redis::Client::open(redis)?.get_multiplexed_async_connection().await?;
    let second = AtomicI64::new(2);
    wait::until(MOMENT, "apalis' memory of jobs is purged", async || {
        chores.ask(Chore::ForgetJobs, at(second.fetch_add(1, Ordering::Relaxed)));
        let mut connection = connection.clone();
        let known: Vec<String> =
            redis::cmd("HKEYS").arg("innkeeper:test:chores:data").query_async(&mut connection).await.ok()?;
        (!known.iter().any(|id| id.starts_with("forget_answers"))).then_some(())
    })
    .await?;
    working.stop().await
}

async fn a_line_that_kills_its_workers_is_thrown_away(db: TestDatabase) -> Result<()> {
    let redis = fresh_redis().await?;
    let mut connection = redis::Client::open(redis.as_str())?.get_multiplexed_async_connection().await?;
    // An id without a job: apalis-redis fails to read the whole batch, and its worker ends.
    redis::cmd("RPUSH").arg("innkeeper:test:chores:active").arg("ghost").query_async::<()>(&mut connection).await?;
    answer(&db, "old", 73).await?;
    answer(&db, "young", 71).await?;
    let Home { house, chores, settings } = home(&db, Some(&redis)).await?;
    let working = house.work(settings);
    let second = AtomicI64::new(0);
    wait::until(MOMENT, "the old answer is forgotten all the same", async || {
        chores.ask(Chore::ForgetAnswers, at(second.fetch_add(1, Ordering::Relaxed)));
        (count(&db, KEYS).await? == 1).then_some(())
    })
    .await?;
    working.stop().await
}

async fn a_schedule_asks_for_chores(db: TestDatabase) -> Result<()> {
    answer(&db, "old", 73).await?;
    answer(&db, "young", 71).await?;
    let Home { house, settings, .. } = home(&db, None).await?;
    let working = house.work(settings);
    wait::until(MOMENT, "the schedules are known", async || (count(&db, "schedule_tick").await? == 7).then_some(()))
        .await?;
    let target = house.engine.now().await? + std::time::Duration::from_secs(3700);
    house.engine.advance_to(target, engine::Settling::Elsewhere(MOMENT)).await?;
    only_one_is_left(&db).await?;
    working.stop().await
}
