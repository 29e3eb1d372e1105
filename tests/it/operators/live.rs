//! What an operator's screen hears of brakes, schedules and runs as they change.

use harness::market::apartment;
use harness::{TestDatabase, on_both};
use serde_json::{Value, json};

use super::{Desk, hear};

on_both!(brakes_are_told_as_they_are_pulled, schedules_are_told_as_they_run, runs_are_told_by_their_states);

/// What a stream said last of a topic.
fn told(said: &str, topic: &str) -> Option<Value> {
    let of_topic = said.rsplit("\n\n").find(|event| event.lines().any(|line| line == format!("event: {topic}")))?;
    serde_json::from_str(of_topic.lines().find_map(|line| line.strip_prefix("data: "))?).ok()
}

fn seen(said: &str) -> String {
    said.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned()
}

impl Desk {
    /// What is told of a topic now, and what a reader has seen with that.
    async fn now(&self, topic: &str) -> (Value, String) {
        let said = hear(self, 0, "", |_| false).await;
        (told(&said, topic).unwrap(), seen(&said))
    }

    /// What is told of a topic next, and nothing of others that did not change.
    async fn next(&self, topic: &str, last: &str) -> Value {
        let said = hear(self, 60, last, |said| told(said, topic).is_some()).await;
        told(&said, topic).unwrap()
    }
}

async fn brakes_are_told_as_they_are_pulled(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let (quiet, last) = desk.now("brakes").await;
    assert_eq!(quiet, desk.read("/admin/brakes").await["data"]);
    let pull = json!({"kind": "queue", "name": "mail", "why": "the post is on strike", "write": true});
    let (pulled, _) = tokio::join!(desk.next("brakes", &last), desk.act("/admin/brakes/pause", pull));
    assert_ne!(pulled, quiet);
    assert_eq!(pulled, desk.read("/admin/brakes").await["data"]);
    desk.act("/admin/brakes/resume", json!({"kind": "queue", "name": "mail", "write": true})).await;
    // A circuit that opens is told as well.
    let (_, last) = desk.now("brakes").await;
    let open = desk.sql("insert into workflow_brake (kind, name, failures, openings, open_until) values (2, 'gateway', 5, 1, 9000000000000000)");
    let (opened, ()) = tokio::join!(desk.next("brakes", &last), open);
    let gateway = opened.as_array().unwrap().iter().find(|brake| brake["name"] == "gateway").unwrap();
    assert_eq!((&gateway["circuit"], &gateway["failures"]), (&json!("open"), &json!(5)));
    desk.sql("delete from workflow_brake").await;
}

async fn schedules_are_told_as_they_run(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let (before, last) = desk.now("schedules").await;
    let run = desk.act("/admin/schedules/payouts/run", json!({"write": true}));
    let (after, ran) = tokio::join!(desk.next("schedules", &last), run);
    let payouts = |all: &Value| all.as_array().unwrap().iter().find(|one| one["name"] == "payouts").unwrap().clone();
    assert_ne!(payouts(&before)["last"], payouts(&after)["last"]);
    assert_eq!(payouts(&after), ran);
}

async fn runs_are_told_by_their_states(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let (before, last) = desk.now("runs").await;
    let waiting = json!({"workflow": "booking", "state": "AwaitingHost", "runs": 1});
    assert!(before.as_array().unwrap().contains(&waiting), "{before}");
    let end = desk.act("/admin/runs/cancel", json!({"run": desk.run(), "write": true}));
    let (after, _) = tokio::join!(desk.next("runs", &last), end);
    assert!(!after.as_array().unwrap().contains(&waiting), "{after}");
    desk.house.settle().await;
}
