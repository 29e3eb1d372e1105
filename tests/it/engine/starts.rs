//! A start asks the database nothing before it writes: what it takes for granted, the write looks at.

use std::time::Duration;

use super::toy::{Seat, Terms, Theatre, run, terms};
use engine::{Origin, RunId, Settling, TurnError, detached};
use harness::{TestDatabase, on_both};
use sea_orm::ConnectionTrait;

on_both!(
    a_start_is_dated_by_a_clock_that_was_moved_elsewhere,
    a_run_that_exists_leaves_its_callers_transaction_whole,
    a_key_that_is_taken_begins_nothing,
    a_repeated_start_is_one_whatever_it_says,
    of_two_processes_that_begin_the_same_run_one_does,
);

async fn start(theatre: &Theatre, id: RunId, key: &str, seat: i64) -> Result<(), TurnError> {
    theatre.engine.start::<Seat>(id, key, &terms(seat), Origin::default()).await.map(drop)
}

async fn a_start_is_dated_by_a_clock_that_was_moved_elsewhere(db: TestDatabase) {
    let here = Theatre::open(db.clone()).await;
    let elsewhere = Theatre::beside(&db, here.office.clone(), 2).await;
    start(&here, run(1), "seat-1", 1).await.unwrap();
    let later = elsewhere.engine.now().await.unwrap() + Duration::from_secs(86_400);
    elsewhere.engine.advance_to(later, Settling::Inline).await.unwrap();
    start(&here, run(2), "seat-2", 2).await.unwrap();
    assert!(here.engine.journal(run(2)).await.unwrap()[0].at >= later, "it was begun yesterday");
}

async fn a_run_that_exists_leaves_its_callers_transaction_whole(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    start(&theatre, run(1), "seat-1", 1).await.unwrap();
    let engine = theatre.engine.clone();
    detached(async move {
        let tx = engine.begin().await.unwrap();
        tx.execute_unprepared("create table note (text text)").await.unwrap();
        let again = tx.start::<Seat>(run(1), "seat-1", &terms(1), &Origin::default()).await;
        assert!(matches!(again, Err(TurnError::Duplicate)), "{again:?}");
        tx.start::<Seat>(run(2), "seat-2", &terms(2), &Origin::default()).await.unwrap();
        tx.commit().await.unwrap();
    })
    .await;
    assert_eq!(theatre.count("select count(*) from workflow_run").await, 2);
    assert_eq!(theatre.count("select count(*) from workflow_journal").await, 2);
    assert_eq!(theatre.count("select count(*) from note").await, 0);
}

async fn a_key_that_is_taken_begins_nothing(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    start(&theatre, run(1), "seat-1", 1).await.unwrap();
    let other = start(&theatre, run(2), "seat-1", 2).await;
    assert!(matches!(other, Err(TurnError::Storage(_))), "{other:?}");
    for table in ["workflow_run", "workflow_journal", "toy_seat"] {
        assert_eq!(theatre.count(&format!("select count(*) from {table}")).await, 1, "{table}");
    }
}

/// The code that begins a run fails on these terms.
async fn a_repeated_start_is_one_whatever_it_says(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    let endless = Terms { seat: 1, hold: i64::MAX };
    let spoiled = theatre.engine.start::<Seat>(run(1), "seat-1", &endless, Origin::default()).await;
    assert!(matches!(spoiled, Err(TurnError::Poison { .. })), "{spoiled:?}");
    start(&theatre, run(1), "seat-1", 1).await.unwrap();
    let again = theatre.engine.start::<Seat>(run(1), "seat-1", &endless, Origin::default()).await;
    assert!(matches!(again, Err(TurnError::Duplicate)), "{again:?}");
}

async fn of_two_processes_that_begin_the_same_run_one_does(db: TestDatabase) {
    let here = Theatre::open(db.clone()).await;
    let elsewhere = Theatre::beside(&db, here.office.clone(), 2).await;
    for n in 1..=20 {
        let (id, key) = (run(n), format!("seat-{n}"));
        let (one, other) = futures::join!(start(&here, id, &key, 1000), start(&elsewhere, id, &key, 1000));
        let told = [&one, &other].map(|it| matches!(it, Err(TurnError::Duplicate)));
        assert!(told == [true, false] || told == [false, true], "{one:?}, {other:?}");
        assert_eq!(here.keys(id).await.iter().filter(|key| *key == "start").count(), 1);
        let rows = "delete from toy_seat";
        here.db.connection.execute_unprepared(rows).await.unwrap();
    }
}
