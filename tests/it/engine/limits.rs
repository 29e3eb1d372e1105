//! How much is called at once and how fast: lanes, rates, circuits and priorities, across processes.

use super::switchboard::{Line, Order, Plan, Switchboard, Tone, Urgency, World, order};
use super::toy::run;
use engine::{Circuit, Limits, Patience, Rate, Target};
use harness::{Backend, TestDatabase, both, on_both};
use sea_orm::ConnectionTrait;
use std::time::Duration;

on_both!(
    a_queue_is_never_wider_than_its_room,
    a_queues_width_holds_for_all_processes_together,
    a_width_that_is_lifted_or_narrowed_holds_from_then_on,
    the_place_of_a_dead_process_in_a_width_comes_back,
    a_lane_is_never_wider_than_it_says,
    a_full_lane_is_in_nobodys_way,
    a_lease_of_a_dead_process_gives_its_place_in_the_lane_back,
    the_place_of_a_silent_process_in_a_lane_comes_back_once,
    a_rate_that_is_forgotten_is_a_burst_and_no_more,
    a_rate_holds_for_all_processes_together,
    a_party_that_fails_again_and_again_is_left_alone_and_then_tried_once,
    failures_with_answers_between_them_open_nothing,
    the_urgent_go_first,
    nobody_starves,
    a_commit_does_not_let_its_work_overtake_the_urgent,
);

fn in_lane(line: Line, lane: &str, most: i32) -> Order {
    Order { lane: Some((lane.to_owned(), most)), ..order(line) }
}

async fn a_queue_is_never_wider_than_its_room(db: TestDatabase) {
    let world = World::default();
    let board = Plan { room: 3, ..Plan::default() }.open(&db, &world).await;
    // The commits that queue the calls lease as many as there is room for, and claims no more than is free.
    board.order(0..10, &order(Line::Phone)).await;
    let mut full = 0;
    while board.answered().await < 10 {
        board.engine.claim().await.unwrap();
        let leased: i64 = board.leased("queue").await.iter().map(|(_, leased)| leased).sum();
        assert!(leased <= 3, "{leased} calls at once");
        full += i64::from(leased == 3);
        board.carry_out().await;
    }
    assert!(full >= 3, "the room was used in full");
}

/// Leases of calls by phone, in all hands together.
async fn by_phone(board: &Switchboard) -> i64 {
    board.leased("queue").await.into_iter().find(|(queue, _)| queue == "phone").map_or(0, |(_, leased)| leased)
}

async fn a_queues_width_holds_for_all_processes_together(db: TestDatabase) {
    let world = World::default();
    let first = Plan::default().open(&db, &world).await;
    let second = Plan { process: 2, ..Plan::default() }.open(&db, &world).await;
    // The second process last read the brakes before there was a limit.
    second.engine.claim().await.unwrap();
    assert!(first.engine.limit("phone", Some(3), "usr_op").await.unwrap());
    assert!(!first.engine.limit("phone", Some(3), "usr_op").await.unwrap(), "it was so before");
    first.order(0..10, &order(Line::Phone)).await;
    second.order(10..20, &order(Line::Phone)).await;
    second.order(20..25, &in_lane(Line::Phone, "a", 4)).await;
    second.order(25..30, &order(Line::Post)).await;
    let mut full = 0;
    while first.answered().await < 30 {
        let (a, b) = futures::join!(first.engine.claim_due(), second.engine.claim_due());
        let (a, b) = (a.unwrap(), b.unwrap());
        assert!(a.counted.contains("phone") && b.counted.contains("phone") && !a.counted.contains("post"));
        let leased = by_phone(&first).await;
        assert!(leased <= 3, "{leased} calls at once");
        full += i64::from(leased == 3);
        first.carry_out().await;
        second.carry_out().await;
    }
    assert!(full >= 7, "the width was used in full: {full}");
    assert_eq!(world.calls(), 30);
}

