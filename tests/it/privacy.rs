//! Privacy: what people tell us is found in the rows that can be erased, and nowhere else.
//!
//! A story in which every text of the API carries a word of its own is played to its end. Then the engine's tables, the
//! ledger, the event log, the whole process's log at its finest level and the metrics are searched for those words.

mod canaries;
mod logs;
mod story;

use std::collections::BTreeSet;

use harness::{Dumper, TestApp, TestDatabase, on_both};
use prometheus::TextEncoder;
use serde_json::Value;

use crate::bad_input::document::{Document, kind};
use canaries::{JUDGED, PASSWORDS, PERSONAL};

/// The only tables that hold people's own words; all of them can be erased or expire.
const ERASABLE: [&str; 8] = [
    "user_account",
    "session",
    "property",
    "property_image",
    "booking",
    "idempotency_key",
    "quote",
    "email_verification",
];

/// Where a word stands, if anywhere; also as hexadecimal digits, for bytes.
fn sightings<'a>(word: &str, texts: impl Iterator<Item = &'a String>) -> Vec<String> {
    let (word, bytes) = (word.to_lowercase(), hex::encode(word));
    let capital = hex::encode(word[..1].to_uppercase() + &word[1..]);
    let seen = |text: &&String| {
        let text = text.to_lowercase();
        [&word, &bytes, &capital].iter().any(|form| text.contains(*form))
    };
    texts.filter(seen).map(|text| text.chars().take(600).collect()).collect()
}

async fn what_people_say_stays_in_rows_that_can_be_erased(db: TestDatabase) {
    let logs = logs::kept();
    let dumper = Dumper::of(&db).await.unwrap();
    let told = story::play(TestApp::open(db).await).await;
    let dump = dumper.take().await.unwrap();
    let metrics = TextEncoder::new().encode_to_string(&prometheus::gather()).unwrap();
    let lines = logs.lines();
    let mut wrong = Vec::new();
    for (what, word) in PERSONAL {
        for (table, rows) in dump.0.iter().filter(|(table, _)| !ERASABLE.contains(&table.as_str())) {
            wrong.extend(sightings(word, rows.iter()).into_iter().map(|row| format!("{what} in {table}: {row}")));
        }
        wrong.extend(sightings(word, lines.iter()).into_iter().map(|line| format!("{what} in the log: {line}")));
        wrong.extend(sightings(word, [metrics.clone()].iter()).into_iter().map(|_| format!("{what} in the metrics")));
    }
    let secrets = PASSWORDS.iter().map(|password| ("a password", (*password).to_owned()));
    for (what, secret) in secrets.chain(told.secrets.iter().map(|(what, secret)| (*what, secret.clone()))) {
        for (table, rows) in &dump.0 {
            wrong.extend(sightings(&secret, rows.iter()).into_iter().map(|row| format!("{what} in {table}: {row}")));
        }
        wrong.extend(sightings(&secret, lines.iter()).into_iter().map(|line| format!("{what} in the log: {line}")));
    }
    assert!(wrong.is_empty(), "{} sightings:\n{}", wrong.len(), wrong.join("\n"));

    // The search would have found them: each word is there where it may be, and what was logged and counted is seen.
    for (what, word) in PERSONAL.iter().filter(|(_, word)| *word != "zqtypo") {
        let seen = dump
            .0
            .iter()
            .any(|(table, rows)| ERASABLE.contains(&table.as_str()) && !sightings(word, rows.iter()).is_empty());
        assert!(seen, "{what} was told, and kept nowhere: is it planted?");
    }
    assert!(
        told.letters.iter().any(|letter| letter.to_lowercase().contains("zqtitle")),
        "no letter speaks of the home"
    );
    for table in [
        "workflow_run",
        "workflow_journal",
        "event_log",
        "ledger_leg",
        "schedule_tick",
        "payment",
        "payout",
        "webhook_inbox",
    ] {
        assert!(dump.0.contains_key(table), "nothing in {table}: the story is too short");
    }
    let (turns, logged) = (dump.0["workflow_journal"].len(), lines.len());
    assert!(turns > 30, "only {turns} turns: the story is too short");
    assert!(logged > 50, "only {logged} lines: the log is not kept");
    assert!(metrics.contains("innkeeper_"), "nothing was counted: {metrics}");
    // A word of its own: under `cargo test` both storages share one process and its log.
    tracing::trace!("Zqplanted");
    assert!(!sightings("zqplanted", logs.lines().iter()).is_empty());
}

on_both!(what_people_say_stays_in_rows_that_can_be_erased);

#[test]
fn every_text_of_a_request_is_judged() {
    let document = Document::new();
    let mut texts = BTreeSet::new();
    for operation in document.operations() {
        let Some((media, schema)) = &operation.body else { continue };
        if media.contains("json") && operation.name != "POST /webhooks/sandbox" {
            collect(&document, schema, &format!("{} ", operation.name), &mut texts);
        }
    }
    // The same form as for beginning one.
    texts.retain(|place| !place.starts_with("PATCH /properties/{id} "));
    let judged: BTreeSet<String> = JUDGED.iter().map(|(place, _)| (*place).to_owned()).collect();
    assert_eq!(texts, judged);
}

/// The places of a body that take any text: no dates, no choices.
fn collect(document: &Document, schema: &Value, place: &str, texts: &mut BTreeSet<String>) {
    let schema = document.plain(schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        collect(document, field, &format!("{place}/{name}"), texts);
    }
    if schema["items"].is_object() {
        collect(document, &schema["items"], &format!("{place}/0"), texts);
    }
    let is_free = !schema["enum"].is_array() && !matches!(schema["format"].as_str(), Some("date" | "date-time"));
    if kind(schema) == "string" && is_free && schema["properties"].is_null() {
        texts.insert(place.to_owned());
    }
}
