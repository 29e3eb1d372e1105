//! What people and parties hold back: pauses of a queue, a workflow and a party, also for the commits that lease work themselves.

use super::switchboard::{Line, Plan, Switchboard, Tone, World, order};
use super::toy::{Seat, run, terms};
use engine::{Circuit, Origin, Target};
use harness::{TestDatabase, on_both};
use sea_orm::ConnectionTrait;

on_both!(
    a_paused_queue_holds_its_work_in_every_process_until_it_is_resumed,
    a_paused_workflow_holds_its_work_and_nobody_elses,
    a_pause_holds_for_work_that_a_commit_would_lease,
    a_second_pause_changes_nothing_and_both_are_told,
    a_party_for_which_we_are_misconfigured_pauses_itself_and_only_itself,
    mended_work_is_retried_one_call_first,
    a_moved_clock_does_not_wait_for_what_is_paused,
);

fn queue(name: &str) -> Target {
    Target::Queue(name.to_owned())
}

fn telephone() -> Target {
    Target::Party("telephone company".to_owned())
}

async fn two(db: &TestDatabase) -> (Switchboard, Switchboard) {
    let world = World::default();
    let first = Plan::default().open(db, &world).await;
    (first, Plan { process: 2, ..Plan::default() }.open(db, &world).await)
}

async fn a_paused_queue_holds_its_work_in_every_process_until_it_is_resumed(db: TestDatabase) {
    let (first, second) = two(&db).await;
    let idle = Plan::idle().open(&db, &first.world).await;
    idle.order(0..5, &order(Line::Phone)).await;
    idle.order(5..7, &order(Line::Post)).await;
    assert!(first.engine.pause(&queue("phone"), "the line is noisy", "usr_op").await.unwrap());
    assert_eq!(second.engine.claim().await.unwrap(), 2, "only the other queue's");
    assert_eq!(first.engine.claim().await.unwrap(), 0);
    assert!(second.engine.resume(&queue("phone"), "usr_op").await.unwrap());
    assert_eq!(first.engine.claim().await.unwrap(), 5);
}

async fn a_paused_workflow_holds_its_work_and_nobody_elses(db: TestDatabase) {
    let sql = "create table toy_seat (seat bigint primary key, run uuid not null)";
    db.connection.execute_unprepared(sql).await.unwrap();
    let (first, second) = two(&db).await;
    let idle = Plan::idle().open(&db, &first.world).await;
    idle.order(0..5, &order(Line::Phone)).await;
    idle.engine.start::<Seat>(run(9), "k9", &terms(9), Origin::default()).await.unwrap();
    let call = Target::Workflow("call".to_owned());
    first.engine.pause(&call, "it rings the wrong people", "usr_op").await.unwrap();
    assert_eq!(second.engine.claim().await.unwrap(), 1);
    assert_eq!(second.in_hands().await, [run(9)]);
    first.engine.resume(&call, "usr_op").await.unwrap();
    assert_eq!(second.engine.claim().await.unwrap(), 5);
}

async fn a_pause_holds_for_work_that_a_commit_would_lease(db: TestDatabase) {
    let (first, second) = two(&db).await;
    second.order(0..1, &order(Line::Phone)).await;
    assert_eq!(second.engine.hands().holding(), 1, "without a brake the commit leases");
    second.carry_out().await;
    for (n, target) in [queue("phone"), Target::Workflow("call".to_owned()), telephone()].into_iter().enumerate() {
        let number = |more: u128| [100 * (n as u128 + 1) + more];
        first.engine.pause(&target, "a test", "usr_op").await.unwrap();
        // The second process has not heard of it, and has no time to: its very next commit must not lease.
        second.order(number(0), &order(Line::Phone)).await;
        assert_eq!(second.engine.hands().holding(), 0, "{target} is paused");
        assert_eq!(second.engine.claim().await.unwrap(), 0, "{target} is paused");
        second.order(number(1), &order(Line::Phone)).await;
        assert_eq!(second.engine.hands().holding(), 0, "{target} is paused, and the process has read that");
        second.order(number(2), &order(Line::Post)).await;
        let others = usize::from(target != Target::Workflow("call".to_owned()));
        assert_eq!(second.engine.hands().holding(), others, "what is not paused is leased as ever");
        first.engine.resume(&target, "usr_op").await.unwrap();
        second.engine.settle().await.unwrap();
    }
    assert_eq!(second.answered().await, 10);
    second.order(1..2, &order(Line::Phone)).await;
    assert_eq!(second.engine.hands().holding(), 1, "with the last brake released commits lease again");
}