async fn a_width_that_is_lifted_or_narrowed_holds_from_then_on(db: TestDatabase) {
    let board = Plan::default().open(&db, &World::default()).await;
    let idle = Plan::idle().open(&db, &board.world).await;
    idle.order(0..20, &order(Line::Phone)).await;
    board.engine.limit("phone", Some(5), "usr_op").await.unwrap();
    assert_eq!(board.engine.claim().await.unwrap(), 5);
    board.engine.limit("phone", Some(2), "usr_op").await.unwrap();
    assert_eq!(board.engine.claim().await.unwrap(), 0, "what is in hands is finished, and counts");
    board.carry_out().await;
    assert_eq!(board.engine.claim().await.unwrap(), 2);
    let brakes = board.engine.brakes().await.unwrap();
    let phone = brakes.iter().find(|brake| brake.target == Target::Queue("phone".to_owned())).unwrap();
    assert!(phone.most == Some(2) && !phone.holds(), "a limit is no pause: {phone:?}");
    board.engine.limit("phone", None, "usr_op").await.unwrap();
    assert_eq!(board.engine.claim().await.unwrap(), 13);
}

async fn the_place_of_a_dead_process_in_a_width_comes_back(db: TestDatabase) {
    let dead = Plan::default().open(&db, &World::default()).await;
    let board = Plan { process: 2, ..Plan::default() }.open(&db, &dead.world).await;
    dead.engine.limit("phone", Some(2), "usr_op").await.unwrap();
    dead.order(0..4, &order(Line::Phone)).await;
    assert_eq!((dead.engine.claim().await.unwrap(), board.engine.claim().await.unwrap()), (2, 0));
    board.sql("update workflow_process set beat_at = beat_at - 11000000").await;
    board.engine.beat().await.unwrap();
    assert_eq!(board.engine.rescue().await.unwrap(), 2);
    assert_eq!(board.engine.claim().await.unwrap(), 2);
}

async fn a_lane_is_never_wider_than_it_says(db: TestDatabase) {
    let world = World::default();
    let first = Plan::default().open(&db, &world).await;
    let second = Plan { process: 2, ..Plan::default() }.open(&db, &world).await;
    first.order(0..20, &in_lane(Line::Phone, "a", 2)).await;
    second.order(20..40, &in_lane(Line::Phone, "b", 3)).await;
    first.order(40..44, &order(Line::Phone)).await;
    let mut widest = 0;
    while first.answered().await < 44 {
        let (a, b) = futures::join!(first.engine.claim(), second.engine.claim());
        a.unwrap();
        b.unwrap();
        for (lane, leased) in first.leased("lane").await {
            let most = if lane == "a" { 2 } else { 3 };
            assert!(leased <= most, "{leased} leases in lane {lane}");
            widest += i64::from(leased == most);
        }
        first.carry_out().await;
        second.carry_out().await;
    }
    assert!(widest > 10, "the lanes were used in full");
    assert_eq!(world.calls(), 44);
}

async fn a_full_lane_is_in_nobodys_way(db: TestDatabase) {
    let world = World::default();
    let board = Plan { room: 8, ..Plan::default() }.open(&db, &world).await;
    board.order(0..60, &in_lane(Line::Phone, "a", 1)).await;
    board.order(60..62, &in_lane(Line::Phone, "b", 5)).await;
    board.order(62..63, &in_lane(Line::Post, "a", 1)).await;
    board.engine.claim().await.unwrap();
    let leased = board.leased("lane").await;
    assert_eq!(leased, [("a".to_owned(), 2), ("b".to_owned(), 2)], "a lane belongs to its queue");
    board.order(63..66, &order(Line::Phone)).await;
    board.engine.claim().await.unwrap();
    assert_eq!(board.leased("queue").await, [("phone".to_owned(), 6), ("post".to_owned(), 1)]);
}

