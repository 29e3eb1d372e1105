//! Clients that hang up at any moment must not take anybody's writes with them.

use super::toy::{Seat, Theatre, count, run, terms};
use engine::{Origin, detached};
use futures::StreamExt;
use harness::{Backend, TestDatabase, on_both};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sea_orm::{ConnectionTrait, Statement};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

const SEED: u64 = 20_000;
const CLIENTS: usize = 32;

/// What was acknowledged, whoever was still there to hear it.
#[derive(Clone, Default)]
struct Acknowledged(Arc<Mutex<BTreeSet<i64>>>);

/// A request as the product makes it: a write unit that runs to its end, awaited by a client that may hang up.
async fn request(theatre: &Theatre, n: i64, patience: Duration, acknowledged: Acknowledged) {
    let engine = theatre.engine.clone();
    let unit = detached(async move {
        let tx = engine.begin().await?;
        let insert =
            Statement::from_sql_and_values(tx.get_database_backend(), "insert into storm values ($1)", [n.into()]);
        tx.execute_raw(insert).await?;
        let number = u128::try_from(n).expect("requests count up from zero");
        tx.start::<Seat>(run(number), &format!("k{n}"), &terms(n), &Origin::default())
            .await
            .expect("every seat is another");
        tx.commit().await?;
        acknowledged.0.lock().unwrap().insert(n);
        Ok::<_, sea_orm::DbErr>(())
    });
    let _ = tokio::time::timeout(patience, unit).await;
}

/// What must never be written, but might be: a write unit that is dropped with its client, beside single statements on the same pool.
async fn careless(theatre: &Theatre, n: i64, patience: Duration, acknowledged: Acknowledged) {
    let pool = theatre.engine.databases().write().clone();
    let dropped = async {
        let tx = theatre.engine.begin().await?;
        tx.execute_unprepared("select 1").await?;
        tx.commit().await
    };
    let _ = tokio::time::timeout(patience / 10, dropped).await;
    let insert =
        Statement::from_sql_and_values(pool.get_database_backend(), "insert into storm values ($1)", [n.into()]);
    if pool.execute_raw(insert).await.is_ok() {
        acknowledged.0.lock().unwrap().insert(n);
    }
}

pub(crate) async fn a_storm_of_hang_ups_loses_nothing(db: TestDatabase) {
    // The wire is what a hang-up is about; in the same process there is none.
    let requests = if db.backend == Backend::Postgres { 20_000 } else { 5_000 };
    db.connection.execute_unprepared("create table storm (n bigint primary key)").await.unwrap();
    let theatre = Theatre::open(db).await;
    let acknowledged = Acknowledged::default();
    let mut dice = StdRng::seed_from_u64(SEED);
    let storm = (0..requests).map(|n| {
        let patience = Duration::from_micros(dice.random_range(0..20_000));
        let (theatre, acknowledged) = (&theatre, acknowledged.clone());
        async move {
            if n % 4 == 3 {
                careless(theatre, n, patience, acknowledged).await;
            } else {
                request(theatre, n, patience, acknowledged).await;
            }
        }
    });
    futures::stream::iter(storm).buffer_unordered(CLIENTS).collect::<()>().await;
    // Units whose client is gone still run to their end; the pool is free when the last one has.
    harness::wait::until(Duration::from_secs(60), "the last write unit ends", || async {
        let held = acknowledged.0.lock().unwrap().len() as i64;
        let stored = count(&theatre.db, "select count(*) from storm").await;
        (held == stored && stored == requests).then_some(())
    })
    .await
    .unwrap_or_else(|error| panic!("seed {SEED}: {error}"));
    if theatre.db.backend == Backend::Postgres {
        let sql = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
        let none = || async { (count(&theatre.db, sql).await == 0).then_some(()) };
        harness::wait::until(Duration::from_secs(2), "every transaction is over", none)
            .await
            .unwrap_or_else(|error| panic!("seed {SEED}: {error}"));
    }
    let runs = theatre.count("select count(*) from workflow_run").await;
    assert_eq!(runs, requests * 3 / 4, "seed {SEED}: every request's run is there");
}

on_both!(a_storm_of_hang_ups_loses_nothing);

/// Lets a future go when it has had to wait this often.
async fn dropped_at(begin: impl Future, mut waits: u32) {
    let mut begin = pin!(begin);
    poll_fn(|cx| match begin.as_mut().poll(cx) {
        Poll::Pending if waits > 0 => {
            waits -= 1;
            Poll::Pending
        }
        _ => Poll::Ready(()),
    })
    .await;
}

/// The driver forgets a transaction whose future is dropped while the server's answer to BEGIN is on its way.
pub(crate) async fn a_begin_that_nobody_waits_for_leaves_nothing_open(db: TestDatabase) {
    db.connection.execute_unprepared("create table storm (n bigint primary key)").await.unwrap();
    let theatre = Theatre::open(db).await;
    for n in 0..60 {
        dropped_at(theatre.engine.begin(), n % 3).await;
        let insert = format!("insert into storm values ({n})");
        theatre.engine.databases().write().execute_unprepared(&insert).await.unwrap();
    }
    if theatre.db.backend == Backend::Postgres {
        harness::wait::until(Duration::from_secs(5), "every transaction is over", || async {
            let open = "select count(*) from pg_stat_activity
                where datname = current_database() and application_name = 'innkeeper write' and state like 'idle in transaction%'";
            (count(&theatre.db, open).await == 0).then_some(())
        })
        .await
        .unwrap();
    }
    assert_eq!(count(&theatre.db, "select count(*) from storm").await, 60);
}

on_both!(a_begin_that_nobody_waits_for_leaves_nothing_open);
