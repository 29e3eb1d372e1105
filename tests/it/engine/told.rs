//! What the engine tells of its work, for metrics: only calls that were made are told, each with what it came to.

use super::fences::silence;
use super::toy::{Event, Mood, Seat, State, Theatre, run, terms};
use engine::{Ended, EventKey, Origin, Settling};
use harness::{TestDatabase, on_both};
use sea_orm::ConnectionTrait;
use std::time::{Duration, Instant};

async fn started(db: TestDatabase, moods: &[Mood]) -> Theatre {
    let theatre = Theatre::of_a_party(db).await;
    theatre.office.will(moods);
    theatre.engine.start::<Seat>(run(1), "k", &terms(1), Origin::default()).await.unwrap();
    theatre
}

async fn a_minute(theatre: &Theatre) {
    let later = theatre.engine.now().await.unwrap() + Duration::from_secs(60);
    theatre.engine.advance_to(later, Settling::Inline).await.unwrap();
}

/// What calls to pay came to: nothing stands for an answer.
fn paying(theatre: &Theatre) -> Vec<Option<&'static str>> {
    let calls = theatre.heard.calls.lock().unwrap().clone();
    assert!(calls.iter().all(|(effect, _)| effect == "Pay"), "{calls:?}");
    calls.into_iter().map(|(_, failed)| failed).collect()
}

async fn a_failure_that_a_process_can_live_with_is_no_answer(db: TestDatabase) {
    let theatre = started(db, &[Mood::Down, Mood::Down, Mood::Down]).await;
    a_minute(&theatre).await;
    assert_eq!(theatre.state(run(1)).await, State::Lost);
    assert_eq!(paying(&theatre), [Some("transient"); 3]);
    assert_eq!(theatre.heard.ends.lock().unwrap().last(), Some(&Ended::Done), "of the work itself");
}

async fn a_saved_answer_is_no_second_call(db: TestDatabase) {
    let theatre = started(db.clone(), &[]).await;
    db.connection.execute_unprepared("alter table toy_seat rename to toy_seat_gone").await.unwrap();
    theatre.engine.settle().await.unwrap();
    assert_eq!((paying(&theatre), theatre.heard.parked.lock().unwrap().clone()), (vec![None], vec!["poison".into()]));
    db.connection.execute_unprepared("alter table toy_seat_gone rename to toy_seat").await.unwrap();
    let parked = theatre.engine.parked().await.unwrap()[0].work;
    assert!(theatre.engine.retry(parked, Origin::actor("usr_op")).await.unwrap());
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
    assert_eq!(paying(&theatre), [None]);
}

async fn a_lease_that_was_lost_before_its_call_is_no_call(db: TestDatabase) {
    let theatre = started(db.clone(), &[]).await;
    let mut lease = theatre.engine.hands().next().await.expect("the turn leased its effect to this process");
    lease.grow_older(Duration::from_secs(20));
    let other = Theatre::beside(&db, theatre.office.clone(), 2).await;
    silence(&theatre, 1).await;
    assert_eq!(other.engine.rescue().await.unwrap(), 1);
    theatre.engine.execute(lease).await;
    assert_eq!(paying(&theatre), []);
    assert_eq!(*theatre.heard.ends.lock().unwrap(), [Ended::Refused]);
    assert!(theatre.office.calls.lock().unwrap().is_empty());
}

async fn our_own_mistake_is_told_as_one_and_as_parked(db: TestDatabase) {
    let theatre = started(db, &[Mood::Mistaken]).await;
    theatre.engine.settle().await.unwrap();
    assert_eq!(paying(&theatre), [Some("misconfigured")]);
    assert_eq!(*theatre.heard.parked.lock().unwrap(), ["misconfigured"]);
}

async fn forty_seconds_pass(theatre: &Theatre) {
    let sql = "update business_clock set offset_us = offset_us + 40000000";
    theatre.db.connection.execute_unprepared(sql).await.unwrap();
}

/// What people wait for is on the clock by which they live; whoever ends a run may have begun it or not.
async fn a_run_lasts_from_its_first_turn_to_its_last(db: TestDatabase) {
    let desk = Theatre::of_a_party(db.clone()).await;
    let other = Theatre::without_hands(&db, desk.office.clone(), 2).await;
    let first = desk.engine.now().await.unwrap();
    desk.engine.start::<Seat>(run(1), "k", &terms(1), Origin::default()).await.unwrap();
    other.engine.start::<Seat>(run(2), "l", &terms(2), Origin::default()).await.unwrap();
    for event in [Event::GivenUp, Event::NoSeatLeft] {
        forty_seconds_pass(&desk).await;
        for n in 1..=2 {
            let key = EventKey::operator(&format!("{n} {event:?}"));
            desk.engine.note::<Seat>(run(n), &event, key, Origin::default()).await.unwrap();
        }
    }
    let passed = (desk.engine.now().await.unwrap() - first).to_std().unwrap();
    let endings = desk.heard.endings.lock().unwrap().clone();
    assert_eq!(endings.len(), 2);
    for (state, lasted) in endings {
        assert_eq!(state, "Lost");
        assert!(lasted >= Duration::from_secs(80) && lasted <= passed, "{lasted:?} of {passed:?}");
    }
}

/// All of it: whoever comes next has to wait for one of them.
async fn who_waits_for_a_connection_is_heard_of(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    let pools = theatre.engine.databases().pools();
    let most = pools.iter().find(|pool| pool.pool == "write").unwrap().most;
    let mut taken = vec![];
    for _ in 0..most {
        taken.push(theatre.engine.begin().await.unwrap());
    }
    theatre.heard.waits.lock().unwrap().clear();
    let release = async {
        let since = Instant::now();
        tokio::task::yield_now().await;
        let waited = since.elapsed();
        drop(taken);
        waited
    };
    let (begun, waited) = futures::join!(theatre.engine.begin(), release);
    drop(begun.unwrap());
    let waits = theatre.heard.waits.lock().unwrap().clone();
    assert!(waits.iter().any(|(pool, took)| *pool == "write" && *took >= waited), "{waits:?}, at least {waited:?}");
    theatre.engine.vitals().await.unwrap();
    assert_eq!(theatre.heard.waits.lock().unwrap().last().unwrap().0, "read");
}

async fn a_fact_that_waits_for_the_sealer_grows_older(db: TestDatabase) {
    let theatre = started(db.clone(), &[]).await;
    theatre.engine.settle().await.unwrap();
    db.connection.execute_unprepared("update business_clock set offset_us = offset_us + 90000000").await.unwrap();
    let waiting = theatre.engine.vitals().await.unwrap();
    assert!(waiting.unsealed == 1 && waiting.oldest_unsealed >= Duration::from_secs(90), "{waiting:?}");
    theatre.engine.seal().await.unwrap();
    let sealed = theatre.engine.vitals().await.unwrap();
    assert_eq!((sealed.unsealed, sealed.oldest_unsealed), (0, Duration::ZERO));
}

on_both!(
    a_run_lasts_from_its_first_turn_to_its_last,
    who_waits_for_a_connection_is_heard_of,
    a_fact_that_waits_for_the_sealer_grows_older,
    a_failure_that_a_process_can_live_with_is_no_answer,
    a_saved_answer_is_no_second_call,
    a_lease_that_was_lost_before_its_call_is_no_call,
    our_own_mistake_is_told_as_one_and_as_parked,
);