/// On PostgreSQL alone: SQLite lets nobody write beside somebody else's transaction.
#[test]
fn a_claim_of_lanes_waits_for_nobody() {
    both::run(Backend::Postgres, async |db: TestDatabase| {
        let world = World::default();
        let board = Plan { room: 6, ..Plan::default() }.open(&db, &world).await;
        board.order(0..2, &in_lane(Line::Phone, "a", 2)).await;
        board.order(2..4, &in_lane(Line::Phone, "b", 1)).await;
        board.order(4..5, &in_lane(Line::Phone, "c", 1)).await;
        board.order(5..6, &in_lane(Line::Phone, "d", 1)).await;
        // Somebody who is cut off in the middle of a transaction has the oldest of two lanes.
        let cut_off = harness::begin(&db.connection).await.unwrap();
        let runs = format!("'{}', '{}'", run(0).uuid(), run(2).uuid());
        let sql = format!("select 1 from workflow_work where run in ({runs}) for update");
        cut_off.execute_unprepared(&sql).await.unwrap();
        let claimed = tokio::time::timeout(Duration::from_secs(5), board.engine.claim()).await;
        assert_eq!(claimed.expect("the claim waits for nobody").unwrap(), 3, "half of the room");
        let leased = ["a", "c", "d"].map(|lane| (lane.to_owned(), 1));
        assert_eq!(
            board.leased("lane").await,
            leased,
            "what is locked takes its place in the lane, and none in the room"
        );
        cut_off.rollback().await.unwrap();
        assert_eq!(board.engine.claim().await.unwrap(), 2);
    });
}

async fn a_lease_of_a_dead_process_gives_its_place_in_the_lane_back(db: TestDatabase) {
    let world = World::default();
    let dead = Plan::default().open(&db, &world).await;
    let board = Plan { process: 2, ..Plan::default() }.open(&db, &world).await;
    board.order(0..2, &in_lane(Line::Phone, "a", 1)).await;
    assert_eq!(dead.engine.claim().await.unwrap(), 1);
    assert_eq!(board.engine.claim().await.unwrap(), 0);
    dead.engine.let_go().await.unwrap();
    assert_eq!(board.engine.claim().await.unwrap(), 1, "one, not both");
}

async fn the_place_of_a_silent_process_in_a_lane_comes_back_once(db: TestDatabase) {
    let world = World::default();
    let silent = Plan::default().open(&db, &world).await;
    let board = Plan { process: 2, ..Plan::default() }.open(&db, &world).await;
    board.order(0..2, &in_lane(Line::Phone, "a", 2)).await;
    assert_eq!(silent.engine.claim().await.unwrap(), 2, "the lane is full");
    assert_eq!(board.engine.claim().await.unwrap(), 0);
    board.sql("update workflow_process set beat_at = beat_at - 11000000").await;
    board.engine.beat().await.unwrap();
    assert_eq!(board.engine.rescue().await.unwrap(), 2);
    assert_eq!(board.engine.claim().await.unwrap(), 2);
    board.order(2..6, &in_lane(Line::Phone, "a", 2)).await;
    let full = [("a".to_owned(), 2)];
    // The other wakes up: its places are gone, and what it was about to finish gives none back either.
    silent.engine.beat().await.unwrap();
    silent.carry_out().await;
    assert_eq!((board.answered().await, board.leased("lane").await.as_slice()), (0, full.as_slice()));
    assert_eq!(board.engine.rescue().await.unwrap(), 0);
    assert_eq!(silent.engine.claim().await.unwrap(), 0);
    board.carry_out().await;
    assert_eq!(silent.engine.claim().await.unwrap(), 2, "two again, not four");
    silent.carry_out().await;
    assert_eq!(board.answered().await, 4);
}

/// What a rate counts with is a row of the database: no Redis to empty, and no process whose end forgets it. If the row itself is lost,
/// its party is called one burst too often, and at its rate from then on.
async fn a_rate_that_is_forgotten_is_a_burst_and_no_more(db: TestDatabase) {
    let world = World::default();
    let phone = Limits { rate: Some(Rate { per_second: 0.001, burst: 3 }), ..Limits::default() };
    let first = Plan { phone, ..Plan::default() }.open(&db, &world).await;
    first.order(0..12, &order(Line::Phone)).await;
    assert_eq!(first.engine.claim().await.unwrap(), 3);
    first.engine.let_go().await.unwrap();
    let second = Plan { phone, process: 2, ..Plan::default() }.open(&db, &world).await;
    assert_eq!(second.engine.claim().await.unwrap(), 0, "a process that starts finds the bucket as it was left");
    second.sql("delete from workflow_brake").await;
    assert_eq!(second.engine.claim().await.unwrap(), 3);
    assert_eq!(second.engine.claim().await.unwrap(), 0);
}

