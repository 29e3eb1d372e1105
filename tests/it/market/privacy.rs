//! Who may see and do what: what is not yours is not there.

use harness::market::apartment;
use harness::{TestApp, TestDatabase, on_both};
use serde_json::json;

on_both!(a_strangers_booking_is_not_there, only_the_host_answers, an_operator_reads_everything, nobody_is_nobody);

async fn a_strangers_booking_is_not_there(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let stranger = house.person("stranger@example.org").await;
    let home = house.home(&host, apartment()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    for path in [format!("/bookings/{id}"), format!("/bookings/{id}/timeline")] {
        house.get(&path, stranger.token()).await.refused(404, "not_found");
    }
    for verb in ["accept", "decline", "cancel"] {
        let path = format!("/bookings/{id}/{verb}");
        house.command(&path, &stranger, json!({})).await.refused(404, "not_found");
        house.post(&format!("{path}?dry_run=true"), stranger.token(), json!({})).await.refused(404, "not_found");
    }
    let payment = house.booking(&guest, &id).await["payment"]["id"].as_str().unwrap().to_owned();
    for other in [&stranger, &host] {
        house.get(&format!("/payments/{payment}"), other.token()).await.refused(404, "not_found");
        let card = json!({"booking_id": id, "payment_method": "pm_card_ok"});
        house.command("/payments", other, card).await.refused(404, "not_found");
    }
    assert_eq!(house.get("/bookings", stranger.token()).await.body["data"], json!([]));
    assert_eq!(house.get("/bookings?as=host", guest.token()).await.body["data"], json!([]));
    assert_eq!(house.get("/bookings?as=host&status=pending", host.token()).await.text("/data/0/id"), id);
}

async fn only_the_host_answers(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, apartment()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    for verb in ["accept", "decline"] {
        house.command(&format!("/bookings/{id}/{verb}"), &guest, json!({})).await.refused(404, "not_found");
    }
    assert_eq!(house.phase(&guest, &id).await, "awaiting_host");
}

async fn an_operator_reads_everything(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let operator = house.person("operator@example.org").await;
    let promote = "update user_account set role = 'operator' where email = 'operator@example.org'";
    sea_orm::ConnectionTrait::execute_raw(&house.db.connection, house.sql(promote)).await.unwrap();
    let home = house.home(&host, apartment()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let id = house.book(&guest, order).await;
    let told = async |who: &harness::app::Signed| {
        let story = house.get(&format!("/bookings/{id}/timeline"), who.token()).await.is(200);
        story.body["data"][0].clone()
    };
    assert!(told(&operator).await["inside"]["actor"].is_string());
    assert!(told(&guest).await["inside"].is_null());
    house.command(&format!("/bookings/{id}/cancel"), &operator, json!({})).await.is(200);
    house.settle().await;
    assert_eq!(house.phase(&guest, &id).await, "canceled_by_admin");
}

async fn nobody_is_nobody(db: TestDatabase) {
    let house = TestApp::open(db).await;
    for path in [
        "/bookings",
        "/payments",
        "/payouts",
        "/notifications",
        "/properties",
        "/quotes/quo_0192f0c1a2b37c4d8e5f60718293a4b5",
    ] {
        house.get(path, None).await.refused(401, "not_signed_in");
    }
    house.post("/bookings", None, json!({})).await.refused(401, "not_signed_in");
}
