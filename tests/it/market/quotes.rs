//! Quotes: a price in writing that stands while the home changes.

use chrono::TimeDelta;
use harness::market::instant;
use harness::{TestApp, TestDatabase, on_both};
use serde_json::json;

on_both!(
    a_quoted_price_stands_whatever_the_host_changes,
    a_quote_that_is_too_old_is_gone,
    equal_quotes_have_equal_fingerprints,
    what_speaks_against_a_stay_is_listed,
    another_price_than_expected_is_refused,
    a_price_that_changed_since_its_quote_is_shown_line_by_line,
);

async fn a_quoted_price_stands_whatever_the_host_changes(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let question = json!({"property_id": home, "check_in": house.day(30).await, "check_out": house.day(32).await, "guests": {"adults": 2}});
    let quote = house.post("/quotes", guest.token(), question.clone()).await.is(201);
    let lines: i64 = quote.body["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["amount"]["amount_minor"].as_i64().unwrap())
        .sum();
    assert_eq!(quote.body["total"]["amount_minor"], lines);
    assert!(quote.body["cancellation"]["refunds"][0]["until"].is_string());
    let dearer = json!({"price": {"nightly": {"amount_minor": 99000, "currency": "EUR"}}});
    house.patch(&format!("/properties/{home}"), &host, "\"v2\"", dearer).await.is(200);
    let booked = house
        .command("/bookings", &guest, json!({"quote_id": quote.text("/id"), "payment_method": "pm_card_ok"}))
        .await
        .is(201);
    assert_eq!(booked.body["total"], quote.body["total"]);
    house.settle().await;
    assert_eq!(house.get(&format!("/quotes/{}", quote.text("/id")), guest.token()).await.is(200).body, quote.body);
    house.get(&format!("/quotes/{}", quote.text("/id")), host.token()).await.refused(404, "not_found");
}

async fn a_quote_that_is_too_old_is_gone(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let question = json!({"property_id": home, "check_in": house.day(30).await, "check_out": house.day(32).await, "guests": {"adults": 2}});
    let quote = house.post("/quotes", guest.token(), question).await.is(201);
    let path = format!("/quotes/{}", quote.text("/id"));
    assert_eq!(house.get(&path, guest.token()).await.is(200).body["expired"], false);
    house.advance(TimeDelta::minutes(15)).await;
    assert_eq!(house.get(&path, guest.token()).await.is(200).body["expired"], true);
    let dearer = json!({"price": {"nightly": {"amount_minor": 99000, "currency": "EUR"}}});
    house.patch(&format!("/properties/{home}"), &host, "\"v2\"", dearer).await.is(200);
    let order = json!({"quote_id": quote.text("/id"), "payment_method": "pm_card_ok"});
    let gone = house.command("/bookings", &guest, order.clone()).await.refused(410, "quote_expired");
    let changed: Vec<_> = gone.body["changes"].as_array().unwrap().iter().map(|change| &change["kind"]).collect();
    assert!(changed.contains(&&json!("nights")) && !changed.contains(&&json!("cleaning")), "{changed:?}");

    // The fresh quote stands like any other, and the stay can be had on it.
    let fresh = gone.text("/quote/id");
    assert_eq!(house.get(&format!("/quotes/{fresh}"), guest.token()).await.is(200).body, gone.body["quote"]);
    let booked = house.command("/bookings", &guest, json!({"quote_id": fresh, "payment_method": "pm_card_ok"})).await;
    assert_eq!(booked.is(201).body["total"], gone.body["quote"]["total"]);

    // Once the nights are somebody's there is nothing to offer.
    let gone = house.command("/bookings", &guest, order).await.refused(410, "quote_expired");
    assert!(gone.body.get("quote").is_none());
}

async fn equal_quotes_have_equal_fingerprints(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let question = |adults: u8, last| json!({"property_id": home, "check_in": "2027-06-01", "check_out": last, "guests": {"adults": adults}});
    let mut hashes = vec![];
    for body in
        [question(2, "2027-06-03"), question(2, "2027-06-03"), question(3, "2027-06-03"), question(2, "2027-06-04")]
    {
        hashes.push(house.post("/quotes", guest.token(), body).await.is(201).text("/hash"));
    }
    assert_eq!(hashes[0], hashes[1]);
    assert!(hashes[0] != hashes[2] && hashes[0] != hashes[3]);
}

async fn what_speaks_against_a_stay_is_listed(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let mut listing = instant();
    listing["rules"] = json!({"min_nights": 2, "max_nights": 7, "booking_window_days": 60});
    let home = house.home(&host, listing).await;
    let ask = async |who: &harness::app::Signed, (from, to): (u64, u64), guests: serde_json::Value| {
        let body = json!({"property_id": home, "check_in": house.day(from).await, "check_out": house.day(to).await, "guests": guests});
        let reply = house.post("/quotes", who.token(), body).await.is(422);
        let errors = reply.body["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ask(&guest, (10, 11), json!({"adults": 4, "children": 1})).await, ["stay_too_short", "too_many_guests"]);
    assert_eq!(ask(&guest, (70, 80), json!({"adults": 1})).await, ["beyond_booking_window", "stay_too_long"]);
    assert_eq!(ask(&guest, (10, 12), json!({"adults": 1, "pets": 1})).await, ["too_many_pets"]);
    assert_eq!(ask(&host, (10, 12), json!({"adults": 1})).await, ["own_property"]);
    assert_eq!(ask(&guest, (12, 10), json!({"adults": 1})).await, ["not_a_stay"]);
}

async fn a_price_that_changed_since_its_quote_is_shown_line_by_line(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let mut order = house.order(&home, (30, 2), "pm_card_ok").await;
    let question = json!({"property_id": home, "check_in": order["check_in"], "check_out": order["check_out"], "guests": order["guests"]});
    let quote = house.post("/quotes", guest.token(), question).await.is(201);
    let dearer = json!({"price": {"nightly": {"amount_minor": 99000, "currency": "EUR"}}});
    house.patch(&format!("/properties/{home}"), &host, "\"v2\"", dearer).await.is(200);
    order["expected_total"] = quote.body["total"].clone();
    let refused = house.command("/bookings", &guest, order).await.refused(409, "price_changed");
    assert_eq!(refused.body["expected_total"], quote.body["total"]);
    let changes = refused.body["changes"].as_array().unwrap();
    let nights =
        changes.iter().find(|change| change["kind"] == "nights" || change["kind"] == "weekend_nights").unwrap();
    assert_eq!(nights["after"]["amount_minor"].as_i64().unwrap() % 99000, 0);
    assert!(nights["before"]["amount_minor"].as_i64() < nights["after"]["amount_minor"].as_i64());
}

async fn another_price_than_expected_is_refused(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let mut order = house.order(&home, (30, 2), "pm_card_ok").await;
    order["expected_total"] = json!({"amount_minor": 1, "currency": "EUR"});
    let refused = house.command("/bookings", &guest, order.clone()).await.refused(409, "price_changed");
    assert!(refused.text("/detail").contains("0.01 EUR"));
    assert!(refused.body["changes"].is_null(), "nobody told the guest that price in writing");
    let sum: i64 =
        refused.body["lines"].as_array().unwrap().iter().map(|l| l["amount"]["amount_minor"].as_i64().unwrap()).sum();
    assert_eq!(refused.body["total"]["amount_minor"], sum);
    for contradiction in [json!({"quote_id": "quo_0192f0c1a2b37c4d8e5f60718293a4b5"}), json!({"check_in": null})] {
        let mut order = order.clone();
        order.as_object_mut().unwrap().extend(contradiction.as_object().unwrap().clone());
        house.command("/bookings", &guest, order).await.refused(422, "invalid_body");
    }
}
