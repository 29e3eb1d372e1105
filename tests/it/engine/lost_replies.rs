//! A COMMIT that went through without its answer: the connection dies at that very moment, again and again.

use super::toy::{Seat, Theatre, run, terms};
use engine::Origin;
use harness::{Backend, TestDatabase, on_both};
use sea_orm::ConnectionTrait;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many callers start runs while connections are being cut.
const CALLERS: u128 = 60;

async fn a_commit_whose_answer_is_lost_is_one_turn(db: TestDatabase) {
    // SQLite has no connection to lose: there the same starts simply go through.
    let theatre = Arc::new(Theatre::open(db.clone()).await);
    let stop = Arc::new(AtomicBool::new(false));
    let cutter = tokio::spawn(cut(db.clone(), Arc::clone(&stop)));
    let starts = (0..CALLERS).map(|n| {
        let theatre = Arc::clone(&theatre);
        async move {
            for round in 0..5u128 {
                let id = n * 5 + round;
                let seat = terms(i64::try_from(id).unwrap());
                let started = theatre.engine.start::<Seat>(run(id), &format!("k{id}"), &seat, Origin::default()).await;
                // However often the writer had to try, the caller hears of one turn: its own.
                assert_eq!(started.unwrap().seq, 0);
            }
        }
    });
    futures::future::join_all(starts).await;
    stop.store(true, Ordering::Relaxed);
    let cuts = cutter.await.unwrap();
    assert!(db.backend == Backend::Sqlite || cuts > 0, "no connection was cut: the test saw nothing");
    let runs = i64::try_from(CALLERS * 5).unwrap();
    assert_eq!(theatre.count("select count(*) from workflow_run").await, runs);
    assert_eq!(theatre.count("select count(*) from workflow_journal where seq = 0").await, runs);
    assert_eq!(theatre.count("select count(*) from toy_seat").await, runs);
}

/// Ends the writer's connection wherever it stands, until told to stop; returns how often.
async fn cut(db: TestDatabase, stop: Arc<AtomicBool>) -> usize {
    let mut cuts = 0;
    while db.backend == Backend::Postgres && !stop.load(Ordering::Relaxed) {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'innkeeper writer' and query ilike '%commit%'";
        cuts += db
            .connection
            .query_all_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql))
            .await
            .unwrap()
            .len();
        tokio::task::yield_now().await;
    }
    cuts
}

on_both!(a_commit_whose_answer_is_lost_is_one_turn);