async fn a_rate_holds_for_all_processes_together(db: TestDatabase) {
    let world = World::default();
    // Slow enough that a test's own time adds nothing to it.
    let phone = Limits { rate: Some(Rate { per_second: 0.001, burst: 3 }), ..Limits::default() };
    let first = Plan { phone, ..Plan::default() }.open(&db, &world).await;
    let second = Plan { phone, process: 2, ..Plan::default() }.open(&db, &world).await;
    first.order(0..12, &order(Line::Phone)).await;
    assert_eq!(first.engine.hands().holding(), 0, "no commit leases around the rate");
    let (a, b) = futures::join!(first.engine.claim(), second.engine.claim());
    assert_eq!(a.unwrap() + b.unwrap(), 3, "the burst");
    assert_eq!(first.engine.claim().await.unwrap() + second.engine.claim().await.unwrap(), 0);
    first.sql("update workflow_brake set filled_at = filled_at - 2000000000").await;
    let (a, b) = futures::join!(first.engine.claim(), second.engine.claim());
    assert_eq!(a.unwrap() + b.unwrap(), 2, "two thousand seconds at a thousandth");
    first.sql("update workflow_brake set filled_at = filled_at - 900000000000").await;
    assert_eq!(second.engine.claim().await.unwrap(), 3, "no more than a burst, however long it was quiet");
    second.order(12..14, &order(Line::Post)).await;
    assert_eq!(second.engine.hands().holding() + first.engine.hands().holding(), 10, "others are not slowed down");
}

fn impatient() -> Limits {
    let patience = Patience { failures: 3, rest: Duration::from_secs(3600), ..Patience::default() };
    Limits { patience: Patience { longest: patience.rest * 4, ..patience }, ..Limits::default() }
}

async fn circuit(board: &Switchboard) -> Circuit {
    let brakes = board.engine.brakes().await.unwrap();
    brakes.iter().find(|b| b.target.to_string() == "party telephone company").unwrap().circuit
}

/// Lets the circuit's rest be over.
async fn rest(board: &Switchboard) {
    board.sql("update workflow_brake set open_until = open_until - 86400000000").await;
}

async fn a_party_that_fails_again_and_again_is_left_alone_and_then_tried_once(db: TestDatabase) {
    let world = World::default();
    let first = Plan { phone: impatient(), ..Plan::default() }.open(&db, &world).await;
    let second = Plan { phone: impatient(), process: 2, ..Plan::default() }.open(&db, &world).await;
    world.phone_will(&[Tone::Engaged, Tone::Breaks, Tone::Engaged, Tone::Engaged, Tone::Engaged, Tone::Engaged]);
    first.order(0..2, &order(Line::Phone)).await;
    first.carry_out().await;
    assert_eq!(circuit(&first).await, Circuit::Closed);
    second.order(2..3, &order(Line::Phone)).await;
    second.engine.settle().await.unwrap();
    assert!(matches!(circuit(&first).await, Circuit::Open { .. }), "failures in two processes are failures in a row");
    first.order(3..9, &order(Line::Phone)).await;
    first.order(9..10, &order(Line::Post)).await;
    first.engine.settle().await.unwrap();
    second.engine.settle().await.unwrap();
    assert_eq!(first.answered().await, 1, "the other party's");
    assert!(first.engine.parked().await.unwrap().is_empty(), "an outage costs nobody an attempt");

    rest(&first).await;
    assert_eq!(circuit(&first).await, Circuit::HalfOpen);
    let (a, b) = futures::join!(first.engine.claim(), second.engine.claim());
    assert_eq!(a.unwrap() + b.unwrap(), 1, "one call finds out");
    first.carry_out().await;
    second.carry_out().await;
    assert!(matches!(circuit(&first).await, Circuit::Open { .. }), "it failed");
    assert_eq!(first.engine.claim().await.unwrap(), 0);

    rest(&first).await;
    second.engine.settle().await.unwrap();
    first.engine.settle().await.unwrap();
    assert_eq!(circuit(&first).await, Circuit::Closed);
    assert_eq!(first.answered().await, 10);
    first.order(10..11, &order(Line::Phone)).await;
    assert_eq!(first.engine.hands().holding(), 1, "and commits lease again");
}

