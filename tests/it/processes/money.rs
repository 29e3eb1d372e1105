//! Where the money goes: captured once, paid out once, given back when it should be.

use domain::{Account, Money, Phase, Provider};
use engine::EventKey;
use harness::{TestDatabase, on_both};
use integrations::payments::sandbox::{Fault, GuestAnswer};
use store::{PaymentStatus, PayoutStatus, payments, payouts};
use workflows::booking::{Event, Mode};
use workflows::payment::{self, Payment};

use super::market::{GUEST, HOST, Market};

async fn a_night_is_booked_and_its_host_is_paid(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = market.terms(1, GUEST, "pm_card_ok").await;
    market.book(&terms).await.unwrap();
    assert_eq!(market.phase(&terms).await, Phase::AwaitingHost);
    assert_eq!(market.balance(&Account::Hold).await, i128::from(terms.total().minor));
    market.says(&terms, Event::HostAccepted).await.unwrap();
    assert_eq!(market.phase(&terms).await, Phase::Confirmed);
    assert_eq!(market.balance(&Account::Escrow(terms.booking)).await, -i128::from(terms.total().minor));

    market.until(terms.windows.release_at + std::time::Duration::from_secs(86_400)).await;
    assert_eq!(market.phase(&terms).await, Phase::Completed);
    assert_eq!(market.balance(&Account::Escrow(terms.booking)).await, 0);
    assert_eq!(market.balance(&Account::HostPayable(HOST)).await, 0);
    let paid = payouts::list_of_host(&market.db.connection, HOST, &first_page()).await.unwrap();
    let sums: Vec<(Money, PayoutStatus)> = paid.iter().map(|payout| (payout.amount, payout.status)).collect();
    assert_eq!(sums, [(terms.offer.priced.host_net(), PayoutStatus::Paid)]);
    assert_eq!(market.gateway.books().await.unwrap().live_captures(terms.booking), 1);
    market.is_in_order().await;
}

async fn a_guest_who_calls_off_gets_the_money_back(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = market.terms(1, GUEST, "pm_card_ok").await;
    market.book(&terms).await.unwrap();
    market.says(&terms, Event::HostAccepted).await.unwrap();
    market.says(&terms, Event::GuestCanceled).await.unwrap();
    let row = market.row(&terms).await;
    assert_eq!((row.phase, row.refunded), (Phase::CanceledByGuest, terms.total()));
    assert_eq!(market.nights(&terms).await, 0);
    let payment = payments::of_anybody(&market.db.connection, terms.paying.payment).await.unwrap().unwrap();
    assert_eq!((payment.status, payment.refunded_minor), (PaymentStatus::Refunded, terms.total().minor));
    assert_eq!(market.balance(&Account::Psp(Provider::Sandbox)).await, 0);
    market.is_in_order().await;
}

async fn a_silent_host_costs_the_guest_nothing(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = market.terms(1, GUEST, "pm_card_ok").await;
    market.book(&terms).await.unwrap();
    let deadline = market.row(&terms).await.host_deadline.unwrap();
    market.until(deadline).await;
    assert_eq!(market.phase(&terms).await, Phase::Expired);
    assert_eq!(market.nights(&terms).await, 0);
    let intents = market.at_the_gateway(&terms).await;
    assert_eq!(intents.iter().map(|intent| intent.state.as_str()).collect::<Vec<_>>(), ["voided"]);
    market.is_in_order().await;
}

async fn a_guest_confirms_with_the_bank(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = market.terms(1, GUEST, "pm_card_action").await;
    market.book(&terms).await.unwrap();
    assert_eq!(market.phase(&terms).await, Phase::AwaitingGuestAction);
    let row = payments::of_anybody(&market.db.connection, terms.paying.payment).await.unwrap().unwrap();
    let intent = row.intent.unwrap();
    assert!(row.action_url.unwrap().contains(&intent));
    let known = payments::by_reference(&market.db.connection, "sandbox", &intent).await.unwrap();
    assert_eq!(known, Some(terms.paying.payment), "a webhook finds the payment by the gateway's name");

    market.gateway.complete_challenge(&intent, GuestAnswer::Confirms).await.unwrap();
    for _again in 0..2 {
        hint(&market, &terms, "evt_1").await;
    }
    market.settle().await;
    assert_eq!(market.phase(&terms).await, Phase::AwaitingHost);
    market.says(&terms, Event::HostDeclined).await.unwrap();
    market.is_in_order().await;
}

