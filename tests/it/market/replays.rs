//! The same request twice is one request, with the same answer to the byte.

use harness::app::{Signed, authorized};
use harness::market::{apartment, instant};
use harness::{TestApp, TestDatabase, on_both};
use reqwest::Method;
use serde_json::{Value, json};

on_both!(
    a_repeated_booking_is_one_booking,
    a_key_belongs_to_one_request,
    two_at_once_under_one_key_are_one,
    a_reference_is_used_once_for_ever,
);

/// Status, whether it was a replay, and the bytes.
async fn raw(house: &TestApp, guest: &Signed, key: &str, order: &Value) -> (u16, bool, Vec<u8>) {
    let request = authorized(house.request(Method::POST, "/bookings"), guest.token());
    let answer = request.header("idempotency-key", key).json(order).send().await.unwrap();
    let replayed = answer.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
    (answer.status().as_u16(), replayed, answer.bytes().await.unwrap().to_vec())
}

async fn a_repeated_booking_is_one_booking(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, apartment()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let first = raw(&house, &guest, "k-1", &order).await;
    assert_eq!((first.0, first.1), (201, false));
    house.settle().await;
    // Also when the booking has gone on, and at another process.
    let neighbour = house.beside(2).await;
    for process in [&house, &neighbour] {
        let again = raw(process, &guest, "k-1", &order).await;
        assert_eq!((again.0, again.1, again.2 == first.2), (201, true, true));
    }
    assert_eq!(house.get("/bookings", guest.token()).await.body["data"].as_array().unwrap().len(), 1);
}

async fn a_key_belongs_to_one_request(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let (order, other) =
        (house.order(&home, (30, 2), "pm_card_ok").await, house.order(&home, (40, 2), "pm_card_ok").await);
    house.keyed("/bookings", &guest, "k-1", order.clone()).await.is(201);
    house.keyed("/bookings", &guest, "k-1", other.clone()).await.refused(422, "idempotency_key_reused");
    house.post("/bookings", guest.token(), other.clone()).await.refused(400, "idempotency_key_missing");
    // Another person's key of the same name is another key.
    house.keyed("/bookings", &house.person("second@example.org").await, "k-1", other).await.is(201);
    // A refusal is not kept: the same key works once the nights are free.
    house.keyed("/bookings", &guest, "k-2", order.clone()).await.refused(409, "dates_unavailable");
    house.settle().await;
    let id = house.get("/bookings", guest.token()).await.text("/data/0/id");
    house.command(&format!("/bookings/{id}/cancel"), &guest, json!({})).await.is(200);
    house.keyed("/bookings", &guest, "k-2", order).await.is(201);
    house.settle().await;
}

async fn two_at_once_under_one_key_are_one(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let neighbour = house.beside(2).await;
    let tries = (0..20).map(|n| raw(if n % 2 == 0 { &house } else { &neighbour }, &guest, "k-1", &order));
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|(status, replayed, _)| (*status, *replayed) == (201, false)).count(), 1);
    for (status, _, body) in &answers {
        let code = serde_json::from_slice::<Value>(body).unwrap()["code"].as_str().unwrap_or_default().to_owned();
        assert!(*status == 201 || (*status == 409 && code == "idempotency_in_flight"), "{code}");
    }
    assert_eq!(house.get("/bookings", guest.token()).await.body["data"].as_array().unwrap().len(), 1);
    neighbour.settle().await;
    house.settle().await;
}

async fn a_reference_is_used_once_for_ever(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let mut order = house.order(&home, (30, 2), "pm_card_ok").await;
    order["client_reference"] = "trip 7".into();
    let id = house.book(&guest, order).await;
    let mut order = house.order(&home, (40, 2), "pm_card_ok").await;
    order["client_reference"] = "trip 7".into();
    house.command("/bookings", &guest, order).await.refused(409, "client_reference_used");
    let found = house.get("/bookings?client_reference=trip%207", guest.token()).await.is(200);
    assert_eq!((found.text("/data/0/id"), found.body["data"].as_array().unwrap().len()), (id, 1));
    assert_eq!(house.get("/bookings?client_reference=trip%207", host.token()).await.body["data"], json!([]));
}
