//! A process decides from memory what comes back to a run that it wrote last, or claimed work of; the write looks whether the run is
//! still so.

use super::switchboard::{Call, Line, Plan, World, order};
use super::toy::{Event, Mood, Seat, State, Terms, Theatre, count, run};
use engine::{EventKey, Origin, RunId, Settling};
use futures::FutureExt;
use harness::{TestDatabase, on_both};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

on_both!(
    what_comes_back_to_its_process_is_not_loaded,
    what_somebody_else_moved_meanwhile_is_loaded,
    what_was_claimed_is_not_loaded,
    what_moves_between_its_claim_and_its_end_is_loaded,
    a_timer_that_is_due_is_not_forgotten,
    a_timer_that_was_brought_forward_is_not_forgotten,
    a_clock_that_was_moved_elsewhere_is_heeded,
    a_later_try_is_loaded,
    a_group_of_which_anything_has_changed_is_loaded,
    starts_that_come_together_and_one_of_them_again_are_begun_once,
);

async fn started(theatre: &Theatre, n: u128, hold: i64) -> RunId {
    let seat = Terms { seat: i64::try_from(n).unwrap(), hold };
    theatre.engine.start::<Seat>(run(n), &format!("seat-{n}"), &seat, Origin::default()).await.unwrap();
    run(n)
}

/// What was found in the database of runs that were remembered.
fn must_have_found(theatre: &Theatre, expected: &[bool]) {
    let found = theatre.heard.recalled.lock().unwrap().clone();
    assert_eq!(found, expected);
}

async fn what_comes_back_to_its_process_is_not_loaded(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    let id = started(&theatre, 1, 900).await;
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.state(id).await, State::Paid { receipt: "r1".into() });
    must_have_found(&theatre, &[true]);
}

async fn what_somebody_else_moved_meanwhile_is_loaded(db: TestDatabase) {
    let here = Theatre::open(db.clone()).await;
    let elsewhere = Theatre::beside(&db, here.office.clone(), 2).await;
    let id = started(&here, 1, 900).await;
    elsewhere.engine.send::<Seat>(id, &Event::GivenUp, EventKey::operator("1"), Origin::default()).await.unwrap();
    here.engine.settle().await.unwrap();
    // The payment met a seat that had been given up, and took it again.
    assert_eq!(here.state(id).await, State::Held);
    assert_eq!(here.keys(id).await, ["start", "op:1", "fx:0:0"]);
    must_have_found(&here, &[false]);
}

async fn what_was_claimed_is_not_loaded(db: TestDatabase) {
    let here = Theatre::open(db.clone()).await;
    let counter = Theatre::without_hands(&db, here.office.clone(), 2).await;
    let ids = [started(&counter, 1, 900).await, started(&counter, 2, 900).await];
    here.engine.settle().await.unwrap();
    for id in ids {
        assert_eq!(here.keys(id).await, ["start", "fx:0:0"]);
        assert!(matches!(here.state(id).await, State::Paid { .. }));
    }
    must_have_found(&here, &[true, true]);
}

async fn what_moves_between_its_claim_and_its_end_is_loaded(db: TestDatabase) {
    let here = Theatre::open(db.clone()).await;
    let counter = Theatre::without_hands(&db, here.office.clone(), 2).await;
    let id = started(&counter, 1, 900).await;
    assert_eq!(here.engine.claim().await.unwrap(), 1);
    let lease = here.engine.hands().next().await.unwrap();
    counter.engine.send::<Seat>(id, &Event::GivenUp, EventKey::operator("1"), Origin::default()).await.unwrap();
    here.engine.execute(lease).await;
    assert_eq!(here.keys(id).await, ["start", "op:1", "fx:0:0"]);
    must_have_found(&here, &[false]);
}

async fn a_timer_that_is_due_is_not_forgotten(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    let id = started(&theatre, 1, 0).await;
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.keys(id).await[1], "tm:HoldEnds:0:1");
    must_have_found(&theatre, &[]);
}