/// What a webhook does.
async fn hint(market: &Market, terms: &workflows::booking::Terms, event: &str) {
    let tx = market.engine.begin().await.unwrap();
    let run = payment::run_of(terms.paying.payment);
    let key = EventKey::webhook("sandbox", event);
    match tx.note::<Payment>(run, &payment::Event::Nudged, key, &engine::Origin::default()).await {
        Ok(_) => tx.commit().await.unwrap(),
        Err(engine::TurnError::Duplicate) => {}
        Err(error) => panic!("{error}"),
    }
}

async fn a_declined_card_gives_way_to_another(db: TestDatabase) {
    let market = Market::open(db).await;
    let mut terms = market.terms(1, GUEST, "pm_card_declined").await;
    terms.mode = Mode::Instant;
    market.book(&terms).await.unwrap();
    assert_eq!(market.phase(&terms).await, Phase::AwaitingGuestAction);
    let second = domain::PaymentId::from_uuid(uuid::Uuid::from_u128(0x0196_8b2e_0000_7000_8000_0000_0000_0999));
    let offered = Event::CardOffered { payment: second, method: "pm_card_ok".to_owned() };
    market.says(&terms, offered).await.unwrap();
    let row = market.row(&terms).await;
    assert_eq!((row.phase, row.payment), (Phase::Confirmed, Some(second)));
    assert_eq!(market.gateway.books().await.unwrap().live_captures(terms.booking), 1);
    market.is_in_order().await;
}

async fn lost_answers_never_charge_twice(db: TestDatabase) {
    let market = Market::open(db).await;
    let mut terms = market.terms(1, GUEST, "pm_card_ok").await;
    terms.mode = Mode::Instant;
    market.gateway.set_fault(Fault::TimeoutAfterCommit(2)).await.unwrap();
    market.book(&terms).await.unwrap();
    market.until(market.engine.now().await.unwrap() + std::time::Duration::from_secs(120)).await;
    assert_eq!(market.phase(&terms).await, Phase::Confirmed);
    let books = market.gateway.books().await.unwrap();
    assert_eq!(books.live_captures(terms.booking), 1);
    assert!(books.calls.iter().all(|call| call.nth == 1), "one key, one execution: {:?}", books.calls);
    market.is_in_order().await;
}

async fn a_card_whose_money_cannot_be_taken_costs_nobody_anything(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = market.terms(1, GUEST, "pm_card_capture_declined").await;
    market.book(&terms).await.unwrap();
    market.says(&terms, Event::HostAccepted).await.unwrap();
    let row = market.row(&terms).await;
    assert_eq!((row.phase, row.reason.as_deref()), (Phase::CanceledBySystem, Some("payment_failed")));
    assert_eq!(market.nights(&terms).await, 0);
    market.is_in_order().await;
}

async fn a_refund_that_fails_is_shown_and_still_promised(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = market.terms(1, GUEST, "pm_card_refund_declined").await;
    market.book(&terms).await.unwrap();
    market.says(&terms, Event::HostAccepted).await.unwrap();
    market.says(&terms, Event::HostCanceled).await.unwrap();
    assert_eq!(market.row(&terms).await.reason.as_deref(), Some("refund_failed"));
    let owed = market.balance(&Account::Refund(terms.paying.payment)).await;
    assert_eq!(owed, -i128::from(terms.total().minor), "the guest is still owed it");
    market.is_in_order().await;
}

fn first_page() -> store::Page {
    store::Page { after: None, limit: 25 }
}

on_both!(
    a_night_is_booked_and_its_host_is_paid,
    a_guest_who_calls_off_gets_the_money_back,
    a_silent_host_costs_the_guest_nothing,
    a_guest_confirms_with_the_bank,
    a_declined_card_gives_way_to_another,
    lost_answers_never_charge_twice,
    a_card_whose_money_cannot_be_taken_costs_nobody_anything,
    a_refund_that_fails_is_shown_and_still_promised,
);
