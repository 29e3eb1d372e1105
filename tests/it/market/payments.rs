//! Cards that do not work at once, a bank that asks back, and a gateway that tells us by itself.

use chrono::TimeDelta;
use harness::market::{apartment, instant};
use harness::{TestApp, TestDatabase, on_both};
use reqwest::Method;
use serde_json::json;

on_both!(
    another_card_saves_a_booking,
    the_guest_confirms_with_the_bank,
    a_bank_that_says_no_ends_with_another_card_or_none,
    a_hold_that_is_over_is_given_up_for_a_rival,
    a_message_twice_is_a_message_once,
    a_message_that_came_too_early_is_tried_again,
    nobody_speaks_for_the_gateway,
    a_card_that_cannot_be_captured_books_nothing,
    a_lost_answer_is_looked_up,
);

async fn another_card_saves_a_booking(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_declined").await;
    let id = house.book(&guest, order).await;
    let waiting = house.booking(&guest, &id).await;
    assert_eq!(
        (&waiting["phase"], &waiting["payment"]["decline_code"]),
        (&json!("awaiting_guest_action"), &json!("card_declined"))
    );
    let offer = waiting["actions"].as_array().unwrap().iter().find(|action| action["name"] == "offer_card").unwrap();
    assert_eq!((&offer["possible"], &offer["href"]), (&json!(true), &json!("/payments")));
    let begun =
        house.command("/payments", &guest, json!({"booking_id": id, "payment_method": "pm_card_ok"})).await.is(202);
    house.settle().await;
    assert_eq!(house.phase(&guest, &id).await, "confirmed");
    assert_eq!(house.get(begun.headers["location"].to_str().unwrap(), guest.token()).await.text("/status"), "captured");
    let all = house.get(&format!("/payments?booking_id={id}"), guest.token()).await.is(200);
    let statuses: Vec<_> =
        all.body["data"].as_array().unwrap().iter().map(|payment| payment["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["declined", "captured"]);
    assert_eq!(house.trial_balance().await, [("EUR".to_owned(), 0)]);
    house
        .command("/payments", &guest, json!({"booking_id": id, "payment_method": "pm_card_ok"}))
        .await
        .refused(409, "out_of_turn");
}

async fn the_guest_confirms_with_the_bank(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, apartment()).await;
    let order = house.order(&home, (30, 2), "pm_card_action").await;
    let id = house.book(&guest, order).await;
    let waiting = house.booking(&guest, &id).await;
    assert_eq!(
        (&waiting["phase"], &waiting["payment"]["status"]),
        (&json!("awaiting_guest_action"), &json!("requires_action"))
    );
    let bank = waiting["payment"]["action_url"].as_str().unwrap();
    let path = bank.split_once("/sandbox").map(|(_, rest)| format!("/sandbox{rest}")).unwrap();
    assert_eq!(house.post(&path, None, json!({"answer": "approve"})).await.is(200).text("/status"), "authorized");
    assert!(house.hear_the_gateway().await > 0);
    assert_eq!(house.phase(&guest, &id).await, "awaiting_host");
    house.command(&format!("/bookings/{id}/accept"), &host, json!({})).await.is(200);
    house.settle().await;
    assert_eq!(house.phase(&guest, &id).await, "confirmed");
    house.hear_the_gateway().await;
    assert_eq!(house.phase(&guest, &id).await, "confirmed");
}

async fn a_bank_that_says_no_ends_with_another_card_or_none(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_action").await;
    let id = house.book(&guest, order).await;
    let bank = house.booking(&guest, &id).await["payment"]["action_url"].as_str().unwrap().to_owned();
    let path = bank.split_once("/sandbox").map(|(_, rest)| format!("/sandbox{rest}")).unwrap();
    assert_eq!(house.post(&path, None, json!({"answer": "decline"})).await.is(200).text("/status"), "declined");
    house.hear_the_gateway().await;
    let waiting = house.booking(&guest, &id).await;
    assert_eq!(
        (&waiting["phase"], &waiting["payment"]["status"]),
        (&json!("awaiting_guest_action"), &json!("declined"))
    );
    house.advance(TimeDelta::minutes(20)).await;
    assert_eq!(house.phase(&guest, &id).await, "expired");
    house
        .command("/payments", &guest, json!({"booking_id": id, "payment_method": "pm_card_ok"}))
        .await
        .refused(409, "out_of_turn");
    assert_eq!(house.post("/sandbox/challenges/pi_nobody", None, json!({"answer": "approve"})).await.status, 404);
}

async fn a_hold_that_is_over_is_given_up_for_a_rival(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let host = house.person("host@example.org").await;
    let (slow, rival) = (house.person("slow@example.org").await, house.person("rival@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_action").await;
    let id = house.book(&slow, order.clone()).await;
    house.command("/bookings", &rival, order.clone()).await.refused(409, "dates_unavailable");
    // The clock passes the end of the hold, but nobody works: the timer is late.
    let offset = 16 * 60 * 1_000_000_i64;
    let later = format!("update business_clock set offset_us = offset_us + {offset}");
    sea_orm::ConnectionTrait::execute_raw(&house.db.connection, house.sql(&later)).await.unwrap();
    assert_eq!(house.phase(&slow, &id).await, "awaiting_guest_action");
    let mut order = order;
    order["payment_method"] = "pm_card_ok".into();
    let taken = house.book(&rival, order).await;
    assert_eq!(house.phase(&slow, &id).await, "expired");
    assert_eq!(house.phase(&rival, &taken).await, "confirmed");
}

async fn a_message_twice_is_a_message_once(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    house.gateway().set_fault(integrations::payments::sandbox::Fault::WebhooksTwice).await.unwrap();
    house.hear_the_gateway().await;
    house.hear_the_gateway().await;
    let nudges = "select count(*) as n from workflow_journal where key like 'wh:%'";
    let row = sea_orm::ConnectionTrait::query_one_raw(&house.db.connection, house.sql(nudges)).await.unwrap().unwrap();
    let inbox = "select count(*) as n from webhook_inbox where processed_at is not null";
    let inbox = sea_orm::ConnectionTrait::query_one_raw(&house.db.connection, house.sql(inbox)).await.unwrap().unwrap();
    let count = |row: &sea_orm::QueryResult| row.try_get::<i64>("", "n").unwrap();
    assert!(count(&row) > 0);
    assert_eq!(count(&row), count(&inbox));
    assert_eq!(house.phase(&guest, &id).await, "confirmed");
}

async fn a_message_that_came_too_early_is_tried_again(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    let intent = house.intents(&id).await.remove(0).intent;
    let now = house.app.engine.now().await.unwrap();
    for (event, about) in [("evt_early", intent.as_str()), ("evt_of_nobody", "pi_of_nobody")] {
        let body = json!({"id": event, "kind": "payment.captured", "intent": about, "created": now}).to_string();
        let (provider, event_id) = ("sandbox".to_owned(), event.to_owned());
        let message = store::inbox::Waiting { provider, event_id, body, received_at: now, attempts: 0 };
        assert!(store::inbox::accept(&house.db.connection, &message).await.unwrap());
    }
    house.settle().await;
    house.advance(TimeDelta::minutes(10)).await;
    let waiting = store::inbox::waiting(&house.db.connection, 10).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].event_id.as_str()), (1, "evt_of_nobody"));
    assert!(waiting[0].attempts > 0);
    let nudge = "select key from workflow_journal where key = 'wh:sandbox:evt_early'";
    let row = sea_orm::ConnectionTrait::query_one_raw(&house.db.connection, house.sql(nudge)).await.unwrap();
    assert!(row.is_some());
}

