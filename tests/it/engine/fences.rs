//! One worker at a time: claims, fences, rescue, and leases that were lost on the way.

use super::toy::{Seat, State, Theatre, run, terms};
use engine::{Ended, Origin, TurnError};
use harness::{Backend, TestDatabase, both, on_both};
use sea_orm::{ConnectionTrait, Statement};
use std::collections::HashSet;
use std::time::Duration;

async fn start(theatre: &Theatre, n: u128) {
    let seat = i64::try_from(n).unwrap();
    theatre.engine.start::<Seat>(run(n), &format!("k{n}"), &terms(seat), Origin::default()).await.unwrap();
}

/// Makes every other process look dead for longer than the limit.
pub(super) async fn silence(theatre: &Theatre, process: u128) {
    let hex = uuid::Uuid::from_u128(process).simple().to_string();
    let id = match theatre.db.backend {
        harness::Backend::Postgres => format!("'{hex}'::uuid"),
        harness::Backend::Sqlite => format!("x'{hex}'"),
    };
    let sql = format!("update workflow_process set beat_at = beat_at - 11000000 where id = {id}");
    theatre.db.connection.execute_unprepared(&sql).await.unwrap();
}

async fn a_dead_processs_work_is_rescued_and_its_late_answer_refused(db: TestDatabase) {
    let first = Theatre::open(db.clone()).await;
    start(&first, 1).await;
    let lease = first.engine.hands().next().await.expect("the turn leased its effect to this process");
    let second = Theatre::beside(&db, first.office.clone(), 2).await;
    assert_eq!(second.engine.claim().await.unwrap(), 0, "a lease with a fresh heartbeat is left alone");
    assert_eq!(second.engine.rescue().await.unwrap(), 0);
    silence(&first, 1).await;
    assert_eq!(second.engine.rescue().await.unwrap(), 1);
    assert_eq!(second.engine.claim().await.unwrap(), 1);
    let taken_over = second.engine.hands().next().await.expect("the second process holds the work now");
    // The first process wakes up and finishes what it had, while the second has not: only the fence can tell the two apart.
    first.engine.execute(lease).await;
    assert_eq!(*first.heard.ends.lock().unwrap(), [Ended::Refused]);
    assert_eq!(second.state(run(1)).await, State::Held);
    assert_eq!(second.keys(run(1)).await, ["start"]);
    let work = second.engine.work_of(run(1)).await.unwrap();
    assert_eq!((work[0].kind, work[0].standing, work[0].attempt), ("effect", "leased", 2));
    second.engine.execute(taken_over).await;
    assert_eq!(*second.heard.ends.lock().unwrap(), [Ended::Done]);
    assert_eq!(second.state(run(1)).await, State::Paid { receipt: "r1".into() });
    // The world sees one key, the run one outcome.
    assert_eq!(second.keys(run(1)).await, ["start", "fx:0:0"]);
    assert_eq!(first.office.sold.lock().unwrap().len(), 1);
}

/// On PostgreSQL alone: SQLite lets nobody write beside somebody else's transaction.
#[test]
fn what_the_dead_have_locked_does_not_keep_the_rest_of_their_work() {
    both::run(Backend::Postgres, async |db: TestDatabase| {
        let first = Theatre::open(db.clone()).await;
        for n in 1..=2 {
            start(&first, n).await;
        }
        let mut leases = vec![];
        while leases.len() < 2 {
            leases.push(first.engine.hands().next().await);
        }
        let second = Theatre::beside(&db, first.office.clone(), 2).await;
        silence(&first, 1).await;
        // Cut off in the middle of a transaction, the first process has one of the two rows locked for a while yet.
        let cut_off = harness::begin(&db.connection).await.unwrap();
        let sql = format!("select 1 from workflow_work where run = '{}' for update", run(1).uuid());
        cut_off.execute_unprepared(&sql).await.unwrap();
        let rescued = tokio::time::timeout(Duration::from_secs(5), second.engine.rescue()).await;
        assert_eq!(rescued.expect("the rescue waits for nobody").unwrap(), 1);
        cut_off.rollback().await.unwrap();
        assert_eq!(second.engine.rescue().await.unwrap(), 1);
    });
}

