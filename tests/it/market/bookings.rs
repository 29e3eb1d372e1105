//! The life of a booking as guest and host live it, from a wish to the host's money.

use chrono::TimeDelta;
use harness::market::{apartment, instant};
use harness::{TestApp, TestDatabase, on_both};
use serde_json::{Value, json};

on_both!(
    a_guest_books_a_home_and_the_host_gets_paid,
    an_instant_booking_needs_no_host,
    a_silent_host_costs_the_guest_nothing,
    a_declined_request_frees_the_nights,
    a_refused_booking_says_when_the_hold_ends,
    a_home_with_two_units_takes_two,
    guests_may_change_on_one_day,
    preparation_nights_are_one_shared_gap,
    a_stay_is_in_the_same_phase_wherever_it_is_shown,
    what_is_empty_or_backward_is_named_for_what_it_is,
);

/// What can be done, by name.
fn possible(booking: &Value) -> Vec<&str> {
    let actions = booking["actions"].as_array().unwrap().iter();
    actions.filter(|action| action["possible"] == true).filter_map(|action| action["name"].as_str()).collect()
}

async fn a_guest_books_a_home_and_the_host_gets_paid(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, apartment()).await;

    let wish = json!({"property_id": home, "check_in": house.day(30).await, "check_out": house.day(33).await, "guests": {"adults": 2}});
    let quote = house.post("/quotes", guest.token(), wish).await.is(201);
    let order = json!({"quote_id": quote.text("/id"), "payment_method": "pm_card_ok", "message": "Hello", "client_reference": "trip-7"});
    let made = house.command("/bookings", &guest, order).await.is(201);
    assert_eq!((made.text("/status"), made.text("/phase")), ("pending".into(), "awaiting_payment".into()));
    assert_eq!(made.body["total"], quote.body["total"]);
    assert!(made.body["hold_expires_at"].is_string());
    let id = made.text("/id");
    assert_eq!(made.headers["location"], format!("/bookings/{id}"));

    house.settle().await;
    let asked = house.booking(&host, &id).await;
    assert_eq!((asked["phase"].as_str(), possible(&asked)), (Some("awaiting_host"), vec!["accept", "decline"]));
    assert!(asked["payment"].is_null() && asked["client_reference"].is_null() && asked["message"] == "Hello");
    let accepted = house.command(&format!("/bookings/{id}/accept"), &host, json!({})).await.is(200);
    assert_eq!(accepted.text("/phase"), "awaiting_payment");
    house.settle().await;
    let confirmed = house.booking(&guest, &id).await;
    assert_eq!((confirmed["status"].as_str(), possible(&confirmed)), (Some("confirmed"), vec!["cancel"]));
    assert_eq!(confirmed["payment"]["status"], "captured");
    house.command(&format!("/bookings/{id}/accept"), &host, json!({})).await.refused(409, "out_of_turn");

    house.advance(TimeDelta::days(35)).await;
    assert_eq!(house.booking(&guest, &id).await["status"], "completed");
    let late = house.command(&format!("/bookings/{id}/cancel"), &guest, json!({})).await.refused(409, "out_of_turn");
    assert!(late.text("/detail").ends_with("the booking is completed"), "{}", late.body);
    let payouts = house.get("/payouts", host.token()).await.is(200);
    assert_eq!(
        (&payouts.body["data"][0]["status"], payouts.body["data"].as_array().unwrap().len()),
        (&json!("paid"), 1)
    );
    let books = house.books().await;
    let (transfers, intents) = (&books.transfers, &books.intents);
    assert_eq!((transfers.len(), intents.len()), (1, 1));
    assert_eq!(payouts.body["data"][0]["amount"]["amount_minor"], transfers[0].amount.minor);
    assert_eq!(confirmed["total"]["amount_minor"], intents[0].captured.minor);
    assert_eq!(house.trial_balance().await, [("EUR".to_owned(), 0)]);
    assert_eq!(house.balance(&format!("escrow:{id}")).await, 0);

    let story = house.get(&format!("/bookings/{id}/timeline"), guest.token()).await.is(200);
    let told: Vec<_> =
        story.body["data"].as_array().unwrap().iter().filter_map(|entry| entry["what"].as_str()).collect();
    assert_eq!(told, ["requested", "payment_authorized", "accepted", "payment_captured", "completed"]);
    let messages = house.get("/notifications", guest.token()).await.is(200);
    let about: Vec<_> =
        messages.body["data"].as_array().unwrap().iter().filter(|m| m["booking_id"] == id.as_str()).collect();
    assert_eq!(
        (about.len(), &about[0]["letter"], &about[0]["status"]),
        (1, &json!("booking_confirmed"), &json!("sent"))
    );
    let read = house
        .post(&format!("/notifications/{}/read", about[0]["id"].as_str().unwrap()), guest.token(), json!({}))
        .await;
    assert!(read.is(200).body["read_at"].is_string());
}

async fn an_instant_booking_needs_no_host(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (10, 2), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    assert_eq!(house.phase(&guest, &id).await, "confirmed");
    assert_eq!(house.intents(&id).await[0].state, "captured");
}

async fn a_silent_host_costs_the_guest_nothing(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, apartment()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order.clone()).await;
    house.advance(TimeDelta::hours(25)).await;
    let expired = house.booking(&guest, &id).await;
    assert_eq!((&expired["phase"], &expired["reason"]), (&json!("expired"), &json!("host_silent")));
    let intent = house.intents(&id).await.remove(0);
    assert_eq!((intent.state.as_str(), intent.captured.minor), ("voided", 0));
    // Two reminders and the request itself, and the nights are free again.
    assert_eq!(
        house.get("/notifications", host.token()).await.body["data"].as_array().unwrap().len(),
        4,
        "with the welcome"
    );
    house.book(&guest, order).await;
}