async fn a_second_pause_changes_nothing_and_both_are_told(db: TestDatabase) {
    let (first, second) = two(&db).await;
    assert!(first.engine.pause(&queue("phone"), "the line is noisy", "usr_a").await.unwrap());
    assert!(!second.engine.pause(&queue("phone"), "me too", "usr_b").await.unwrap());
    let brakes = second.engine.brakes().await.unwrap();
    let paused = brakes.iter().find(|b| b.target == queue("phone")).and_then(|b| b.paused.clone()).unwrap();
    assert_eq!((paused.by.as_str(), paused.why.as_str()), ("usr_a", "the line is noisy"));
    let targets: Vec<_> = brakes.iter().map(|b| b.target.to_string()).collect();
    assert_eq!(targets, ["queue phone", "party post office", "party telephone company"]);
    assert_eq!(brakes.iter().filter(|b| b.holds()).count(), 1);
    assert!(second.engine.resume(&queue("phone"), "usr_b").await.unwrap());
    assert!(!first.engine.resume(&queue("phone"), "usr_a").await.unwrap(), "there is nothing left to resume");
}

async fn a_party_for_which_we_are_misconfigured_pauses_itself_and_only_itself(db: TestDatabase) {
    let (first, second) = two(&db).await;
    first.world.phone_will(&[Tone::NoSuchNumber]);
    first.order(0..1, &order(Line::Phone)).await;
    first.carry_out().await;
    let brakes = second.engine.brakes().await.unwrap();
    let paused = brakes.iter().find(|b| b.target == telephone()).and_then(|b| b.paused.clone()).unwrap();
    assert_eq!(paused.by, "itself");
    assert!(paused.why.contains("no such number"), "{paused:?}");
    assert_eq!(first.engine.parked().await.unwrap()[0].error_class.as_deref(), Some("misconfigured"));
    second.order(1..3, &order(Line::Phone)).await;
    second.order(3..5, &order(Line::Post)).await;
    second.engine.settle().await.unwrap();
    first.engine.settle().await.unwrap();
    assert_eq!(first.answered().await, 2, "the other party is called, this one is not");
    assert_eq!(first.engine.parked().await.unwrap().len(), 1, "what waits is not parked: it needs nobody's hand");
}

async fn mended_work_is_retried_one_call_first(db: TestDatabase) {
    let (board, _) = two(&db).await;
    board.world.phone_will(&[Tone::NoSuchNumber, Tone::NoSuchNumber]);
    board.order(0..1, &order(Line::Phone)).await;
    board.carry_out().await;
    board.order(1..9, &order(Line::Phone)).await;
    // The person thinks that it is mended, but it is not: one more call finds that out, not all of them.
    let parked = board.engine.parked().await.unwrap()[0].work;
    assert!(board.engine.retry(parked, Origin::actor("usr_op")).await.unwrap());
    board.engine.settle().await.unwrap();
    assert_eq!(board.world.calls(), 1, "a retry alone lifts no pause");
    board.engine.resume(&telephone(), "usr_op").await.unwrap();
    board.engine.settle().await.unwrap();
    assert_eq!((board.world.calls(), board.engine.parked().await.unwrap().len()), (2, 1));
    // Now it is.
    let parked = board.engine.parked().await.unwrap()[0].work;
    board.engine.resume(&telephone(), "usr_op").await.unwrap();
    board.engine.retry(parked, Origin::actor("usr_op")).await.unwrap();
    board.engine.settle().await.unwrap();
    assert_eq!(board.answered().await, 9);
    let brakes = board.engine.brakes().await.unwrap();
    assert!(brakes.iter().all(|b| b.circuit == Circuit::Closed && !b.holds()), "{brakes:?}");
}

async fn a_moved_clock_does_not_wait_for_what_is_paused(db: TestDatabase) {
    let (board, _) = two(&db).await;
    board.engine.pause(&telephone(), "a test", "usr_op").await.unwrap();
    board.order(0..1, &order(Line::Phone)).await;
    assert!(!board.engine.busy().await.unwrap());
    board.order(1..2, &order(Line::Post)).await;
    assert!(board.engine.busy().await.unwrap());
    board.carry_out().await;
    board.engine.resume(&telephone(), "usr_op").await.unwrap();
    assert!(board.engine.busy().await.unwrap());
}