async fn what_died_together_more_than_once_comes_back_apart(db: TestDatabase) {
    const MANY: u64 = 20;
    let first = Theatre::open(db.clone()).await;
    let mut leases = vec![];
    for n in 1..=MANY {
        start(&first, n.into()).await;
        leases.push(first.engine.hands().next().await);
    }
    let second = Theatre::beside(&db, first.office.clone(), 2).await;
    db.connection.execute_unprepared("update workflow_work set deaths = 5 where kind = 0").await.unwrap();
    silence(&first, 1).await;
    let now = second.engine.now().await.unwrap().timestamp_micros();
    assert_eq!(second.engine.rescue().await.unwrap(), MANY);
    let sql = "select min(not_before), max(not_before) from workflow_work where kind = 0";
    let sql = Statement::from_string(db.connection.get_database_backend(), sql);
    let row = db.connection.query_one_raw(sql).await.unwrap().unwrap();
    let [first, last] = [0, 1].map(|n| row.try_get_by_index::<i64>(n).unwrap());
    assert!(last - first > 1_000_000, "all of it is due again within {} microseconds", last - first);
    assert!(last - now < 8_000_000, "after five deaths nobody waits for much longer than five seconds");
}

async fn two_processes_share_the_work_and_each_piece_is_done_once(db: TestDatabase) {
    let first = Theatre::open(db.clone()).await;
    let second = Theatre::beside(&db, first.office.clone(), 2).await;
    let idle = Theatre::beside(&db, first.office.clone(), 3).await;
    for n in 0..60 {
        start(&idle, n).await;
    }
    idle.engine.let_go().await.unwrap();
    let (a, b) = futures::join!(first.engine.settle(), second.engine.settle());
    a.unwrap();
    b.unwrap();
    assert_eq!(first.count("select count(*) from workflow_run where state_name = 'Paid'").await, 60);
    assert_eq!(first.office.calls.lock().unwrap().len(), 60);
}

async fn two_processes_that_start_the_same_run_agree_on_one(db: TestDatabase) {
    let first = Theatre::open(db.clone()).await;
    let second = Theatre::beside(&db, first.office.clone(), 2).await;
    for n in 0..40 {
        let begin = |theatre: &Theatre| {
            let engine = theatre.engine.clone();
            async move {
                engine
                    .start::<Seat>(run(n), &format!("k{n}"), &terms(i64::try_from(n).unwrap()), Origin::default())
                    .await
            }
        };
        let (a, b) = futures::join!(begin(&first), begin(&second));
        let (won, lost) = if a.is_ok() { (a, b) } else { (b, a) };
        assert!(won.is_ok());
        assert!(matches!(lost, Err(TurnError::Duplicate)), "{lost:?}");
    }
}

async fn a_lease_that_was_lost_on_the_way_comes_back(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    start(&theatre, 1).await;
    drop(theatre.engine.hands().next().await);
    let suspects = theatre.engine.reclaim(&HashSet::new()).await.unwrap();
    assert_eq!(suspects.len(), 1, "one look is not enough: it may be on its way");
    assert!(theatre.engine.reclaim(&suspects).await.unwrap().is_empty());
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
}

async fn letting_go_hands_the_work_over_at_once(db: TestDatabase) {
    let first = Theatre::open(db.clone()).await;
    start(&first, 1).await;
    assert_eq!(first.engine.let_go().await.unwrap(), 1);
    let second = Theatre::beside(&db, first.office.clone(), 2).await;
    second.engine.settle().await.unwrap();
    assert_eq!(second.state(run(1)).await, State::Paid { receipt: "r1".into() });
}

async fn a_run_of_a_newer_build_is_left_alone(db: TestDatabase) {
    let theatre = Theatre::open(db.clone()).await;
    start(&theatre, 1).await;
    theatre.engine.let_go().await.unwrap();
    db.connection.execute_unprepared("update workflow_run set shape = 2").await.unwrap();
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.state(run(1)).await, State::Held);
    db.connection.execute_unprepared("update workflow_run set shape = 1").await.unwrap();
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.state(run(1)).await, State::Paid { receipt: "r1".into() });
}

on_both!(
    a_dead_processs_work_is_rescued_and_its_late_answer_refused,
    what_died_together_more_than_once_comes_back_apart,
    two_processes_share_the_work_and_each_piece_is_done_once,
    two_processes_that_start_the_same_run_agree_on_one,
    a_lease_that_was_lost_on_the_way_comes_back,
    letting_go_hands_the_work_over_at_once,
    a_run_of_a_newer_build_is_left_alone,
);
