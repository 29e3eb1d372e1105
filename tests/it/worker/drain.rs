//! A worker that is asked to stop takes nothing new, lets running work finish, and gives the rest back at once.

use super::toy::{MOMENT, Plan, State, Town, once_each, plainly, run};
use anyhow::Result;
use harness::{TestDatabase, on_both, wait};
use std::time::Duration;

on_both!(
    running_work_may_finish_and_what_follows_is_for_others,
    work_that_does_not_finish_in_time_is_given_back_at_once,
);

async fn running_work_may_finish_and_what_follows_is_for_others(db: TestDatabase) -> Result<()> {
    let town = Town::closed();
    let first = Plan::with_room(&town).open(&db).await?;
    let working = first.work(plainly());
    first.send(0..4).await?;
    wait::until(MOMENT, "all four are on their way", async || (town.begun().len() == 4).then_some(())).await?;
    let stopping = working.ask_to_stop();
    wait::until(MOMENT, "the hands are closed", async || (first.engine.hands().free("default") == 0).then_some(()))
        .await?;
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
    settings.pace.sweep = super::toy::NEVER;
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
