//! Every try that failed and every death stands in its run's transcript, one by one, and goes with the run.

use super::switchboard::{Line, Order, Plan, Switchboard, Tone, World, order};
use super::toy::{count, run};
use engine::{Engine, Origin, Settling};
use harness::{TestDatabase, on_both};
use std::time::Duration;

on_both!(
    every_try_that_failed_is_told_with_its_reason,
    a_death_is_told_like_a_failure,
    what_hands_its_work_over_has_failed_at_nothing,
    a_transcript_until_an_instant_has_the_tries_until_then,
);

/// Claim, class and reason of the first run's tries.
async fn tries(engine: &Engine) -> Vec<(i32, String, String)> {
    let story = engine.transcript(run(0)).await.unwrap().unwrap();
    story.tries.into_iter().map(|tried| (tried.attempt, tried.class, tried.why)).collect()
}

fn told(attempt: i32, class: &str, why: &str) -> (i32, String, String) {
    (attempt, class.to_owned(), why.to_owned())
}

async fn calling(db: &TestDatabase, tones: &[Tone]) -> Switchboard {
    let board = Plan::default().open(db, &World::default()).await;
    board.world.phone_will(tones);
    let patient = Order { patience: Some((3, 1, 60)), ..order(Line::Phone) };
    board.order(0..1, &patient).await;
    board
}

async fn an_hour(board: &Switchboard) {
    let later = board.engine.now().await.unwrap() + Duration::from_secs(3600);
    board.engine.advance_to(later, Settling::Inline).await.unwrap();
}

async fn every_try_that_failed_is_told_with_its_reason(db: TestDatabase) {
    let board = calling(&db, &[Tone::Engaged, Tone::Breaks, Tone::Engaged]).await;
    an_hour(&board).await;
    let [engaged, broke] = ["not done: engaged", "outcome unknown: the line broke"];
    let spent = [told(1, "transient", engaged), told(2, "unknown", broke), told(3, "spent", engaged)];
    assert_eq!(tries(&board.engine).await, spent);
    let parked = board.engine.parked().await.unwrap().pop().unwrap();
    board.world.phone_will(&[Tone::NoSuchNumber]);
    board.engine.retry(parked.work, Origin::actor("usr_op")).await.unwrap();
    an_hour(&board).await;
    let mut all = spent.to_vec();
    all.push(told(4, "misconfigured", "misconfigured: no such number"));
    assert_eq!(tries(&board.engine).await, all, "a person's retry forgets nothing");
}

async fn a_death_is_told_like_a_failure(db: TestDatabase) {
    let dead = calling(&db, &[]).await;
    let board = Plan { process: 2, ..Plan::default() }.open(&db, &dead.world).await;
    drop(dead.engine.hands().next().await.unwrap());
    board.sql("update workflow_process set beat_at = beat_at - 11000000").await;
    board.engine.beat().await.unwrap();
    assert_eq!(board.engine.rescue().await.unwrap(), 1);
    an_hour(&board).await;
    assert_eq!(tries(&board.engine).await, [told(1, "crashed", "its process died while holding it")]);
    assert_eq!(board.answered().await, 1);
}

async fn what_hands_its_work_over_has_failed_at_nothing(db: TestDatabase) {
    let board = calling(&db, &[]).await;
    board.engine.let_go().await.unwrap();
    an_hour(&board).await;
    assert_eq!(board.answered().await, 1);
    assert_eq!(count(&db, "select count(*) from workflow_try").await, 0);
}

async fn a_transcript_until_an_instant_has_the_tries_until_then(db: TestDatabase) {
    let board = calling(&db, &[Tone::Engaged, Tone::Engaged]).await;
    an_hour(&board).await;
    let story = board.engine.transcript(run(0)).await.unwrap().unwrap();
    let [first, second] = &story.tries[..] else { panic!("{:?}", story.tries) };
    assert!(first.at < second.at);
    assert_eq!(story.clone().until(first.at).tries, std::slice::from_ref(first));
}
