//! Redis makes work known sooner; killed, emptied or absent it costs time, never work.

use super::toy::{House, MOMENT, NEVER, Plan, Town, Working, once_each, plainly, wire};
use anyhow::Result;
use harness::servers::{Redis, fresh_redis};
use harness::{TestDatabase, on_both, wait};

on_both!(
    a_ring_is_heard_by_another_process,
    without_a_ring_the_poll_finds_the_work,
    a_redis_that_dies_is_emptied_and_comes_back_loses_nothing,
    an_address_where_nobody_answers_is_no_obstacle,
);

/// A worker with a wire to Redis.
fn at_work(house: &House, url: &str, poll: std::time::Duration) -> Result<(Working, worker::Wire)> {
    let wire = wire(url, house.process)?;
    let mut settings = plainly();
    settings.wire = Some(wire.clone());
    settings.pace.poll = poll;
    Ok((house.work(settings), wire))
}

async fn is_up(wire: &worker::Wire) -> Result<()> {
    wait::until(MOMENT, "the worker hears Redis", async || wire.is_up().then_some(())).await
}

/// What a scrape would read of this process now.
async fn measured(house: &House, wire: &worker::Wire) -> Result<String> {
    let registry = prometheus::Registry::new();
    worker::metrics::Metrics::new(&registry)?.gather(&house.engine, Some(wire)).await;
    Ok(prometheus::TextEncoder::new().encode_to_string(&registry.gather())?)
}

async fn a_ring_is_heard_by_another_process(db: TestDatabase) -> Result<()> {
    let (town, redis) = (Town::open(), fresh_redis().await?);
    let office = Plan::without_room(&town).redis(&redis).open(&db).await?;
    let house = Plan::with_room(&town).redis(&redis).open(&db).await?;
    // No poll finds anything here: what is done, was rung for.
    let (working, wire) = at_work(&house, &redis, NEVER)?;
    is_up(&wire).await?;
    for n in 0..10 {
        office.send(n..n + 1).await?;
        office.are_home(n..n + 1).await?;
    }
    working.stop().await
}

async fn without_a_ring_the_poll_finds_the_work(db: TestDatabase) -> Result<()> {
    let town = Town::open();
    let office = Plan::without_room(&town).open(&db).await?;
    let house = Plan::with_room(&town).open(&db).await?;
    let working = house.work(plainly());
    office.send(0..10).await?;
    office.are_home(0..10).await?;
    working.stop().await
}

async fn a_redis_that_dies_is_emptied_and_comes_back_loses_nothing(db: TestDatabase) -> Result<()> {
    let (town, mut redis) = (Town::open(), Redis::start()?);
    let url = redis.url();
    let office = Plan::without_room(&town).redis(&url).open(&db).await?;
    let first = Plan::with_room(&town).redis(&url).open(&db).await?;
    let second = Plan::with_room(&town).redis(&url).open(&db).await?;
    let poll = plainly().pace.poll;
    let (a, at_a) = at_work(&first, &url, poll)?;
    let (b, at_b) = at_work(&second, &url, poll)?;
    is_up(&at_a).await?;
    is_up(&at_b).await?;
    office.send(0..30).await?;
    let before = (at_a.errors(), measured(&first, &at_a).await?);
    assert!(before.1.contains("innkeeper_redis_up 1"), "{}", before.1);
    redis.kill();
    office.send(30..60).await?;
    office.are_home(0..60).await?;
    let noticed = async || (!at_a.is_up() && at_a.errors() > before.0).then_some(());
    wait::until(MOMENT, "the worker hears that Redis is gone", noticed).await?;
    let away = measured(&first, &at_a).await?;
    assert!(away.contains("innkeeper_redis_up 0"), "{away}");
    assert!(!away.contains(&format!("innkeeper_redis_errors_total {}\n", before.0)), "{away}");
    redis.start_again()?;
    redis.empty()?;
    office.send(60..90).await?;
    redis.empty()?;
    office.are_home(60..90).await?;
    assert_eq!(town.begun(), once_each(90));
    is_up(&at_a).await?;
    is_up(&at_b).await?;
    a.stop().await?;
    b.stop().await
}

async fn an_address_where_nobody_answers_is_no_obstacle(db: TestDatabase) -> Result<()> {
    let town = Town::open();
    let nobody = "redis://127.0.0.1:1";
    let office = Plan::without_room(&town).redis(nobody).open(&db).await?;
    let house = Plan::with_room(&town).redis(nobody).open(&db).await?;
    let (working, wire) = at_work(&house, nobody, plainly().pace.poll)?;
    office.send(0..10).await?;
    office.are_home(0..10).await?;
    assert!(!wire.is_up());
    working.stop().await
}
