//! Called off: who gets what back, said beforehand and done alike.

use chrono::TimeDelta;
use harness::market::{apartment, instant};
use harness::{TestApp, TestDatabase, on_both};
use serde_json::{Value, json};

on_both!(
    a_guest_who_calls_off_in_time_gets_everything_back,
    what_was_said_beforehand_is_what_is_done,
    a_host_who_calls_off_gives_everything_back,
    a_request_is_withdrawn_without_a_cent_moved,
    both_sides_call_off_and_one_of_them_wins,
);

fn minor(body: &Value, pointer: &str) -> i64 {
    body.pointer(pointer).and_then(Value::as_i64).unwrap_or_else(|| panic!("no number at {pointer} of {body}"))
}

async fn a_guest_who_calls_off_in_time_gets_everything_back(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order.clone()).await;
    house.command(&format!("/bookings/{id}/cancel"), &guest, json!({})).await.is(200);
    house.settle().await;
    let ended = house.booking(&guest, &id).await;
    assert_eq!((&ended["phase"], &ended["refunded"]), (&json!("canceled_by_guest"), &ended["total"]));
    let intent = house.intents(&id).await.remove(0);
    assert_eq!(intent.captured, intent.refunded);
    assert_eq!(house.trial_balance().await, [("EUR".to_owned(), 0)]);
    assert_eq!(house.balance(&format!("escrow:{id}")).await, 0);
    house.book(&guest, order).await;
}

async fn what_was_said_beforehand_is_what_is_done(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let mut listing = instant();
    listing["policy"] = "firm".into();
    let home = house.home(&host, listing).await;
    let order = house.order(&home, (20, 4), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    house.advance(TimeDelta::days(3)).await;
    let path = format!("/bookings/{id}/cancel");
    let outlook = house.post(&format!("{path}?dry_run=true"), guest.token(), json!({})).await.is(200);
    assert_eq!((&outlook.body["dry_run"], &outlook.body["frees_nights"]), (&json!(true), &json!(true)));
    let (said, total) =
        (minor(&outlook.body, "/refund/amount_minor"), minor(&house.booking(&guest, &id).await, "/total/amount_minor"));
    assert!(0 < said && said < total, "{said} of {total}");
    assert_eq!(house.phase(&guest, &id).await, "confirmed");
    house.post(&path, guest.token(), json!({})).await.refused(400, "idempotency_key_missing");
    house.command(&path, &guest, json!({})).await.is(200);
    house.settle().await;
    assert_eq!(minor(&house.booking(&guest, &id).await, "/refunded/amount_minor"), said);
    assert_eq!(house.intents(&id).await[0].refunded.minor, said);
    assert_eq!(house.balance(&format!("escrow:{id}")).await, 0);
    assert_eq!(house.trial_balance().await, [("EUR".to_owned(), 0)]);
    let refused = house.post(&format!("{path}?dry_run=true"), guest.token(), json!({})).await;
    assert!(refused.refused(409, "out_of_turn").text("/detail").ends_with("the booking is canceled by guest"));
}

async fn a_host_who_calls_off_gives_everything_back(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let mut listing = instant();
    listing["policy"] = "firm".into();
    let home = house.home(&host, listing).await;
    let order = house.order(&home, (2, 4), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    house.command(&format!("/bookings/{id}/cancel"), &host, json!({})).await.is(200);
    house.settle().await;
    let ended = house.booking(&guest, &id).await;
    assert_eq!((&ended["phase"], &ended["refunded"]), (&json!("canceled_by_host"), &ended["total"]));
}

async fn a_request_is_withdrawn_without_a_cent_moved(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, apartment()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    house.command(&format!("/bookings/{id}/cancel"), &guest, json!({})).await.is(200);
    house.settle().await;
    assert_eq!(house.phase(&host, &id).await, "canceled_by_guest");
    let intent = house.intents(&id).await.remove(0);
    assert_eq!((intent.state.as_str(), intent.captured.minor), ("voided", 0));
}

async fn both_sides_call_off_and_one_of_them_wins(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    let path = format!("/bookings/{id}/cancel");
    let (one, other) = tokio::join!(house.command(&path, &guest, json!({})), house.command(&path, &host, json!({})));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", one.body, other.body);
    house.settle().await;
    let intent = house.intents(&id).await.remove(0);
    assert_eq!(intent.captured, intent.refunded);
}
