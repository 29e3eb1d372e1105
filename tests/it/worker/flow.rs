//! Work flows from turn to turn; several processes share it; a panic or a death costs nobody anything.

use super::toy::{Event, Messenger};
use super::toy::{MOMENT, NEVER, Plan, State, Terms, Town, once_each, plainly, run};
use anyhow::Result;
use engine::{EventKey, Origin};
use harness::{Backend, TestDatabase, on_both, wait};
use prometheus::{Registry, TextEncoder};
use sea_orm::ConnectionTrait;
use std::sync::Arc;
use std::time::Duration;
use worker::metrics::Metrics;

on_both!(
    work_flows_from_turn_to_turn,
    a_full_queue_goes_on_without_a_bell_or_a_poll,
    two_workers_share_the_work_and_each_errand_is_run_once,
    a_panicking_effect_is_parked_and_the_worker_goes_on,
    what_is_claimed_together_is_not_held_up_by_one_that_hangs_or_panics,
    a_silent_processs_work_is_done_by_others_and_its_late_answer_refused,
    a_worker_can_be_measured,
    a_fact_without_a_place_is_counted_however_it_came,
    a_process_that_is_alone_takes_over_what_the_last_one_held,
);

async fn work_flows_from_turn_to_turn(db: TestDatabase) -> Result<()> {
    let town = Town::open();
    let house = Plan::with_room(&town).open(&db).await?;
    let working = house.work(plainly());
    house.send(0..40).await?;
    house.are_home(0..40).await?;
    assert_eq!(town.begun(), once_each(40));
    working.stop().await?;
    let living = db.connection.execute_unprepared("delete from workflow_process").await?;
    assert_eq!(living.rows_affected(), 0, "a worker that has stopped is not among the living");
    Ok(())
}

async fn a_full_queue_goes_on_without_a_bell_or_a_poll(db: TestDatabase) -> Result<()> {
    let town = Town::open();
    let office = Plan::without_room(&town).open(&db).await?;
    office.send(0..60).await?;
    let house = Plan { rooms: &[("default", 3), ("engine", 1)], ..Plan::with_room(&town) }.open(&db).await?;
    let mut settings = plainly();
    settings.pace.poll = NEVER;
    let working = house.work(settings);
    house.are_home(0..60).await?;
    assert_eq!(town.begun(), once_each(60));
    working.stop().await
}

async fn two_workers_share_the_work_and_each_errand_is_run_once(db: TestDatabase) -> Result<()> {
    let town = Town::open();
    let office = Plan::without_room(&town).open(&db).await?;
    let (first, second) = (Plan::with_room(&town).open(&db).await?, Plan::with_room(&town).open(&db).await?);
    let (a, b) = (first.work(plainly()), second.work(plainly()));
    office.send(0..60).await?;
    office.are_home(0..60).await?;
    assert_eq!(town.begun(), once_each(60));
    a.stop().await?;
    b.stop().await
}

async fn a_panicking_effect_is_parked_and_the_worker_goes_on(db: TestDatabase) -> Result<()> {
    let town = Town::open();
    let house = Plan::with_room(&town).open(&db).await?;
    let working = house.work(plainly());
    house.send_one(0, Terms { panics: true }).await?;
    let parked = wait::until(MOMENT, "the work is parked", async || {
        let parked = house.engine.parked().await.ok()?;
        (!parked.is_empty()).then_some(parked)
    })
    .await?;
    assert_eq!(parked[0].work.run, run(0));
    assert_eq!(parked[0].error_class.as_deref(), Some("poison"));
    house.send(1..9).await?;
    house.are_home(1..9).await?;
    working.stop().await
}

/// One task carries out several leases of a claim.
async fn what_is_claimed_together_is_not_held_up_by_one_that_hangs_or_panics(db: TestDatabase) -> Result<()> {
    let town = Town::closed_to(0);
    let office = Plan::without_room(&town).open(&db).await?;
    office.send(0..150).await?;
    office.send_one(150, Terms { panics: true }).await?;
    let house = Plan { rooms: &[("default", 200), ("engine", 8)], ..Plan::with_room(&town) }.open(&db).await?;
    let working = house.work(plainly());
    house.are_home(1..150).await?;
    assert_eq!(house.state(0).await?, State::Running { errand: 1 }, "it hangs");
    let parked = house.engine.parked().await?;
    assert_eq!(parked.iter().map(|work| work.work.run).collect::<Vec<_>>(), [run(150)]);
    town.open_the_gate();
    house.are_home(0..1).await?;
    assert_eq!(town.begun().into_iter().sum::<u32>(), 150 * super::toy::ERRANDS + 1);
    working.stop().await
}

