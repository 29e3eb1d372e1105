//! Deaths of whoever holds a piece of work: counted as what they are, and nothing else is counted as one.

use super::fences::silence;
use super::toy::{Mood, Seat, State, Terms, Theatre, run};
use engine::{Lease, Origin, Settling};
use futures::future::join_all;
use harness::{TestDatabase, on_both, wait};
use sea_orm::{ConnectionTrait, Statement};
use std::pin::pin;
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
    hold(theatre).await;
    drop(theatre.engine.hands().next().await);
    bury(theatre, other).await;
}

/// The same, of work that it could name before.
async fn die_of_it(theatre: &Theatre, other: &Theatre) {
    hold(theatre).await;
    let lease = theatre.engine.hands().next().await.unwrap();
    theatre.engine.blame(&[lease.fence()]).await.unwrap();
    drop(lease);
    bury(theatre, other).await;
}

async fn hold(theatre: &Theatre) {
    if theatre.engine.hands().holding() == 0 {
        let sql = "update business_clock set offset_us = offset_us + 30000000";
        theatre.db.connection.execute_unprepared(sql).await.unwrap();
        theatre.engine.claim().await.unwrap();
    }
}

async fn bury(theatre: &Theatre, other: &Theatre) {
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
    assert_eq!(*theatre.heard.parked.lock().unwrap(), ["crashed"], "it is counted");
    assert_eq!(calls(&theatre), 0);
}

async fn work_that_is_known_to_kill_its_process_is_parked_after_three(db: TestDatabase) {
    let theatre = Theatre::open(db.clone()).await;
    let other = Theatre::beside(&db, theatre.office.clone(), 2).await;
    start(&theatre).await;
    for _ in 0..3 {
        assert!(parked(&theatre).await.is_empty());
        die_of_it(&theatre, &other).await;
    }
    two_minutes(&theatre).await;
    assert_eq!(parked(&theatre).await, ["crashed"]);
    // Whoever has lost its lease has nothing to say about it.
    retry(&theatre).await;
    hold(&theatre).await;
    let lost = theatre.engine.hands().next().await.unwrap().fence();
    bury(&theatre, &other).await;
    for _ in 0..3 {
        theatre.engine.blame(&[lost]).await.unwrap();
    }
    two_minutes(&theatre).await;
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
}

/// Holds work that has seen so many of its holders die, one piece for each seat.
async fn suspects(theatre: &Theatre, seats: u32, deaths: u32) -> Vec<Lease> {
    for seat in 1..=seats {
        let terms = Terms { seat: seat.into(), hold: 1_000_000 };
        theatre.engine.start::<Seat>(run(seat.into()), &format!("k{seat}"), &terms, Origin::default()).await.unwrap();
        drop(theatre.engine.hands().next().await);
    }
    theatre.engine.let_go().await.unwrap();
    let sql = format!("update workflow_work set deaths = {deaths} where kind = 0");
    theatre.db.connection.execute_unprepared(&sql).await.unwrap();
    theatre.engine.beat().await.unwrap();
    theatre.engine.claim().await.unwrap();
    let mut leases = vec![];
    for _ in 1..=seats {
        leases.push(theatre.engine.hands().next().await.unwrap());
    }
    leases
}

/// The deaths that are held against each effect, the fewest first.
async fn deaths(theatre: &Theatre) -> Vec<i32> {
    let sql = "select deaths from workflow_work where kind = 0 order by deaths";
    let statement = Statement::from_string(theatre.db.connection.get_database_backend(), sql);
    let rows = theatre.db.connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn called(theatre: &Theatre) {
    wait::until(Duration::from_secs(20), "the party is called", async || (calls(theatre) > 0).then_some(()))
        .await
        .unwrap();
}

/// Four suspects, while the call of one of them waits for its answer: how many of the other three were tried beside it.
async fn tried_beside_one(db: TestDatabase, seen: u32) -> usize {
    let theatre = Theatre::open(db).await;
    let mut leases = suspects(&theatre, 4, seen).await;
    theatre.office.will(&[Mood::Waits, Mood::Fine, Mood::Fine, Mood::Fine]);
    let mut first = pin!(theatre.engine.execute(leases.remove(0)));
    let mut beside = 0;
    let meanwhile = async {
        called(&theatre).await;
        join_all(leases.into_iter().map(|lease| theatre.engine.execute(lease))).await;
        beside = calls(&theatre) - 1;
        // The others are given back, and nothing is held against them.
        assert_eq!(deaths(&theatre).await, vec![seen.cast_signed(); 4 - beside]);
        assert_eq!(theatre.engine.hands().holding(), 1);
    };
    tokio::select! {
        () = &mut first => panic!("the first waits for its answer"),
        () = meanwhile => theatre.office.answer.notify_one(),
    }
    first.await;
    two_minutes(&theatre).await;
    assert_eq!(calls(&theatre), 4);
    for seat in 1..=4 {
        assert_eq!(theatre.state(run(seat)).await, State::Paid { receipt: format!("r{seat}") });
    }
    beside
}

async fn many_suspects_are_tried_at_once_that_have_seen_few_deaths(db: TestDatabase) {
    assert_eq!(tried_beside_one(db, 3).await, 3);
}

async fn suspects_that_have_seen_more_deaths_are_tried_by_twos(db: TestDatabase) {
    assert_eq!(tried_beside_one(db, 7).await, 1);
}

async fn suspects_that_have_seen_many_deaths_are_tried_one_at_a_time(db: TestDatabase) {
    assert_eq!(tried_beside_one(db, 8).await, 0);
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
    work_that_is_known_to_kill_its_process_is_parked_after_three,
    many_suspects_are_tried_at_once_that_have_seen_few_deaths,
    suspects_that_have_seen_more_deaths_are_tried_by_twos,
    suspects_that_have_seen_many_deaths_are_tried_one_at_a_time,
    what_was_parked_for_its_deaths_is_tried_when_an_operator_says_so,
    a_retry_never_wears_out,
    a_rolling_deploy_is_nobodys_death,
);
