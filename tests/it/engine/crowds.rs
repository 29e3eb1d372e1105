//! Fifty thousand pieces of work in the hands of a process that died, where engines like ours have wedged at eight thousand.

use super::toy::{Theatre, count};
use harness::{Backend, TestDatabase, on_both};
use sea_orm::ConnectionTrait;
use std::time::{Duration, Instant};

on_both!(fifty_thousand_leases_of_a_dead_process_come_back);

/// What one round of a sweep, or a claim with all of it waiting, may take on a busy machine.
const ROUND: Duration = Duration::from_secs(20);

const MANY: i64 = 50_000;

/// Runs in `Held`, each with an effect in the hands of a process that nobody knows.
async fn crowd(theatre: &Theatre) {
    // What is filled in has no history that could be proven.
    theatre.db.is_forged();
    let (series, id, holder, empty) = match theatre.db.backend {
        Backend::Postgres => (
            format!("generate_series(1, {MANY}) i(n)"),
            "('01900000-0000-7000-8000-' || lpad(to_hex(n::int8), 12, '0'))::uuid",
            "'00000000-0000-0000-0000-0000deadbeef'::uuid",
            "''::bytea",
        ),
        Backend::Sqlite => (
            format!(
                "(with recursive i(n) as (select 1 union all select n + 1 from i where n < {MANY}) select n from i) i"
            ),
            "unhex('01900000000070008000' || printf('%012x', n))",
            "x'000000000000000000000000deadbeef'",
            "x''",
        ),
    };
    let leased = i64::MAX - 1;
    let runs = format!(
        "insert into workflow_run (id, workflow, key, parent, input, state, state_name, shape, seq, status, unexpected, head, created_at, updated_at)
         select {id}, 'seat', 'crowd-' || n, null, '{{\"seat\":' || n || ',\"hold\":1}}', '\"Held\"', 'Held', 1, 0, 0, 0, {empty}, 0, 0 from {series}"
    );
    let work = format!(
        "insert into workflow_work (run, seq, n, kind, scope, workflow, queue, name, payload, due, not_before, attempt, failures, holder, first_claimed_at, priority)
         select {id}, 0, 0, 0, 0, 'seat', 'default', 'Notify', '\"Notify\"', 1000000, {leased}, 1, 0, {holder}, null, 1 from {series}"
    );
    for sql in [runs, work] {
        theatre.db.connection.execute_unprepared(&sql).await.unwrap();
    }
}

async fn waiting(theatre: &Theatre) -> i64 {
    count(&theatre.db, "select count(*) from workflow_work where holder is null").await
}

async fn fifty_thousand_leases_of_a_dead_process_come_back(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    crowd(&theatre).await;
    assert_eq!(waiting(&theatre).await, 0);
    let began = Instant::now();
    assert_eq!(theatre.engine.rescue().await.unwrap(), u64::try_from(MANY).unwrap());
    assert!(began.elapsed() < ROUND, "the rescue took {:?}", began.elapsed());
    assert_eq!(waiting(&theatre).await, MANY);
    // And the work flows again, room by room.
    for _ in 0..20 {
        let began = Instant::now();
        assert!(theatre.engine.claim().await.unwrap() > 0);
        assert!(began.elapsed() < ROUND, "a claim took {:?}", began.elapsed());
        for _ in 0..theatre.engine.hands().holding() {
            let lease = theatre.engine.hands().next().await.unwrap();
            theatre.engine.execute(lease).await;
        }
    }
    assert!(waiting(&theatre).await < MANY - 500, "work is done while fifty thousand wait");
    assert!(theatre.engine.parked().await.unwrap().is_empty());
}