async fn a_declined_request_frees_the_nights(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, apartment()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order.clone()).await;
    house.command(&format!("/bookings/{id}/decline"), &host, json!({})).await.is(200);
    house.settle().await;
    assert_eq!(house.phase(&guest, &id).await, "declined");
    assert_eq!(house.intents(&id).await[0].state, "voided");
    house.command(&format!("/bookings/{id}/accept"), &host, json!({})).await.refused(409, "out_of_turn");
    house.book(&guest, order).await;
}

async fn a_refused_booking_says_when_the_hold_ends(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let host = house.person("host@example.org").await;
    let (first, second) = (house.person("first@example.org").await, house.person("second@example.org").await);
    let home = house.home(&host, apartment()).await;
    let order = house.order(&home, (30, 3), "pm_card_ok").await;
    let overlapping = house.order(&home, (32, 3), "pm_card_ok").await;
    // Not settled: the payment is still to come, so the nights are only held.
    let made = house.command("/bookings", &first, order).await.is(201);
    let refused = house.command("/bookings", &second, overlapping.clone()).await.refused(409, "dates_unavailable");
    let until = made.text("/hold_expires_at");
    assert_eq!(refused.text("/hold_expires_at"), until);
    assert!(refused.text("/detail").contains(&until[..19]), "{}", refused.body);
    assert_eq!(house.get("/bookings", second.token()).await.body["data"], json!([]));
    assert!(refused.text("/detail").contains("for somebody else") && refused.body.get("booking_id").is_none());
    let own = house.command("/bookings", &first, overlapping.clone()).await.refused(409, "dates_unavailable");
    assert!(own.text("/detail").contains("for yourself"), "{}", own.body);
    assert_eq!((own.text("/booking_id"), own.text("/hold_expires_at")), (made.text("/id"), until));
    let question = json!({"property_id": home, "check_in": overlapping["check_in"], "check_out": overlapping["check_out"], "guests": {"adults": 1}});
    house.post("/quotes", second.token(), question).await.refused(409, "dates_unavailable");
    house.settle().await;
}

async fn a_home_with_two_units_takes_two(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let mut listing = instant();
    listing["units"] = 2.into();
    let home = house.home(&host, listing).await;
    let order = house.order(&home, (30, 3), "pm_card_ok").await;
    let both = [house.book(&guest, order.clone()).await, house.book(&guest, order.clone()).await];
    assert_ne!(both[0], both[1]);
    let refused = house.command("/bookings", &guest, order.clone()).await.refused(409, "dates_unavailable");
    assert!(refused.body.get("hold_expires_at").is_none(), "nothing is held: {}", refused.body);
    let calendar = format!("/properties/{home}/availability?from={}", order["check_in"].as_str().unwrap());
    let night = house.get(&calendar, host.token()).await.is(200).body["nights"][0].clone();
    assert_eq!((&night["available"], night["taken"].as_array().unwrap().len()), (&json!(false), 2));
    assert_eq!(house.get(&calendar, guest.token()).await.is(200).body["nights"][0]["taken"], Value::Null);
}

async fn guests_may_change_on_one_day(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    for ahead in [30, 33, 27] {
        let order = house.order(&home, (ahead, 3), "pm_card_ok").await;
        house.book(&guest, order).await;
    }
}

async fn preparation_nights_are_one_shared_gap(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let mut listing = instant();
    listing["rules"] = json!({"preparation_nights": 1});
    let home = house.home(&host, listing).await;
    let first = house.order(&home, (30, 3), "pm_card_ok").await;
    house.book(&guest, first).await;
    let too_near = house.order(&home, (33, 2), "pm_card_ok").await;
    house.command("/bookings", &guest, too_near).await.refused(409, "dates_unavailable");
    let near_enough = house.order(&home, (34, 2), "pm_card_ok").await;
    house.book(&guest, near_enough).await;
}

async fn a_stay_is_in_the_same_phase_wherever_it_is_shown(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let mut order = house.order(&home, (3, 2), "pm_card_ok").await;
    order["client_reference"] = "mine".into();
    let id = house.book(&guest, order).await;
    let booking = house.booking(&guest, &id).await;
    let mut seen = vec![booking["phase"].clone()];
    for (instant, minutes) in [("check_in_at", 1), ("check_out_at", 1)] {
        let instant: chrono::DateTime<chrono::Utc> = booking[instant].as_str().unwrap().parse().unwrap();
        house.advance(instant + TimeDelta::minutes(minutes) - house.app.engine.now().await.unwrap()).await;
        let alone = house.booking(&guest, &id).await["phase"].clone();
        for list in ["/bookings", "/bookings?client_reference=mine", "/bookings?as=guest"] {
            assert_eq!(house.get(list, guest.token()).await.is(200).body["data"][0]["phase"], alone, "{list}");
        }
        seen.push(alone);
    }
    assert_eq!(seen, ["confirmed", "in_stay", "completed"]);
}

async fn what_is_empty_or_backward_is_named_for_what_it_is(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let both = json!({"seconds": 1, "to": "2999-01-01T00:00:00Z"});
    let back = json!({"to": "2001-01-01T00:00:00Z"});
    for (body, place, code) in
        [(json!({}), "/seconds", "missing"), (both, "/to", "contradiction"), (back, "/to", "out_of_range")]
    {
        let refused = house.post("/sandbox/clock", None, body).await.is(422);
        assert_eq!((refused.text("/errors/0/pointer"), refused.text("/errors/0/code")), (place.into(), code.into()));
    }
    for query in ["city=", "city=%20", "country=", "kind="] {
        let refused = house.get(&format!("/search?{query}"), None).await.is(400);
        assert_eq!(refused.text("/errors/0/code"), "empty", "{query}");
    }
}
