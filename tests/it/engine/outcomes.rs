//! Effects that go wrong: retried, looked up, given up, parked, resolved.

use super::toy::{Event, JINXED, Mood, Seat, State, Theatre, run, terms};
use engine::{EventKey, Origin, Settling, TurnError};
use harness::{TestDatabase, on_both};
use sea_orm::ConnectionTrait;

async fn started(theatre: &Theatre) {
    theatre.engine.start::<Seat>(run(1), "k", &terms(1), Origin::default()).await.unwrap();
}

async fn advance(theatre: &Theatre, seconds: u64) {
    let target = theatre.engine.now().await.unwrap() + std::time::Duration::from_secs(seconds);
    theatre.engine.advance_to(target, Settling::Inline).await.unwrap();
}

async fn a_definite_failure_is_tried_again_under_the_same_key_and_request(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    theatre.office.will(&[Mood::Down, Mood::Down]);
    started(&theatre).await;
    advance(&theatre, 60).await;
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
    let calls = theatre.office.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| *call == calls[0]), "one key, one request: {calls:?}");
    assert_eq!(calls[0].1.as_deref(), Some("seat=1"));
    assert_eq!(*theatre.office.looked_up.lock().unwrap(), 0, "nothing was open, nothing is looked up");
    let last = theatre.engine.journal(run(1)).await.unwrap().pop().unwrap();
    assert_eq!(last.attempts, 3);
    assert!(last.last_error.is_some_and(|e| e.contains("closed")));
}

async fn a_definite_failure_with_every_attempt_spent_lets_the_process_go_on(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    theatre.office.will(&[Mood::Down, Mood::Down, Mood::Down]);
    started(&theatre).await;
    advance(&theatre, 60).await;
    assert_eq!(theatre.state(run(1)).await, State::Lost);
    assert!(theatre.engine.parked().await.unwrap().is_empty());
}

async fn an_unknown_outcome_is_looked_up_before_it_is_repeated(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    theatre.office.will(&[Mood::LostReply]);
    started(&theatre).await;
    advance(&theatre, 60).await;
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
    assert_eq!(theatre.office.calls.lock().unwrap().len(), 1, "it had happened: it is not repeated");
    assert_eq!(*theatre.office.looked_up.lock().unwrap(), 1);
}

async fn our_own_mistake_parks_and_a_person_retries(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    theatre.office.will(&[Mood::Mistaken]);
    started(&theatre).await;
    theatre.engine.settle().await.unwrap();
    let parked = theatre.engine.parked().await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].error_class.as_deref(), Some("misconfigured"));
    assert_eq!(theatre.state(run(1)).await, State::Held, "the run goes on taking events");
    assert!(theatre.engine.retry(parked[0].work, Origin::actor("usr_op")).await.unwrap());
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
}

async fn a_person_answers_for_parked_work(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    theatre.office.will(&[Mood::Panics]);
    started(&theatre).await;
    theatre.engine.settle().await.unwrap();
    let work = theatre.engine.parked().await.unwrap()[0].work;
    let nonsense = theatre.engine.resolve(work, "\"NoSuchEvent\"", Origin::actor("usr_op")).await;
    assert!(matches!(nonsense, Err(TurnError::Poison { .. })));
    theatre.engine.resolve(work, r#"{"Paid":{"receipt":"by hand"}}"#, Origin::actor("usr_op")).await.unwrap();
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "by hand".into() });
    let last = theatre.engine.journal(run(1)).await.unwrap().pop().unwrap();
    assert_eq!(last.actor.as_deref(), Some("usr_op"));
    assert!(matches!(
        theatre.engine.resolve(work, "\"PaymentFailed\"", Origin::default()).await,
        Err(TurnError::Stale)
    ));
}

async fn a_panic_in_the_process_spoils_only_its_own_turn(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    started(&theatre).await;
    let engine = &theatre.engine;
    let good = (10..30u128).map(|n| async move {
        engine.start::<Seat>(run(n), &format!("k{n}"), &terms(i64::try_from(n).unwrap()), Origin::default()).await
    });
    let bad = engine.note::<Seat>(run(1), &Event::Explode, EventKey::webhook("x", "1"), Origin::default());
    let (good, bad) = futures::join!(futures::future::join_all(good), bad);
    assert!(good.iter().all(Result::is_ok));
    assert!(matches!(bad, Err(TurnError::Poison { why, .. }) if why.contains("planted")));
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.count("select count(*) from workflow_run where state_name = 'Paid'").await, 21);
}

