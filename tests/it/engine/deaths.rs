//! Deaths of whoever holds a piece of work: counted as what they are, and nothing else is counted as one.

use super::fences::silence;
use super::toy::{Mood, Seat, State, Terms, Theatre, run};
use engine::{Origin, Settling};
use harness::{TestDatabase, on_both};
use std::time::Duration;

/// After so many deaths work is parked (`engine`, the crash loop).
const DEATHS: usize = 20;

/// A seat whose hold outlasts every test.
async fn start(theatre: &Theatre) {
    let terms = Terms { seat: 1, hold: 1_000_000 };
    theatre.engine.start::<Seat>(run(1), "k1", &terms, Origin::default()).await.unwrap();
}

/// Goes on for two minutes: what failed at the very end of the first has its next try in the second.
async fn two_minutes(theatre: &Theatre) {
    for _ in 0..2 {
        let later = theatre.engine.now().await.unwrap() + Duration::from_secs(60);
        theatre.engine.advance_to(later, Settling::Inline).await.unwrap();
    }
}

/// The process holds the work that is due, and dies; another one notices.
async fn die(theatre: &Theatre, other: &Theatre) {
    if theatre.engine.hands().holding() == 0 {
        let sql = "update business_clock set offset_us = offset_us + 30000000";
        sea_orm::ConnectionTrait::execute_unprepared(&theatre.db.connection, sql).await.unwrap();
        theatre.engine.claim().await.unwrap();
    }
    drop(theatre.engine.hands().next().await);
    silence(theatre, 1).await;
    assert_eq!(other.engine.rescue().await.unwrap(), 1);
    theatre.engine.beat().await.unwrap();
}

/// What is parked, by its class.
async fn parked(theatre: &Theatre) -> Vec<String> {
    let parked = theatre.engine.parked().await.unwrap();
    parked.into_iter().map(|work| work.error_class.unwrap_or_default()).collect()
}

async fn retry(theatre: &Theatre) {
    let work = theatre.engine.parked().await.unwrap()[0].work;
    assert!(theatre.engine.retry(work, Origin::actor("usr_op")).await.unwrap());
}

fn calls(theatre: &Theatre) -> usize {
    theatre.office.calls.lock().unwrap().len()
}

async fn work_that_kills_its_process_every_time_is_parked(db: TestDatabase) {
    let theatre = Theatre::open(db.clone()).await;
    let other = Theatre::beside(&db, theatre.office.clone(), 2).await;
    start(&theatre).await;
    for _ in 0..DEATHS {
        assert!(parked(&theatre).await.is_empty());
        die(&theatre, &other).await;
    }
    two_minutes(&theatre).await;
    assert_eq!(parked(&theatre).await, ["crashed"]);
    assert_eq!(calls(&theatre), 0);
}

async fn what_was_parked_for_its_deaths_is_tried_when_an_operator_says_so(db: TestDatabase) {
    let theatre = Theatre::open(db.clone()).await;
    let other = Theatre::beside(&db, theatre.office.clone(), 2).await;
    start(&theatre).await;
    for _ in 0..DEATHS {
        die(&theatre, &other).await;
    }
    two_minutes(&theatre).await;
    assert_eq!(parked(&theatre).await, ["crashed"]);
    retry(&theatre).await;
    // The count begins anew: one death less than too many is not yet too many.
    for _ in 1..DEATHS {
        die(&theatre, &other).await;
    }
    two_minutes(&theatre).await;
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
    assert_eq!(calls(&theatre), 1);
}

async fn a_retry_never_wears_out(db: TestDatabase) {
    const ROUNDS: usize = 8;
    let theatre = Theatre::open(db).await;
    // Nobody knows what became of a try, and each is repeated until the policy's three are spent.
    *theatre.office.lost_its_books.lock().unwrap() = true;
    theatre.office.will(&vec![Mood::LostReply; 3 * ROUNDS]);
    start(&theatre).await;
    for round in 1..=ROUNDS {
        two_minutes(&theatre).await;
        assert_eq!((calls(&theatre), parked(&theatre).await), (3 * round, vec!["unknown".to_owned()]));
        retry(&theatre).await;
    }
    two_minutes(&theatre).await;
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
}

async fn a_rolling_deploy_is_nobodys_death(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    start(&theatre).await;
    for _ in 0..=DEATHS {
        drop(theatre.engine.hands().next().await);
        assert_eq!(theatre.engine.let_go().await.unwrap(), 1);
        theatre.engine.beat().await.unwrap();
        assert_eq!(theatre.engine.claim().await.unwrap(), 1);
    }
    drop(theatre.engine.hands().next().await);
    theatre.engine.let_go().await.unwrap();
    two_minutes(&theatre).await;
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
}

on_both!(
    work_that_kills_its_process_every_time_is_parked,
    what_was_parked_for_its_deaths_is_tried_when_an_operator_says_so,
    a_retry_never_wears_out,
    a_rolling_deploy_is_nobodys_death,
);
