//! Signing keys come and go without anybody noticing; probes and the reference answer.

use harness::app::Signed;
use harness::{TestApp, TestDatabase, on_both};
use serde_json::{Value, json};
use workflows::identity;

async fn keys(house: &TestApp) -> Vec<Value> {
    house.get("/.well-known/jwks.json", None).await.body["keys"].as_array().unwrap().clone()
}

async fn a_rotation_signs_nobody_out(db: TestDatabase) {
    let house = TestApp::open(db.clone()).await;
    let neighbour = house.beside(2).await;
    let anna = house.person("anna@example.org").await;
    assert_eq!(keys(&neighbour).await.len(), 1);
    identity::rotate_keys(&house.app).await.unwrap();
    let mut tokens = vec![anna.access];
    let mut refresh = anna.refresh;
    for _ in 0..10 {
        house.seconds_later(120);
        neighbour.seconds_later(120);
        let renewed = Signed::from(house.post("/login/refresh", None, json!({"refresh_token": refresh})).await);
        refresh = renewed.refresh;
        tokens.push(renewed.access);
        for token in tokens.iter().rev().take(5) {
            assert_eq!(neighbour.get("/profile", Some(token)).await.status, 200);
        }
    }
    let left = keys(&house).await;
    assert_eq!(left.len(), 1, "the old key is gone");
    assert!(left[0].get("d").is_none() && left[0]["alg"] == "EdDSA");
    assert_eq!(neighbour.get("/profile", Some(&tokens[0])).await.code(), "token_invalid");
}

/// What nobody sees until an installation's first two people come through two processes at once.
async fn processes_that_start_together_believe_each_other(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let mut doors = vec![];
    for process in 2..6 {
        doors.push(house.beside(process).await);
    }
    let known = futures::future::join_all(doors.iter().map(keys)).await;
    assert!(known.iter().all(|keys| *keys == known[0] && keys.len() == 1), "{known:?}");
}

async fn probes_and_the_reference_answer(db: TestDatabase) {
    let house = TestApp::open(db).await;
    assert_eq!(house.get("/livez", None).await.body["status"], "alive");
    assert_eq!(house.get("/readyz", None).await.body["status"], "ready");
    house.health.degraded("redis");
    assert_eq!(house.get("/readyz", None).await.body, json!({"status": "degraded", "missing": ["redis"]}));
    house.health.drain();
    let draining = house.get("/readyz", None).await;
    assert_eq!((draining.status, draining.code()), (503, "draining"));
    assert_eq!(house.get("/livez", None).await.status, 200);
    let document = house.get("/openapi.json", None).await;
    assert_eq!(document.body, api::document());
    let docs = house.request(reqwest::Method::GET, "/docs").send().await.unwrap();
    assert!(docs.text().await.unwrap().contains("/verify-email/resend"));
}

on_both!(
    a_rotation_signs_nobody_out,
    processes_that_start_together_believe_each_other,
    probes_and_the_reference_answer
);