async fn nobody_speaks_for_the_gateway(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let body = r#"{"id":"evt_1","kind":"payment.captured","intent":"pi_1","created":"2027-01-01T00:00:00Z"}"#;
    let unsigned = harness::app::send(house.request(Method::POST, "/webhooks/sandbox").body(body)).await;
    unsigned.refused(400, "invalid_header");
    let forged = house.request(Method::POST, "/webhooks/sandbox").header("sandbox-signature", "t=1,v1=00").body(body);
    assert_eq!(harness::app::send(forged).await.status, 403);
    let inbox = "select event_id from webhook_inbox";
    assert!(sea_orm::ConnectionTrait::query_all_raw(&house.db.connection, house.sql(inbox)).await.unwrap().is_empty());
}

async fn a_card_that_cannot_be_captured_books_nothing(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_capture_declined").await;
    let id = house.book(&guest, order.clone()).await;
    assert_eq!(house.booking(&guest, &id).await["reason"], "payment_failed");
    assert_eq!(house.intents(&id).await[0].captured.minor, 0);
    assert_eq!(house.trial_balance().await, [("EUR".to_owned(), 0)]);
    let again = house.order(&home, (30, 2), "pm_card_ok").await;
    house.book(&guest, again).await;
}

async fn a_lost_answer_is_looked_up(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_timeout_after_commit").await;
    let id = house.book(&guest, order).await;
    house.advance(TimeDelta::minutes(10)).await;
    assert_eq!(house.phase(&guest, &id).await, "confirmed");
    let intents = house.intents(&id).await;
    assert_eq!((intents.len(), intents[0].state.as_str()), (1, "captured"));
}
