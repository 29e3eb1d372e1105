//! Every persisted shape that is no workflow's own value: movements in facts, saved requests, promises in quotes, columns of JSON. The workflows' own
//! are held by a test of each; that none is forgotten is held here.

use std::collections::BTreeSet;
use std::path::Path;

use domain::Provider;
use domain::ledger::{Kind, Parties, Transaction};
use engine::Workflow;
use engine::testkit::{golden_values, variants_of};
use integrations::payments::{AuthorizeRequest, PayoutRequest, WebhookEvent};
use store::images::Variant;

use crate::payment::{Effect, Payment};
use crate::payout::{self, Payout};
use crate::quoting::Promise;
use crate::samples::{FIRST_CARD, due, euros, noon, payable, request};

fn movements() -> Vec<Transaction> {
    let (terms, due, payable) = (request(), due(), payable());
    let parties = Parties { booking: terms.booking, host: terms.host, tax: terms.tax.clone() };
    let shares = terms.offer.priced.shares();
    let host = payable.host;
    vec![
        Transaction::authorised(due.amount),
        Transaction::hold_reversed(due.amount),
        Transaction::captured(due.provider, due.booking, due.amount),
        Transaction::released(&parties, &shares),
        Transaction::cancellation_kept(&parties, &shares),
        Transaction::refund_decided(due.booking, FIRST_CARD, euros(100)),
        Transaction::refund_settled(due.provider, FIRST_CARD, euros(100)),
        Transaction::refund_failed(due.provider, FIRST_CARD, euros(100)),
        Transaction::receivable_netted(host, euros(100)),
        Transaction::payout_started(host, payable.payout, payable.amount),
        Transaction::payout_paid(payable.provider, payable.payout, payable.amount),
        Transaction::payout_failed(host, payable.payout, payable.amount),
        Transaction::payout_returned(payable.provider, host, payable.amount),
    ]
}

#[test]
fn every_kind_of_movement_that_was_ever_posted_can_be_read() {
    let kinds: Vec<String> =
        movements().iter().map(|movement| serde_json::to_value(movement).unwrap()["kind"].to_string()).collect();
    for kind in variants_of::<Kind>() {
        assert!(kinds.contains(&format!("\"{kind}\"")), "a movement of the kind {kind} has no sample");
    }
    golden_values(&movements(), "golden/facts/ledger");
}

#[test]
fn every_request_that_was_ever_saved_can_be_repeated() {
    let authorize = Payment::request(&due(), &Effect::Authorize).expect("it is saved before it is sent");
    golden_values::<AuthorizeRequest>(&[serde_json::from_str(&authorize).unwrap()], "golden/requests/authorize");
    let send = Payout::request(&payable(), &payout::Effect::Send).expect("it is saved before it is sent");
    golden_values::<PayoutRequest>(&[serde_json::from_str(&send).unwrap()], "golden/requests/payout");
}

#[test]
fn every_promise_that_was_ever_made_can_be_kept() {
    let promise = |instant_book| Promise { offer: request().offer, instant_book };
    golden_values(&[promise(false), promise(true)], "golden/quotes");
}

/// What rows keep as JSON and is no process's own.
#[test]
fn every_column_that_ever_held_json_can_be_read() {
    golden_values(&[request().offer.guests], "golden/columns/guests");
    let variant = Variant {
        name: "320.webp".to_owned(),
        key: "images/img_1/320.webp".to_owned(),
        content_type: "image/webp".to_owned(),
        width: 320,
        height: 240,
        bytes: 8_192,
    };
    golden_values(&[vec![variant]], "golden/columns/variants");
    golden_values(&[vec![("location".to_owned(), "/bookings/bkg_1".to_owned())]], "golden/columns/headers");
}

/// What the inbox keeps until a payment claims it, maybe in a later build.
#[test]
fn every_message_that_a_gateway_ever_sent_can_be_read() {
    let message = |kind: &str, intent: Option<&str>| WebhookEvent {
        id: "evt_1".to_owned(),
        kind: kind.to_owned(),
        intent: intent.map(str::to_owned),
        created: noon(),
    };
    let messages = [message("payment_intent.succeeded", Some("pi_1")), message("transfer.reversed", None)];
    golden_values(&messages, "golden/inbox");
}

#[test]
fn no_workflow_is_without_its_golden_files() {
    let has_files = |name: &&str| {
        let shelf = Path::new("golden").join(name);
        shelf.join("state").is_dir() && shelf.join("journal").is_dir()
    };
    let registered: BTreeSet<&str> = crate::onlookers(Provider::Sandbox).names().collect();
    let covered: BTreeSet<&str> = registered.iter().copied().filter(has_files).collect();
    assert_eq!(covered, registered);
}
