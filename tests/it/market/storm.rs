//! Clients over HTTP that hang up at any moment: whatever was acknowledged is there, and no connection is left in a transaction.

use std::time::Duration;

use futures::StreamExt as _;
use harness::app::authorized;
use harness::{Backend, TestApp, TestDatabase, on_both, wait};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

on_both!(a_storm_of_clients_that_hang_up_loses_nothing);

const SEED: u64 = 7;
const REQUESTS: usize = 3_000;
const CLIENTS: usize = 32;

async fn number(house: &TestApp, sql: &str) -> i64 {
    let row = house.db.connection.query_one_raw(house.sql(sql)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

pub(crate) async fn a_storm_of_clients_that_hang_up_loses_nothing(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let host = house.person("host@example.org").await;
    let mut dice = StdRng::seed_from_u64(SEED);
    let storm = (0..REQUESTS).map(|n| {
        // One in five stays, so that the others have somebody to take with them.
        let patience = if n % 5 == 0 { 10_000_000 } else { dice.random_range(0..20_000) };
        let patience = Duration::from_micros(patience);
        let request = authorized(house.request(Method::POST, "/properties"), host.token());
        let request =
            request.header("idempotency-key", format!("storm-{n}")).json(&json!({"title": format!("home {n}")}));
        async move {
            let answer = request.timeout(patience).send().await.ok()?;
            let status = answer.status().as_u16();
            assert!(status == 201 || status == 503, "seed {SEED}: {status}");
            answer.json::<Value>().await.ok()?["id"].as_str().map(str::to_owned)
        }
    });
    let acknowledged: Vec<String> =
        futures::stream::iter(storm).buffer_unordered(CLIENTS).filter_map(async |id| id).collect().await;
    assert!(
        acknowledged.len() >= REQUESTS / 10 && acknowledged.len() < REQUESTS,
        "{} of {REQUESTS}",
        acknowledged.len()
    );

    // Units whose client is gone still run to their end: every home has its answer under its key, and nothing stands half done.
    wait::until(Duration::from_secs(60), "the last write unit ends", async || {
        let homes = number(&house, "select count(*) from property").await;
        let answers = number(&house, "select count(*) from idempotency_key where route = 'POST /properties'").await;
        (homes == answers && homes >= acknowledged.len() as i64).then_some(())
    })
    .await
    .unwrap_or_else(|error| panic!("seed {SEED}: {error}"));
    for id in &acknowledged {
        house.get(&format!("/properties/{id}"), host.token()).await.is(200);
    }
    if house.db.backend == Backend::Postgres {
        let sql = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
        let none = async || (number(&house, sql).await == 0).then_some(());
        wait::until(Duration::from_secs(2), "every transaction is over", none)
            .await
            .unwrap_or_else(|error| panic!("seed {SEED}: {error}"));
    }
}
