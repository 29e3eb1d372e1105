//! Privacy: what people write about themselves and to each other stays in rows that can be erased.

use chrono::TimeDelta;
use harness::app::{PASSWORD, Signed, authorized, send};
use harness::market::instant;
use harness::{Backend, TestApp, TestDatabase, on_both};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::json;

on_both!(nothing_personal_is_in_what_is_kept_for_ever);

/// Planted in every free text; nothing of ours is called so.
const CANARY: &str = "Zyxcanary";

/// The tables that are never erased: the engine's own, its log and the ledger.
const KEPT: &str = "name like 'workflow_%' or name like 'ledger_%' or name in ('event_log', 'schedule_tick', 'payout', 'payment', 'payment_reference', 'webhook_inbox')";

/// Every row of those tables, as text.
async fn dump(house: &TestApp) -> Vec<(String, String)> {
    let connection = &house.db.connection;
    let tables = match house.db.backend {
        Backend::Postgres => "(select tablename as name from pg_tables where schemaname = 'public') as tables",
        Backend::Sqlite => "(select name from sqlite_master where type = 'table') as tables",
    };
    let tables = connection.query_all_raw(house.sql(&format!("select name from {tables} where {KEPT}"))).await.unwrap();
    let mut found = vec![];
    for table in tables.iter().map(|row| row.try_get::<String>("", "name").unwrap()) {
        let whole_row = match house.db.backend {
            Backend::Postgres => "t::text".to_owned(),
            Backend::Sqlite => {
                let columns = house.sql(&format!("select name from pragma_table_info('{table}')"));
                let columns = connection.query_all_raw(columns).await.unwrap();
                let texts = columns.iter().map(|row| format!("quote({})", row.try_get::<String>("", "name").unwrap()));
                texts.collect::<Vec<_>>().join(" || ' ' || ")
            }
        };
        let rows =
            connection.query_all_raw(house.sql(&format!("select {whole_row} as whole from {table} t"))).await.unwrap();
        found.extend(rows.iter().map(|row| (table.clone(), row.try_get::<String>("", "whole").unwrap())));
    }
    found
}

/// A person whose every word is a canary.
async fn person(house: &TestApp, who: &str) -> Signed {
    let email = format!("{CANARY}.{who}@example.org");
    let account = json!({"email": email, "password": PASSWORD, "name": format!("{CANARY} {who}")});
    assert_eq!(house.post("/register", None, account).await.status, 202);
    house.settle().await;
    let proof = json!({"token": house.link_token(&email)});
    assert_eq!(house.post("/verify-email", None, proof).await.status, 204);
    let login = house.request(Method::POST, "/login").header("user-agent", CANARY);
    let signed = Signed::from(send(login.json(&json!({"email": email, "password": PASSWORD}))).await);
    let profile = authorized(house.request(Method::PATCH, "/profile"), signed.token());
    send(profile.json(&json!({"phone": "+4312345678900"}))).await.is(200);
    signed
}

async fn nothing_personal_is_in_what_is_kept_for_ever(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (person(&house, "host").await, person(&house, "guest").await);
    let mut listing = instant();
    listing["title"] = CANARY.into();
    listing["description"] = CANARY.into();
    let home = house.home(&host, listing).await;
    let caption = json!({"content_type": "image/png", "bytes": 1, "caption": CANARY});
    let image = house.post(&format!("/properties/{home}/images"), host.token(), caption).await.is(201).text("/id");
    house.post(&format!("/properties/{home}/images/{image}/complete"), host.token(), json!({})).await.is(202);
    let mut kept = house.order(&home, (3, 2), "pm_card_ok").await;
    kept["message"] = CANARY.into();
    kept["client_reference"] = CANARY.into();
    house.book(&guest, kept).await;
    let mut ended = house.order(&home, (30, 2), "pm_card_action").await;
    ended["message"] = CANARY.into();
    let ended = house.book(&guest, ended).await;
    house.command(&format!("/bookings/{ended}/cancel"), &guest, json!({})).await.is(200);
    house.advance(TimeDelta::days(7)).await;
    house.hear_the_gateway().await;

    let rows = dump(&house).await;
    let tables: std::collections::BTreeSet<_> = rows.iter().map(|(table, _)| table.as_str()).collect();
    for needed in ["workflow_run", "workflow_journal", "ledger_leg", "payout", "payment"] {
        assert!(tables.contains(needed), "nothing was looked at in {needed}: {tables:?}");
    }
    for (table, row) in &rows {
        for word in [CANARY, "4312345678900", PASSWORD] {
            assert!(!row.to_lowercase().contains(&word.to_lowercase()), "{table} keeps {word}: {row}");
        }
    }
    // The letters did speak of them: the canary sings where it may.
    assert!(house.outbox.to(&format!("{CANARY}.guest")).iter().any(|letter| letter.text.contains(CANARY)));
}
