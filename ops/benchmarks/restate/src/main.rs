//! Restate with its Rust SDK: a service with a workflow of three durable steps, and the load that calls it.
//!
//! `restate-bench serve` is the service; `restate-bench load` calls it through Restate's ingress and prints what ops/bench reads:
//! `begin PHASE` and `end PHASE {figures}`.

use restate_sdk::prelude::*;
use serde_json::{Value, json};
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Trip;

#[restate_sdk::service]
impl Trip {
    #[handler]
    async fn three(&self, ctx: Context<'_>, number: u64) -> HandlerResult<u64> {
        let first: u64 = ctx.run(|| async move { Ok(number + 1) }).name("first").await?;
        let second: u64 = ctx.run(|| async move { Ok(first + 1) }).name("second").await?;
        let third: u64 = ctx.run(|| async move { Ok(second + 1) }).name("third").await?;
        Ok(third)
    }
}

#[tokio::main]
async fn main() {
    match env::args().nth(1).as_deref() {
        Some("serve") => {
            let address = given("BENCH_SERVICE").parse().expect("BENCH_SERVICE is an address");
            HttpServer::new(Endpoint::builder().bind(Trip).build()).listen_and_serve(address).await;
        }
        Some("load") => load().await,
        _ => panic!("usage: restate-bench serve | load"),
    }
}

fn given(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn number(name: &str) -> usize {
    given(name).parse().unwrap_or_else(|_| panic!("{name} is not a number"))
}

#[derive(Clone)]
struct Caller {
    http: reqwest::Client,
    url: String,
}

impl Caller {
    /// One workflow from its call to its durable end; milliseconds.
    async fn three(&self, number: usize) -> f64 {
        let began = Instant::now();
        let answer = self.http.post(&self.url).json(&number).send().await.expect("Restate answers");
        answer.error_for_status().expect("the workflow succeeds").bytes().await.expect("the answer arrives");
        began.elapsed().as_secs_f64() * 1e3
    }
}

async fn load() {
    let caller = Caller { http: reqwest::Client::new(), url: format!("{}/Trip/three", given("BENCH_INGRESS")) };
    for warm in 0..50 {
        caller.three(warm).await;
    }
    closed(&caller, number("BENCH_STEPS")).await;
    paced(&caller, number("BENCH_RATE"), number("BENCH_SECONDS")).await;
}

/// 32 callers, each with the next workflow as soon as its last one has ended.
async fn closed(caller: &Caller, count: usize) {
    println!("begin steps32");
    let (began, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..32)
        .map(|_| {
            let (caller, next) = (caller.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    caller.three(1).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no caller fails");
    }
    end("steps32", json!({ "count": count, "per_second": count as f64 / began.elapsed().as_secs_f64() }));
}

/// So many workflows a second, whether or not the earlier ones have ended.
async fn paced(caller: &Caller, rate: usize, seconds: usize) {
    println!("begin paced");
    let (began, count) = (Instant::now(), rate * seconds);
    let mut calls = Vec::with_capacity(count);
    for number in 0..count {
        let due = Duration::from_secs_f64(number as f64 / rate as f64);
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        let caller = caller.clone();
        calls.push(tokio::spawn(async move { caller.three(number).await }));
    }
    let mut took = Vec::with_capacity(count);
    for call in calls {
        took.push(call.await.expect("no call fails"));
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((count as f64 * share) as usize).min(count - 1)];
    end("paced", json!({ "count": count, "p50": at(0.5), "p99": at(0.99) }));
}

fn end(phase: &str, figures: Value) {
    println!("end {phase} {figures}");
}
