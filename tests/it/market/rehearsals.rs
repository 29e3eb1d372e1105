//! The sandbox: trouble at will, and none of it where money is real.

use chrono::TimeDelta;
use harness::app::{authorized, send};
use harness::market::instant;
use harness::{TestApp, TestDatabase, on_both};
use reqwest::Method;
use serde_json::{Value, json};

on_both!(a_client_can_rehearse_trouble, outside_the_sandbox_there_is_no_sandbox);

async fn rehearse(house: &TestApp, who: &harness::app::Signed, scenario: &str, order: &Value) -> harness::app::Reply {
    let request = authorized(house.request(Method::POST, "/bookings"), who.token()).header("test-scenario", scenario);
    send(request.header("idempotency-key", format!("rehearsal of {scenario}")).json(order)).await
}

async fn a_client_can_rehearse_trouble(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    rehearse(&house, &guest, "sold_out", &order).await.refused(409, "dates_unavailable");
    let changed = rehearse(&house, &guest, "price_changed", &order).await.refused(409, "price_changed");
    let total = |name: &str| changed.body[name]["amount_minor"].as_i64().unwrap();
    assert!(total("total") > total("expected_total"));
    assert!(!changed.body["changes"].as_array().unwrap().is_empty());
    rehearse(&house, &guest, "end_of_the_world", &order).await.refused(400, "invalid_header");

    let phase = async |scenario: &str, ahead: u64| {
        let order = house.order(&home, (ahead, 2), "pm_card_ok").await;
        let booked = rehearse(&house, &guest, scenario, &order).await.is(201).text("/id");
        house.settle().await;
        // Past the first pause after an answer that was lost.
        house.advance(TimeDelta::minutes(1)).await;
        house.get(&format!("/bookings/{booked}"), guest.token()).await.is(200).text("/phase")
    };
    assert_eq!(phase("provider_timeout_after_commit", 40).await, "confirmed");
    assert_eq!(phase("card_needs_action", 50).await, "awaiting_guest_action");
    // The nights are kept for another card.
    assert_eq!(phase("card_declined", 60).await, "awaiting_guest_action");
}

async fn outside_the_sandbox_there_is_no_sandbox(db: TestDatabase) {
    let house = TestApp::outside_the_sandbox(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let documented = house.get("/openapi.json", None).await.is(200).body;
    let paths = documented["paths"].as_object().unwrap();
    let mut seen = 0;
    for (path, methods) in paths.iter().filter(|(path, _)| path.starts_with("/sandbox/")) {
        for method in methods.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            // Whatever else is wrong with the request.
            send(house.request(method, path).body("{")).await.refused(404, "not_found");
            seen += 1;
        }
    }
    assert_eq!(seen, 5, "the sandbox is documented, wherever it is not");
    // Files are still taken, at an address that is no sandbox's.
    let draft = house.post("/properties", host.token(), json!({"title": "A draft"})).await.is(201).text("/id");
    let announce = json!({"content_type": "image/png", "bytes": 3});
    let told = house.post(&format!("/properties/{draft}/images"), host.token(), announce).await.is(201);
    let url = told.text("/upload/url");
    let path = &url[url.find("/uploads/").unwrap()..];
    assert!(!url.contains("sandbox"), "{url}");
    send(house.request(Method::PUT, path).header("content-type", "image/png").body("abc")).await.is(204);

    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    rehearse(&house, &guest, "sold_out", &order).await.refused(400, "invalid_header");
    assert_eq!(house.get("/bookings", guest.token()).await.is(200).body["data"], json!([]));
}