async fn a_silent_processs_work_is_done_by_others_and_its_late_answer_refused(db: TestDatabase) -> Result<()> {
    let (here, there) = (Town::open(), Town::closed());
    let silent = Plan::with_room(&here).open(&db).await?;
    silent.engine.beat().await?;
    silent.send(0..1).await?;
    let lease = silent.engine.hands().next().await.expect("the turn leased its effect to this process");
    let hex = silent.process.simple();
    let id = match db.backend {
        Backend::Postgres => format!("'{hex}'::uuid"),
        Backend::Sqlite => format!("x'{hex}'"),
    };
    let sql = format!("update workflow_process set beat_at = beat_at - 11000000 where id = {id}");
    assert_eq!(db.connection.execute_unprepared(&sql).await?.rows_affected(), 1);

    let other = Plan::with_room(&there).open(&db).await?;
    let mut settings = plainly();
    settings.pace.rescue = Duration::from_millis(50);
    let working = other.work(settings);
    wait::until(MOMENT, "the other process is at it", async || (there.begun() == [1]).then_some(())).await?;
    // The silent process answers while the other has not: nothing but the fence stands against it.
    silent.engine.execute(lease).await;
    assert_eq!(other.state(0).await?, State::Running { errand: 1 }, "the late answer is no event");
    let work = other.engine.work_of(run(0)).await?;
    assert_eq!((work[0].standing, work[0].attempt), ("leased", 2), "and takes nothing from who holds the work");
    there.open_the_gate();
    other.are_home(0..1).await?;
    let keys: Vec<_> = other.engine.journal(run(0)).await?.into_iter().map(|turn| turn.key).collect();
    assert_eq!(keys, ["start", "fx:0:0", "fx:1:0", "fx:2:0"]);
    working.stop().await
}

async fn a_worker_can_be_measured(db: TestDatabase) -> Result<()> {
    let (town, registry) = (Town::closed(), Registry::new());
    let metrics = Arc::new(Metrics::new(&registry)?);
    let plan = Plan { metrics: Some(Arc::clone(&metrics)), ..Plan::with_room(&town) };
    let house = plan.open(&db).await?;
    let mut settings = plainly();
    settings.metrics = Some(Arc::clone(&metrics));
    let working = house.work(settings);
    // Twelve effects for eight hands.
    house.send(0..12).await?;
    wait::until(MOMENT, "every hand is full", async || (town.begun().len() == 8).then_some(())).await?;
    metrics.gather(&house.engine, None).await;
    let text = TextEncoder::new().encode_to_string(&registry.gather())?;
    for line in [
        r#"innkeeper_work_depth{queue="default",standing="leased"} 8"#,
        r#"innkeeper_work_depth{queue="default",standing="ready"} 4"#,
        r#"innkeeper_leases_held{queue="default"} 8"#,
        r#"innkeeper_leases_held{queue="engine"} 0"#,
        r#"innkeeper_worker_room{queue="default"} 8"#,
        "innkeeper_redis_errors_total 0",
        "innkeeper_redis_up 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    town.open_the_gate();
    house.are_home(0..12).await?;
    let done = r#"innkeeper_work_tries_total{effect="Run",outcome="done",workflow="messenger"} 36"#;
    // Some were remembered from the commit that began them, some came with a claim: none of them has lasted since ages.
    let lasted = r#"innkeeper_workflow_duration_seconds_bucket{state="Home",workflow="messenger",le="600"} 12"#;
    wait::until(MOMENT, done, async || {
        let text = TextEncoder::new().encode_to_string(&registry.gather()).ok()?;
        (text.contains(done) && text.contains(lasted)).then_some(())
    })
    .await?;
    working.stop().await
}

async fn a_fact_without_a_place_is_counted_however_it_came(db: TestDatabase) -> Result<()> {
    let (town, registry) = (Town::closed(), Registry::new());
    let metrics = Arc::new(Metrics::new(&registry)?);
    let house = Plan { metrics: Some(metrics), ..Plan::without_room(&town) }.open(&db).await?;
    house.send(0..1).await?;
    let (odd, origin) = (Event::Ran { errand: 9 }, Origin::default());
    // Through the writer, in a transaction of one's own, and in one that is given up.
    house.engine.note::<Messenger>(run(0), &odd, EventKey::webhook("p", "1"), origin.clone()).await?;
    let tx = house.engine.begin().await?;
    tx.note::<Messenger>(run(0), &odd, EventKey::webhook("p", "2"), &origin).await?;
    tx.commit().await?;
    let given_up = house.engine.begin().await?;
    given_up.note::<Messenger>(run(0), &odd, EventKey::webhook("p", "3"), &origin).await?;
    drop(given_up);
    let text = TextEncoder::new().encode_to_string(&registry.gather())?;
    let line = r#"innkeeper_workflow_turns_total{verdict="unexpected",workflow="messenger"} 2"#;
    assert!(text.contains(line), "{line} is not in\n{text}");
    Ok(())
}

async fn a_process_that_is_alone_takes_over_what_the_last_one_held(db: TestDatabase) -> Result<()> {
    let (town, last) = (Town::open(), Town::closed());
    let killed = Plan::with_room(&last).open(&db).await?;
    killed.engine.beat().await?;
    killed.send(0..3).await?;
    assert_eq!(killed.engine.hands().holding(), 3);
    let house = Plan::with_room(&town).open(&db).await?;
    let mut settings = plainly();
    settings.alone = true;
    // The last process's heartbeat is fresh: no rescue would free its leases.
    let working = house.work(settings);
    house.are_home(0..3).await?;
    working.stop().await
}

#[test]
fn the_heart_beats_although_every_connection_for_requests_is_taken() -> Result<()> {
    harness::both::run(Backend::Postgres, async |db: TestDatabase| {
        let house = Plan::with_room(&Town::open()).open(&db).await?;
        let mut taken = vec![];
        while house.engine.databases().pools()[0].in_use < house.engine.databases().pools()[0].most {
            taken.push(house.engine.begin().await?);
        }
        tokio::time::timeout(Duration::from_secs(5), house.engine.beat()).await??;
        Ok(())
    })
}
