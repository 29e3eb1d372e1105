//! A database server whose clock is moved while processes work: the one clock that everybody trusts.
//!
//! On PostgreSQL alone, where a function of ours can stand before the server's own; the clock of SQLite is that of the machine, which
//! the experiments with clocks move.

use super::toy::{Seat, State, Terms, Theatre, run};
use engine::{Ended, Lease, Origin};
use harness::{Backend, TestDatabase, both};
use sea_orm::ConnectionTrait;

const HOUR: i64 = 3_600_000_000;

/// From here on whoever opens this database asks a clock that can be moved.
const BENT: &str = "
create schema bent;
create table bent.by (us bigint not null);
insert into bent.by values (0);
create function bent.clock_timestamp() returns timestamptz language sql volatile as
  'select pg_catalog.clock_timestamp() + us * interval ''1 microsecond'' from bent.by';
do $$ begin
  execute format('alter database %I set search_path = bent, public, pg_catalog', current_database());
end $$;";

/// Two processes on such a database, and work in the hands of the first.
async fn two(db: &TestDatabase) -> (Theatre, Theatre, Lease) {
    db.connection.execute_unprepared(BENT).await.unwrap();
    let first = Theatre::open(db.clone()).await;
    let second = Theatre::beside(db, first.office.clone(), 2).await;
    start(&first, 1).await;
    let lease = first.engine.hands().next().await.expect("the turn leased its effect to this process");
    (first, second, lease)
}

/// A seat whose hold outlasts an hour.
async fn start(theatre: &Theatre, n: u128) {
    let terms = Terms { seat: i64::try_from(n).unwrap(), hold: 1_000_000 };
    theatre.engine.start::<Seat>(run(n), &format!("k{n}"), &terms, Origin::default()).await.unwrap();
}

async fn jump(theatre: &Theatre, by: i64) {
    let before = theatre.engine.now().await.unwrap();
    theatre.db.connection.execute_unprepared(&format!("update bent.by set us = us + {by}")).await.unwrap();
    let moved = (theatre.engine.now().await.unwrap() - before).num_microseconds().unwrap();
    assert!((moved - by).abs() < HOUR / 60, "the clock was moved by {moved}");
}

async fn is_paid(theatre: &Theatre, n: u128) {
    let receipt = format!("r{n}");
    assert_eq!(theatre.state(run(n)).await, State::Paid { receipt });
}

/// Every heartbeat looks old at once, so the living may be robbed: they are refused, and nothing is done twice.
#[test]
fn a_servers_clock_that_leaps_ahead_costs_a_try_and_nothing_else() {
    both::run(Backend::Postgres, async |db: TestDatabase| {
        let (first, second, lease) = two(&db).await;
        jump(&first, HOUR).await;
        second.engine.beat().await.unwrap();
        assert_eq!(second.engine.rescue().await.unwrap(), 1);
        assert_eq!(second.engine.claim().await.unwrap(), 1);
        let taken_over = second.engine.hands().next().await.unwrap();
        first.engine.execute(lease).await;
        second.engine.execute(taken_over).await;
        assert_eq!(*first.heard.ends.lock().unwrap(), [Ended::Refused]);
        assert_eq!(second.keys(run(1)).await, ["start", "fx:0:0"]);
        is_paid(&second, 1).await;
        assert_eq!(first.office.sold.lock().unwrap().len(), 1, "one key");
        // Whoever beats again is left alone again.
        first.engine.beat().await.unwrap();
        start(&first, 2).await;
        assert_eq!(second.engine.rescue().await.unwrap(), 0);
        first.engine.settle().await.unwrap();
        is_paid(&first, 2).await;
    });
}

/// Heartbeats of before lie in the future: nobody is robbed, and work goes on.
#[test]
fn a_servers_clock_that_falls_back_robs_nobody() {
    both::run(Backend::Postgres, async |db: TestDatabase| {
        let (first, second, lease) = two(&db).await;
        jump(&first, -HOUR).await;
        assert_eq!(second.engine.rescue().await.unwrap(), 0);
        first.engine.beat().await.unwrap();
        assert_eq!(second.engine.rescue().await.unwrap(), 0);
        first.engine.execute(lease).await;
        is_paid(&first, 1).await;
        start(&second, 2).await;
        second.engine.settle().await.unwrap();
        is_paid(&second, 2).await;
        let calls = first.office.calls.lock().unwrap().len();
        assert_eq!((calls, first.office.sold.lock().unwrap().len()), (2, 2));
    });
}