/// The turn that began the run has left with its call that no timer is due for long; that holds until the run moves.
async fn a_timer_that_was_brought_forward_is_not_forgotten(db: TestDatabase) {
    let here = Theatre::open(db.clone()).await;
    let counter = Theatre::without_hands(&db, here.office.clone(), 2).await;
    let id = started(&counter, 1, 900).await;
    counter.engine.send::<Seat>(id, &Event::Hurried, EventKey::operator("1"), Origin::default()).await.unwrap();
    assert_eq!(here.engine.claim().await.unwrap(), 2);
    for _ in 0..2 {
        let lease = here.engine.hands().next().await.unwrap();
        if lease.is_effect() {
            here.engine.execute(lease).await;
        }
    }
    assert_eq!(here.keys(id).await, ["start", "op:1", "tm:HoldEnds:1:0", "fx:0:0"]);
    must_have_found(&here, &[]);
}

async fn a_clock_that_was_moved_elsewhere_is_heeded(db: TestDatabase) {
    let here = Theatre::open(db.clone()).await;
    let elsewhere = Theatre::beside(&db, here.office.clone(), 2).await;
    let id = started(&here, 1, 900).await;
    // Somebody else has no hands for what is due, but moves the clock past it.
    let sql = "update business_clock set offset_us = offset_us + 1800000000";
    sea_orm::ConnectionTrait::execute_unprepared(&db.connection, sql).await.unwrap();
    let lease = here.engine.hands().next().await.unwrap();
    here.engine.execute(lease).await;
    let journal = here.engine.journal(id).await.unwrap();
    assert_eq!([&journal[1].key, &journal[2].key], ["tm:HoldEnds:0:1", "fx:0:0"]);
    let waited = journal[2].at - journal[0].at;
    assert!(waited.num_seconds() >= 1800, "it was paid before the hold ended: {waited}");
    must_have_found(&here, &[false]);
    let later = elsewhere.engine.now().await.unwrap() + Duration::from_secs(1);
    elsewhere.engine.advance_to(later, Settling::Inline).await.unwrap();
}

async fn a_later_try_is_loaded(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    theatre.office.will(&[Mood::Down]);
    let id = started(&theatre, 1, 900).await;
    while theatre.state(id).await == State::Held {
        theatre.engine.settle().await.unwrap();
    }
    let last = theatre.engine.journal(id).await.unwrap().pop().unwrap();
    assert_eq!((last.attempts, last.last_error.is_some()), (2, true));
    must_have_found(&theatre, &[]);
}

/// Half of the runs have been moved by somebody else: the group is decided from memory, found changed, and loaded; once, and all of it.
async fn a_group_of_which_anything_has_changed_is_loaded(db: TestDatabase) {
    const EACH: u128 = 20;
    let theatre = Theatre::open(db.clone()).await;
    let elsewhere = Theatre::beside(&db, theatre.office.clone(), 2).await;
    let mut all = vec![];
    for n in 1..=2 * EACH {
        let id = started(&theatre, n, 900).await;
        let lease = theatre.engine.hands().next().await.unwrap();
        all.push(async { theatre.engine.execute(lease).await }.boxed());
        if n > EACH {
            let (hello, key) = (Event::Greeted { by: id }, EventKey::webhook("office", "hello"));
            elsewhere.engine.note::<Seat>(id, &hello, key, Origin::default()).await.unwrap();
        }
    }
    futures::future::join_all(all).await;
    for n in 1..=EACH {
        assert_eq!(theatre.keys(run(n)).await, ["start", "fx:0:0"]);
        assert_eq!(theatre.keys(run(EACH + n)).await, ["start", "wh:office:hello", "fx:0:0"]);
    }
    let found = theatre.heard.recalled.lock().unwrap().clone();
    assert!(found.contains(&false), "{found:?}");
}

/// A group of starts is written unasked; that one of them is a repetition breaks its key, and the group is decided from what is loaded.
async fn starts_that_come_together_and_one_of_them_again_are_begun_once(db: TestDatabase) {
    let board = Plan::default().open(&db, &World::default()).await;
    let (call, begun) = (order(Line::Phone), AtomicU32::new(0));
    let start = async |n: u128| {
        let started = board.engine.start::<Call>(run(n), &format!("k{n}"), &call, Origin::default()).await;
        begun.fetch_add(u32::from(started.is_ok()), Relaxed);
    };
    start(7).await;
    futures::future::join_all((1..=20).map(start)).await;
    assert_eq!(begun.into_inner(), 20, "once each");
    for table in ["workflow_run", "workflow_journal", "workflow_work"] {
        assert_eq!(count(&db, &format!("select count(*) from {table}")).await, 20, "{table}");
    }
    board.engine.settle().await.unwrap();
    assert_eq!((board.answered().await, board.world.calls()), (20, 20));
}