async fn a_panic_in_the_projection_spoils_only_its_own_turn(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    let engine = &theatre.engine;
    let start = |n: u128, seat: i64| async move {
        engine.start::<Seat>(run(n), &format!("k{n}"), &terms(seat), Origin::default()).await
    };
    let good = (10..30u128).map(|n| start(n, i64::try_from(n).unwrap()));
    let (good, bad) = futures::join!(futures::future::join_all(good), start(1, JINXED));
    assert!(good.iter().all(Result::is_ok));
    let spoilt = |failed: &Result<_, TurnError>| matches!(failed, Err(TurnError::Poison { run: of, why }) if *of == run(1) && why.contains("planted"));
    assert!(spoilt(&bad), "{bad:?}");
    let tx = engine.begin().await.unwrap();
    let bad = tx.start::<Seat>(run(1), "k1", &terms(JINXED), &Origin::default()).await;
    assert!(spoilt(&bad), "in a caller's own transaction too: {bad:?}");
    drop(tx);
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.count("select count(*) from workflow_run where state_name = 'Paid'").await, 20);
    assert_eq!(theatre.count("select count(*) from workflow_run").await, 20, "what was spoilt left nothing behind");
}

async fn an_answer_whose_turn_fails_is_kept_and_nobody_is_asked_again(db: TestDatabase) {
    let theatre = Theatre::open(db.clone()).await;
    started(&theatre).await;
    db.connection.execute_unprepared("alter table toy_seat rename to toy_seat_gone").await.unwrap();
    theatre.engine.settle().await.unwrap();
    let parked = theatre.engine.parked().await.unwrap();
    assert_eq!(parked[0].error_class.as_deref(), Some("poison"));
    assert_eq!(theatre.state(run(1)).await, State::Held);
    assert_eq!(theatre.count("select count(*) from workflow_work where outcome like '%r1%'").await, 1);
    db.connection.execute_unprepared("alter table toy_seat_gone rename to toy_seat").await.unwrap();
    assert!(theatre.engine.retry(parked[0].work, Origin::actor("usr_op")).await.unwrap());
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
    let asked = (theatre.office.calls.lock().unwrap().len(), *theatre.office.looked_up.lock().unwrap());
    assert_eq!(asked, (1, 0), "calls and look-ups");
}

/// Tries once, loses the reply, and says that this was so long ago.
async fn tried_before(theatre: &Theatre, hours: i64) {
    theatre.office.will(&[Mood::LostReply]);
    *theatre.office.lost_its_books.lock().unwrap() = true;
    started(theatre).await;
    let lease = theatre.engine.hands().next().await.expect("the turn leased its effect to this process");
    theatre.engine.execute(lease).await;
    let past =
        format!("update workflow_work set first_claimed_at = first_claimed_at - {hours} * 3600000000 where kind = 0");
    theatre.db.connection.execute_unprepared(&past).await.unwrap();
}

async fn inside_the_safe_window_the_unknown_is_repeated_under_the_same_key(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    tried_before(&theatre, 19).await;
    advance(&theatre, 60).await;
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
    let calls = theatre.office.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0], calls[1], "the party de-duplicates by the key, so it is the same");
    assert_eq!(*theatre.office.looked_up.lock().unwrap(), 1, "it was asked first");
}

async fn past_the_safe_window_nothing_is_sent_that_was_not_looked_up(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    tried_before(&theatre, 21).await;
    advance(&theatre, 60).await;
    let parked = theatre.engine.parked().await.unwrap();
    assert_eq!(parked[0].error_class.as_deref(), Some("unknown"));
    // A person's retry is no licence to send it twice: the party is asked again, and cannot say.
    assert!(theatre.engine.retry(parked[0].work, Origin::actor("usr_op")).await.unwrap());
    advance(&theatre, 60).await;
    assert_eq!(theatre.engine.parked().await.unwrap().len(), 1);
    assert_eq!(theatre.office.calls.lock().unwrap().len(), 1, "nothing was sent again");
    *theatre.office.lost_its_books.lock().unwrap() = false;
    assert!(theatre.engine.retry(parked[0].work, Origin::actor("usr_op")).await.unwrap());
    advance(&theatre, 60).await;
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
    assert_eq!(theatre.office.calls.lock().unwrap().len(), 1, "it had happened: its books say so");
}

on_both!(
    a_definite_failure_is_tried_again_under_the_same_key_and_request,
    a_definite_failure_with_every_attempt_spent_lets_the_process_go_on,
    an_unknown_outcome_is_looked_up_before_it_is_repeated,
    our_own_mistake_parks_and_a_person_retries,
    a_person_answers_for_parked_work,
    a_panic_in_the_process_spoils_only_its_own_turn,
    a_panic_in_the_projection_spoils_only_its_own_turn,
    an_answer_whose_turn_fails_is_kept_and_nobody_is_asked_again,
    inside_the_safe_window_the_unknown_is_repeated_under_the_same_key,
    past_the_safe_window_nothing_is_sent_that_was_not_looked_up,
);
