//! REL-10, the policy of retries: exactly as many attempts as configured, pauses within their bounds, `Retry-After` honoured, and what
//! cannot be helped parked after one.

use super::switchboard::{Line, Order, Plan, Switchboard, Tone, World, order};
use engine::{Settling, Timestamp};
use harness::{TestDatabase, on_both};
use std::time::Duration;

on_both!(
    work_is_tried_as_often_as_its_policy_says_and_then_parked_with_the_reason,
    a_clock_that_is_moved_leaps_over_nothing_that_falls_due_meanwhile,
    pauses_stay_within_the_doubling_bounds_and_their_cap,
    a_party_that_asks_for_patience_gets_it,
    our_own_mistake_is_parked_after_one,
    no_answer_in_time_is_an_unknown_outcome_and_counts,
    a_no_is_an_answer_and_is_not_tried_again,
);

async fn waiting(db: &TestDatabase, attempts: i32, base: u64, cap: u64) -> Switchboard {
    let board = Plan::default().open(db, &World::default()).await;
    let patient = Order { patience: Some((attempts, base, cap)), ..order(Line::Phone) };
    board.order(0..1, &patient).await;
    board
}

async fn advance(board: &Switchboard, seconds: u64) {
    let target = board.engine.now().await.unwrap() + Duration::from_secs(seconds);
    board.engine.advance_to(target, Settling::Inline).await.unwrap();
}

/// When the only piece of work is tried next.
async fn next_try(board: &Switchboard) -> Timestamp {
    let micros = super::toy::count(&board.db, "select not_before from workflow_work").await;
    Timestamp::from_timestamp_micros(micros).unwrap()
}

async fn work_is_tried_as_often_as_its_policy_says_and_then_parked_with_the_reason(db: TestDatabase) {
    let board = waiting(&db, 5, 1, 60).await;
    board.world.phone_will(&[Tone::Engaged; 9]);
    advance(&board, 3600).await;
    assert_eq!(board.world.calls(), 5);
    let parked = board.engine.parked().await.unwrap().pop().unwrap();
    assert_eq!((parked.standing, parked.error_class.as_deref()), ("parked", Some("spent")));
    assert!(parked.last_error.is_some_and(|why| why.contains("engaged")));
}

/// Tries that fall due a few instants after the one before: somewhere between a claim that finds nothing and the look at the clock.
async fn a_clock_that_is_moved_leaps_over_nothing_that_falls_due_meanwhile(db: TestDatabase) {
    const TRIES: u32 = 15;
    let board = Plan::default().open(&db, &World::default()).await;
    let patient = Order { patience: Some((40, 0, 60)), ..order(Line::Phone) };
    for nth in 1..=6 {
        let soon = (1..TRIES).map(|n| Tone::EngagedFor(Duration::from_micros((97 * u64::from(n * nth)) % 4_000)));
        board.world.phone_will(&soon.collect::<Vec<_>>());
        board.order([nth.into()], &patient).await;
        let target = board.engine.now().await.unwrap() + Duration::from_secs(3600);
        board.engine.advance_to(target, Settling::Inline).await.unwrap();
        let last = super::toy::count(&board.db, "select max(at) from workflow_journal").await;
        assert!(last < target.timestamp_micros(), "the last try came when the clock had gone by");
        assert_eq!((board.world.calls(), board.answered().await), ((TRIES * nth) as usize, nth.into()));
    }
}

async fn pauses_stay_within_the_doubling_bounds_and_their_cap(db: TestDatabase) {
    let board = waiting(&db, 8, 100, 1000).await;
    board.world.phone_will(&[Tone::Engaged; 7]);
    let mut pauses = vec![];
    for bound in [100, 200, 400, 800, 1000, 1000, 1000] {
        let before = board.engine.now().await.unwrap();
        board.engine.settle().await.unwrap();
        let (after, next) = (board.engine.now().await.unwrap(), next_try(&board).await);
        assert!(next >= before, "never in the past");
        assert!(next <= after + Duration::from_secs(bound), "{} is past {bound} seconds", next - after);
        pauses.push((next - after).num_milliseconds() * 1000 / i64::try_from(bound).unwrap());
        // To that instant and no further.
        let ahead = (next - after).to_std().unwrap_or_default();
        let sql = format!("update business_clock set offset_us = offset_us + {}", ahead.as_micros());
        board.sql(&sql).await;
    }
    assert_eq!(board.world.calls(), 7);
    let spread = pauses.iter().max().unwrap() - pauses.iter().min().unwrap();
    assert!(spread > 10_000, "the jitter is full: {pauses:?} millionths of their bounds");
}

async fn a_party_that_asks_for_patience_gets_it(db: TestDatabase) {
    let board = waiting(&db, 3, 1, 2).await;
    board.world.phone_will(&[Tone::EngagedFor(Duration::from_secs(500))]);
    let lease = board.engine.hands().next().await.unwrap();
    // Asked for after it was claimed: it is the answer that the pause counts from.
    let before = board.engine.now().await.unwrap();
    board.engine.execute(lease).await;
    assert!(next_try(&board).await >= before + Duration::from_secs(499), "longer than our own cap");
    advance(&board, 490).await;
    assert_eq!(board.world.calls(), 1);
    advance(&board, 20).await;
    assert_eq!((board.world.calls(), board.answered().await), (2, 1));
}

async fn our_own_mistake_is_parked_after_one(db: TestDatabase) {
    let board = waiting(&db, 5, 1, 60).await;
    board.world.phone_will(&[Tone::NoSuchNumber; 5]);
    advance(&board, 3600).await;
    assert_eq!(board.world.calls(), 1);
    let parked = board.engine.parked().await.unwrap().pop().unwrap();
    assert_eq!(parked.error_class.as_deref(), Some("misconfigured"));
}

async fn no_answer_in_time_is_an_unknown_outcome_and_counts(db: TestDatabase) {
    let board = waiting(&db, 2, 1, 60).await;
    board.world.phone_will(&[Tone::NeverAnswers; 2]);
    advance(&board, 3600).await;
    assert_eq!(board.world.calls(), 2);
    let parked = board.engine.parked().await.unwrap().pop().unwrap();
    assert_eq!(parked.error_class.as_deref(), Some("unknown"));
    assert!(parked.last_error.is_some_and(|why| why.contains("no answer within")));
}

async fn a_no_is_an_answer_and_is_not_tried_again(db: TestDatabase) {
    let board = waiting(&db, 5, 1, 60).await;
    board.world.phone_will(&[Tone::Declines]);
    advance(&board, 3600).await;
    assert_eq!((board.world.calls(), board.answered().await), (1, 1));
    assert!(board.engine.parked().await.unwrap().is_empty());
}
