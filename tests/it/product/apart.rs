//! API and worker as processes of their own, on Postgres, with Redis or without.

use std::process::Termination;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use harness::both;
use harness::servers::Redis;
use harness::{Backend, TestDatabase, wait};
use serde_json::json;

use super::exposition::Exposition;
use super::installation::{Installation, LIMIT, Served};

/// Two APIs, and a worker that alone executes.
struct Town {
    _installation: Installation,
    redis: Redis,
    one: Served,
    other: Served,
    worker: Served,
}

impl Town {
    async fn open(db: &TestDatabase) -> Result<Self> {
        let redis = Redis::start()?;
        let installation = Installation::embedded()?
            .with("INNKEEPER_DATABASE__URL", &db.url)
            .with("INNKEEPER_REDIS__URL", &redis.url())
            .with("INNKEEPER_DATABASE__WRITE_CONNECTIONS", "4")
            .with("INNKEEPER_DATABASE__READ_CONNECTIONS", "4");
        let one = installation.serve("api").await?;
        let (other, worker) = (installation.another("api").await?, installation.work().await?);
        Ok(Self { _installation: installation, redis, one, other, worker })
    }

    /// Books through one API, accepts through the other, looks from both; returns how long the worker's two parts took.
    async fn booked(&self, ahead: u64, suffix: &str) -> Result<[Duration; 2]> {
        let (one, other) = (&self.one.site, &self.other.site);
        let host = one.person(&format!("host{suffix}@example.org")).await?;
        let guest = other.person(&format!("guest{suffix}@example.org")).await?;
        let home = one.home(&host).await?;
        let began = Instant::now();
        let booking = one.book(&guest, &home, ahead).await?;
        other.until_phase(&guest, &booking, "awaiting_host").await?;
        let authorized = began.elapsed();
        let began = Instant::now();
        let accepted = other.post(Some(&host), &format!("/bookings/{booking}/accept"), &json!({})).await;
        assert_eq!(accepted.status, 200, "{accepted:?}");
        one.until_phase(&guest, &booking, "confirmed").await?;
        Ok([authorized, began.elapsed()])
    }

    async fn stop(self) -> Result<()> {
        for served in [self.one, self.other, self.worker] {
            served.stop().await?;
        }
        Ok(())
    }
}

/// How often this process has tried the effects of payments.
async fn tries(served: &Served) -> Result<f64> {
    let seen = Exposition::read(&served.exposition().await?).map_err(anyhow::Error::msg)?;
    let mine = seen.samples.iter().filter(|s| s.name == "innkeeper_work_tries_total");
    Ok(mine.filter(|s| s.label("workflow") == Some("payment")).map(|s| s.value).sum())
}

#[test]
fn what_two_apis_take_in_one_worker_carries_out() -> impl Termination {
    both::run(Backend::Postgres, carried_out)
}

async fn carried_out(db: TestDatabase) -> Result<()> {
    let town = Town::open(&db).await?;
    let [authorized, captured] = town.booked(30, "").await?;
    println!("with Redis: authorised after {authorized:?}, captured after {captured:?}");
    assert!(tries(&town.worker).await? >= 2.0, "the worker authorised and captured");
    assert_eq!((tries(&town.one).await?, tries(&town.other).await?), (0.0, 0.0), "an API executes nothing");
    town.stop().await
}

#[test]
fn without_redis_everything_goes_on_and_readiness_says_so() -> impl Termination {
    both::run(Backend::Postgres, without_redis)
}

async fn without_redis(db: TestDatabase) -> Result<()> {
    let mut town = Town::open(&db).await?;
    town.booked(30, "1").await?;
    town.redis.stop();
    let [authorized, captured] = town.booked(30, "2").await?;
    println!("without Redis: authorised after {authorized:?}, captured after {captured:?}");
    says(&town, ("degraded", json!(["redis"]))).await?;
    town.redis.start_again()?;
    says(&town, ("ready", json!([]))).await?;
    town.booked(30, "3").await.context("with Redis back")?;
    town.stop().await
}

/// Waits until both APIs are ready and say this of themselves.
async fn says(town: &Town, (status, missing): (&str, serde_json::Value)) -> Result<()> {
    for api in [&town.one, &town.other] {
        let look = async || {
            let seen = api.site.get(None, "/readyz").await;
            assert_eq!(seen.status, 200, "Redis can be done without");
            (seen.body["status"] == status && seen.body["missing"] == missing).then_some(())
        };
        wait::until(LIMIT, &format!("a readiness that says {status}"), look).await?;
    }
    Ok(())
}