async fn failures_with_answers_between_them_open_nothing(db: TestDatabase) {
    let world = World::default();
    let board = Plan { phone: impatient(), ..Plan::default() }.open(&db, &world).await;
    for _ in 0..5 {
        // A no is an answer.
        world.phone_will(&[Tone::Engaged, Tone::Breaks, Tone::Declines]);
    }
    board.order(0..15, &order(Line::Phone)).await;
    board.engine.settle().await.unwrap();
    assert_eq!((board.answered().await, circuit(&board).await), (15, Circuit::Closed));
}

async fn queue_up(db: &TestDatabase, world: &World, each: u128) {
    let idle = Plan::idle().open(db, world).await;
    for (at, urgency) in [(0, Urgency::Low), (100, Urgency::Normal), (200, Urgency::High)] {
        idle.order(at..at + each, &Order { urgency, ..order(Line::Phone) }).await;
    }
}

/// How many of these runs are of low, normal and high urgency.
fn by_urgency(runs: &[engine::RunId]) -> [usize; 3] {
    [0, 100, 200].map(|at| (at..at + 100).filter(|n| runs.contains(&run(*n))).count())
}

async fn the_urgent_go_first(db: TestDatabase) {
    let world = World::default();
    queue_up(&db, &world, 6).await;
    let board = Plan { room: 8, ..Plan::default() }.open(&db, &world).await;
    assert_eq!(board.engine.claim().await.unwrap(), 8);
    assert_eq!(by_urgency(&board.in_hands().await), [0, 2, 6]);
    assert_eq!(board.engine.claim().await.unwrap(), 8);
    assert_eq!(by_urgency(&board.in_hands().await), [4, 4, 0]);
}

async fn nobody_starves(db: TestDatabase) {
    let world = World::default();
    queue_up(&db, &world, 40).await;
    let board = Plan { room: 1, ..Plan::default() }.open(&db, &world).await;
    let mut claimed = [0; 3];
    for _ in 0..32 {
        let claim = board.engine.claim_due().await.unwrap();
        assert!(claim.more.contains("phone"), "there is more, and the next claim comes at once");
        let one = by_urgency(&board.in_hands().await);
        claimed = [0, 1, 2].map(|n| claimed[n] + one[n]);
    }
    assert_eq!(claimed, [2, 2, 28], "of thirty-two places two each for the lower two");
}

async fn a_commit_does_not_let_its_work_overtake_the_urgent(db: TestDatabase) {
    let world = World::default();
    let board = Plan { room: 2, ..Plan::default() }.open(&db, &world).await;
    let idle = Plan::idle().open(&db, &world).await;
    idle.order(200..203, &Order { urgency: Urgency::High, ..order(Line::Phone) }).await;
    assert_eq!(board.engine.claim().await.unwrap(), 2);
    board.carry_out().await;
    // One that is urgent is still waiting: what is not leaves it the room.
    board.order(100..101, &order(Line::Phone)).await;
    assert_eq!(board.engine.hands().holding(), 0);
    board.order(203..204, &Order { urgency: Urgency::High, ..order(Line::Phone) }).await;
    assert_eq!(board.engine.hands().holding(), 1, "what is just as urgent overtakes nobody of a higher kind");
    board.carry_out().await;
    assert_eq!(board.engine.claim().await.unwrap(), 2);
    board.carry_out().await;
    assert_eq!(board.engine.claim().await.unwrap(), 0);
    board.order(104..105, &order(Line::Phone)).await;
    assert_eq!(board.engine.hands().holding(), 1);
}
