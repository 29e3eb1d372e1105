//! A worker that is asked to stop takes nothing new, lets running work finish, and gives the rest back at once.

use super::toy::{MOMENT, Messenger, NEVER, Plan, State, Terms, Town, once_each, plainly, run};
use anyhow::Result;
use engine::Origin;
use harness::{Backend, TestDatabase, on_both, wait};
use sea_orm::ConnectionTrait;
use std::time::Duration;

on_both!(
    running_work_may_finish_and_what_follows_is_for_others,
    work_that_does_not_finish_in_time_is_given_back_at_once,
    a_claim_that_is_on_its_way_at_the_end_is_waited_for,
);

async fn running_work_may_finish_and_what_follows_is_for_others(db: TestDatabase) -> Result<()> {
    let town = Town::closed();
    let first = Plan::with_room(&town).open(&db).await?;
    let mut settings = plainly();
    settings.pace.poll = NEVER;
    let working = first.work(settings);
    first.send(0..4).await?;
    // A claim that is on its way yet would be carried out.
    let all = async || (town.begun().len() == 4 && first.engine.hands().taken() == 4).then_some(());
    wait::until(MOMENT, "all four are on their way, and nothing else is", all).await?;
    let stopping = working.ask_to_stop();
    first.hands_are_closed().await?;
    town.open_the_gate();
    stopping.await??;
    assert_eq!(first.engine.hands().holding(), 0);
    for n in 0..4 {
        assert_eq!(first.state(n).await?, State::Running { errand: 2 }, "the next errand is not for us");
    }
    let second = Plan::with_room(&town).open(&db).await?;
    let working = second.work(plainly());
    second.are_home(0..4).await?;
    assert_eq!(town.begun(), once_each(4));
    working.stop().await
}

async fn work_that_does_not_finish_in_time_is_given_back_at_once(db: TestDatabase) -> Result<()> {
    let (stuck, town) = (Town::closed(), Town::open());
    let first = Plan::with_room(&stuck).open(&db).await?;
    let mut settings = plainly();
    settings.pace.drain = Duration::from_millis(50);
    let working = first.work(settings);
    first.send(0..4).await?;
    wait::until(MOMENT, "all four are on their way", async || (stuck.begun().len() == 4).then_some(())).await?;
    working.stop().await?;

    // Nothing here could rescue within the test: the leases are free already.
    let second = Plan::with_room(&town).open(&db).await?;
    let mut settings = plainly();
    (settings.pace.rescue, settings.pace.reclaim) = (NEVER, NEVER);
    let working = second.work(settings);
    second.are_home(0..4).await?;
    stuck.open_the_gate();
    wait::until(MOMENT, "the first process's hands are empty", async || {
        (first.engine.hands().holding() == 0).then_some(())
    })
    .await?;
    for n in 0..4 {
        let keys: Vec<_> = second.engine.journal(run(n)).await?.into_iter().map(|turn| turn.key).collect();
        assert_eq!(keys, ["start", "fx:0:0", "fx:1:0", "fx:2:0"], "late answers are refused");
    }
    working.stop().await
}

/// What a claim brings after the last look at the hands would stay leased in the name of a process that has let go of everything.
async fn a_claim_that_is_on_its_way_at_the_end_is_waited_for(db: TestDatabase) -> Result<()> {
    let town = Town::open();
    let (first, outside) = (Plan::with_room(&town).open(&db).await?, Plan::without_room(&town).open(&db).await?);
    let mut settings = plainly();
    settings.pace.poll = Duration::from_millis(10);
    let working = first.work(settings);
    first.send(0..1).await?;
    first.are_home(0..1).await?;
    let held_up = outside.engine.begin().await?;
    held_up.start::<Messenger>(run(1), "m1", &Terms { panics: false }, &Origin::default()).await?;
    if db.backend == Backend::Postgres {
        held_up.execute_unprepared("lock table workflow_work in exclusive mode").await?;
    }
    let asking = async || (first.engine.hands().free("default") == 0).then_some(());
    wait::until(MOMENT, "a claim is on its way", asking).await?;
    let stopping = working.ask_to_stop();
    first.hands_are_closed().await?;
    assert_eq!(first.engine.hands().holding(), 0, "the claim has brought nothing yet");
    held_up.commit().await?;
    stopping.await??;
    assert_eq!(first.engine.hands().holding(), 0);
    assert_eq!(first.state(1).await?, State::Running { errand: 2 }, "what the claim has brought is carried out");
    assert_eq!(town.begun(), [1; 4]);
    Ok(())
}
