//! Repeated requests and messages from outside: each once.

use harness::{Backend, TestDatabase, on_both};
use store::idempotency::{self, Claim, Key, Stored};
use store::inbox::{self, Waiting};
use store::{Class, classify};

use super::town::dawn;

on_both!(
    the_first_request_goes_on_and_the_second_gets_its_answer,
    while_one_request_is_answered_the_other_is_told_so,
    a_request_that_died_leaves_nothing_behind,
    a_key_belongs_to_its_caller_and_route,
    an_answer_is_stored_once_and_forgotten_in_time,
    a_message_is_accepted_once,
    a_message_waits_until_it_was_worked_on,
);

/// On SQLite only one can look at a time.
#[test]
fn two_who_look_at_the_same_time_find_different_messages() {
    harness::both::run(Backend::Postgres, |db| async move {
        for event in ["evt_1", "evt_2", "evt_3"] {
            inbox::accept(&db.connection, &message(event)).await.unwrap();
        }
        let one = harness::begin(&db.connection).await.unwrap();
        let other = harness::begin(&db.connection).await.unwrap();
        assert_eq!(inbox::waiting(&one, 2).await.unwrap(), [message("evt_1"), message("evt_2")]);
        assert_eq!(inbox::waiting(&other, 2).await.unwrap(), [message("evt_3")]);
    });
}

fn key() -> Key {
    Key { caller: "usr_1".into(), route: "POST /bookings".into(), key: "a".into() }
}

fn answer() -> Stored {
    Stored {
        body_hash: "hash".into(),
        status: 201,
        headers: "[]".into(),
        body: "{ \"id\":1 }".into(),
        created_at: dawn(),
    }
}

async fn the_first_request_goes_on_and_the_second_gets_its_answer(db: TestDatabase) {
    let tx = harness::begin(&db.connection).await.unwrap();
    assert!(matches!(idempotency::claim(&tx, &key()).await.unwrap(), Claim::Fresh(_)));
    idempotency::store(&tx, &key(), &answer()).await.unwrap();
    tx.commit().await.unwrap();
    let tx = harness::begin(&db.connection).await.unwrap();
    assert!(idempotency::claim(&tx, &key()).await.unwrap() == Claim::Answered(Box::new(answer())));
}

async fn while_one_request_is_answered_the_other_is_told_so(db: TestDatabase) {
    if db.backend == Backend::Sqlite {
        return; // Its writing transactions are alone.
    }
    let first = harness::begin(&db.connection).await.unwrap();
    let second = harness::begin(&db.connection).await.unwrap();
    assert!(matches!(idempotency::claim(&first, &key()).await.unwrap(), Claim::Fresh(_)));
    assert!(idempotency::claim(&second, &key()).await.unwrap() == Claim::InFlight);
    let other = Key { key: "b".into(), ..key() };
    assert!(matches!(idempotency::claim(&second, &other).await.unwrap(), Claim::Fresh(_)));
}

async fn a_request_that_died_leaves_nothing_behind(db: TestDatabase) {
    let tx = harness::begin(&db.connection).await.unwrap();
    assert!(matches!(idempotency::claim(&tx, &key()).await.unwrap(), Claim::Fresh(_)));
    idempotency::store(&tx, &key(), &answer()).await.unwrap();
    tx.rollback().await.unwrap();
    let tx = harness::begin(&db.connection).await.unwrap();
    assert!(matches!(idempotency::claim(&tx, &key()).await.unwrap(), Claim::Fresh(_)));
}

async fn a_key_belongs_to_its_caller_and_route(db: TestDatabase) {
    idempotency::store(&db.connection, &key(), &answer()).await.unwrap();
    for other in [Key { caller: "usr_2".into(), ..key() }, Key { route: "POST /quotes".into(), ..key() }] {
        assert!(idempotency::lookup(&db.connection, &other).await.unwrap().is_none());
    }
}

async fn an_answer_is_stored_once_and_forgotten_in_time(db: TestDatabase) {
    idempotency::store(&db.connection, &key(), &answer()).await.unwrap();
    let again = idempotency::store(&db.connection, &key(), &answer()).await.unwrap_err();
    assert_eq!(classify(&again), Class::Taken);
    assert_eq!(idempotency::forget_before(&db.connection, dawn()).await.unwrap(), 0);
    let later = dawn() + chrono::TimeDelta::hours(72);
    assert_eq!(idempotency::forget_before(&db.connection, later).await.unwrap(), 1);
    assert!(idempotency::lookup(&db.connection, &key()).await.unwrap().is_none());
}

fn message(event: &str) -> Waiting {
    Waiting { provider: "sandbox".into(), event_id: event.into(), body: "{}".into(), received_at: dawn(), attempts: 0 }
}

async fn a_message_is_accepted_once(db: TestDatabase) {
    assert!(inbox::accept(&db.connection, &message("evt_1")).await.unwrap());
    assert!(!inbox::accept(&db.connection, &message("evt_1")).await.unwrap());
    assert!(inbox::accept(&db.connection, &message("evt_2")).await.unwrap());
    assert_eq!(inbox::waiting(&db.connection, 9).await.unwrap().len(), 2);
    assert_eq!(inbox::waiting(&db.connection, 1).await.unwrap(), [message("evt_1")]);
}

async fn a_message_waits_until_it_was_worked_on(db: TestDatabase) {
    inbox::accept(&db.connection, &message("evt_1")).await.unwrap();
    assert!(inbox::failed(&db.connection, "sandbox", "evt_1").await.unwrap());
    assert_eq!(inbox::waiting(&db.connection, 9).await.unwrap()[0].attempts, 1);
    assert!(inbox::processed(&db.connection, "sandbox", "evt_1", dawn()).await.unwrap());
    assert_eq!(inbox::waiting(&db.connection, 9).await.unwrap(), []);
    assert!(!inbox::accept(&db.connection, &message("evt_1")).await.unwrap(), "worked on is not unknown");
    let later = dawn() + chrono::TimeDelta::days(30);
    assert_eq!(inbox::forget_before(&db.connection, later).await.unwrap(), 1);
}
