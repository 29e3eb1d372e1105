//! Sessions renewed, stolen, listed and ended.

use std::collections::BTreeSet;

use domain::UserId;
use futures::future::join_all;
use harness::app::{Reply, Signed, authorized, send};
use harness::{TestApp, TestDatabase, on_both};
use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use store::{UserStatus, users};

async fn refresh(house: &TestApp, token: &str) -> Reply {
    house.post("/login/refresh", None, json!({"refresh_token": token})).await
}

async fn reading(house: &TestApp, signed: &Signed) -> u16 {
    house.get("/profile", Some(&signed.access)).await.status
}

async fn an_old_refresh_token_ends_the_session(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let first = house.person("anna@example.org").await;
    let second = Signed::from(refresh(&house, &first.refresh).await);
    assert_eq!(second.session, first.session);
    assert_ne!(second.refresh, first.refresh);
    house.seconds_later(9);
    let lost = Signed::from(refresh(&house, &first.refresh).await);
    assert_eq!(lost.refresh, second.refresh, "within the grace a lost answer is said again");
    house.seconds_later(2);
    assert_eq!(refresh(&house, &first.refresh).await.code(), "session_ended");
    assert_eq!(refresh(&house, &second.refresh).await.code(), "session_ended", "the whole family is over");
    assert_eq!(reading(&house, &second).await, 401);
}

async fn even_a_very_old_token_is_known_for_what_it_is(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let first = house.person("anna@example.org").await;
    let second = Signed::from(refresh(&house, &first.refresh).await);
    let third = Signed::from(refresh(&house, &second.refresh).await);
    assert_eq!(refresh(&house, &first.refresh).await.code(), "session_ended");
    assert_eq!(refresh(&house, &third.refresh).await.code(), "session_ended");
    assert_eq!(refresh(&house, &format!("{}x", third.refresh)).await.code(), "token_invalid");
    assert_eq!(refresh(&house, &third.access).await.code(), "token_invalid");
    assert_eq!(house.get("/profile", Some(&third.refresh)).await.code(), "token_invalid");
}

async fn fifty_tabs_refresh_at_once_and_stay_in(db: TestDatabase) {
    let house = TestApp::open(db.clone()).await;
    let neighbour = house.beside(2).await;
    let first = house.person("anna@example.org").await;
    let asks = (0..50).map(|n| refresh(if n % 2 == 0 { &house } else { &neighbour }, &first.refresh));
    let renewed: Vec<Signed> = join_all(asks).await.into_iter().map(Signed::from).collect();
    let tokens: BTreeSet<&str> = renewed.iter().map(|signed| signed.refresh.as_str()).collect();
    assert_eq!(tokens.len(), 1, "one family, one token");
    assert_eq!(reading(&neighbour, &renewed[0]).await, 200);
    assert_eq!(refresh(&house, &renewed[0].refresh).await.status, 200);
}

async fn a_session_ends_when_nobody_renews_it(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let anna = house.person("anna@example.org").await;
    house.seconds_later(661);
    assert_eq!(house.get("/profile", Some(&anna.access)).await.code(), "token_invalid");
    house.seconds_later(14 * 86400);
    assert_eq!(refresh(&house, &anna.refresh).await.code(), "session_ended");
}

async fn people_see_and_end_their_own_sessions_only(db: TestDatabase) {
    let house = TestApp::open(db.clone()).await;
    let neighbour = house.beside(2).await;
    let phone = house.person("anna@example.org").await;
    let eve = house.person("eve@example.org").await;
    let credentials = json!({"email": "anna@example.org", "password": harness::app::PASSWORD});
    let laptop = Signed::from(house.post("/login", None, credentials).await);
    let page = house.get("/sessions?limit=1", Some(&laptop.access)).await;
    assert_eq!(
        (page.body["data"][0]["id"].as_str(), page.body["data"][0]["current"].as_bool()),
        (Some(laptop.session.as_str()), Some(true))
    );
    let next = format!("/sessions?limit=1&cursor={}", page.body["next_cursor"].as_str().unwrap());
    let page = house.get(&next, Some(&laptop.access)).await;
    assert_eq!(
        (page.body["data"][0]["id"].as_str(), page.body["has_more"].as_bool()),
        (Some(phone.session.as_str()), Some(false))
    );
    let end = async |signed: &Signed, id: &str| {
        send(authorized(house.request(Method::DELETE, &format!("/sessions/{id}")), Some(&signed.access))).await.status
    };
    assert_eq!(end(&eve, &phone.session).await, 404);
    assert_eq!(end(&laptop, "ses_nonsense").await, 404);
    assert_eq!(end(&laptop, &phone.session).await, 204);
    assert_eq!(end(&laptop, &phone.session).await, 404);
    assert_eq!((reading(&neighbour, &phone).await, reading(&neighbour, &laptop).await), (401, 200));
}

async fn a_suspended_person_is_out_at_once(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let anna = house.person("anna@example.org").await;
    let id: UserId = house.get("/profile", Some(&anna.access)).await.body["id"].as_str().unwrap().parse().unwrap();
    users::set_status(&house.db.connection, id, UserStatus::Suspended, house.app.wall()).await.unwrap();
    assert_eq!(house.get("/profile", Some(&anna.access)).await.code(), "account_suspended");
}

async fn the_database_holds_no_usable_token(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let anna = house.person("anna@example.org").await;
    let link = house.link_token("anna@example.org");
    for (table, column) in [
        ("session", "refresh_hash"),
        ("email_verification", "token_hash"),
        ("user_account", "password_hash"),
        ("workflow_run", "input"),
        ("workflow_run", "state"),
        ("workflow_journal", "event"),
        ("idempotency_key", "body"),
        ("signing_key", "public_jwk"),
    ] {
        let db = &house.db.connection;
        let sql = format!("select cast({column} as text) from {table}");
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        for row in rows {
            let text: String = row.try_get_by_index(0).unwrap_or_default();
            for secret in [&anna.refresh, &anna.access, &link, harness::app::PASSWORD, "anna@example.org"] {
                assert!(!text.contains(secret), "{table}.{column} holds a secret");
            }
        }
    }
}

on_both!(
    an_old_refresh_token_ends_the_session,
    even_a_very_old_token_is_known_for_what_it_is,
    fifty_tabs_refresh_at_once_and_stay_in,
    a_session_ends_when_nobody_renews_it,
    people_see_and_end_their_own_sessions_only,
    a_suspended_person_is_out_at_once,
    the_database_holds_no_usable_token,
);
