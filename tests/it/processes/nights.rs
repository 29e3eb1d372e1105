//! Who has the nights: one booking at a time, and whoever pays too late only if they are still free.

use std::time::Duration;

use domain::Phase;
use engine::TurnError;
use harness::{TestDatabase, on_both};
use integrations::payments::sandbox::{Fault, GuestAnswer};
use workflows::booking::{Event, Mode, Terms};

use super::market::{GUEST, Market, OTHER_GUEST};

/// Longer than any pause between two tries so far, shorter than a hold.
const MINUTES: Duration = Duration::from_secs(600);

async fn a_night_is_never_held_twice(db: TestDatabase) {
    let market = Market::open(db).await;
    let (first, second) =
        (market.terms(1, GUEST, "pm_card_ok").await, market.terms(2, OTHER_GUEST, "pm_card_ok").await);
    market.book(&first).await.unwrap();
    let refused = market.book(&second).await.unwrap_err();
    assert!(matches!(&refused, TurnError::Taken(conflict) if conflict.wanted == "nights"), "{refused}");
    assert_eq!(market.nights(&first).await, 2);
    // Nothing of the loser is left: no row, no payment.
    assert!(store::bookings::of_anybody(&market.db.connection, second.booking).await.unwrap().is_none());
    assert_eq!(market.at_the_gateway(&second).await, []);

    market.says(&first, Event::GuestCanceled).await.unwrap();
    market.book(&second).await.unwrap();
    assert_eq!(market.nights(&second).await, 2);
    market.says(&second, Event::GuestCanceled).await.unwrap();
    market.is_in_order().await;
}

/// The guest confirms with the bank in time, but nobody tells us, and when the hold ends the gateway cannot be asked.
async fn paid_unheard(market: &Market) -> Terms {
    let mut terms = market.terms(1, GUEST, "pm_card_action").await;
    terms.mode = Mode::Instant;
    market.book(&terms).await.unwrap();
    let intent = market.at_the_gateway(&terms).await.remove(0).intent;
    market.gateway.complete_challenge(&intent, GuestAnswer::Confirms).await.unwrap();
    market.gateway.set_fault(Fault::Down).await.unwrap();
    market.until(terms.windows.hold_until).await;
    assert_eq!(market.phase(&terms).await, Phase::Expired);
    assert_eq!(market.nights(&terms).await, 0);
    terms
}

async fn a_late_payment_takes_the_nights_again_if_they_are_free(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = paid_unheard(&market).await;
    market.gateway.clear_faults().await.unwrap();
    market.until(terms.windows.hold_until + MINUTES).await;
    assert_eq!(market.phase(&terms).await, Phase::Confirmed);
    assert_eq!(market.nights(&terms).await, 2);
    market.is_in_order().await;
}

async fn a_late_payment_goes_back_if_the_nights_are_gone(db: TestDatabase) {
    let market = Market::open(db).await;
    let late = paid_unheard(&market).await;
    let mut rival = market.terms(2, OTHER_GUEST, "pm_card_ok").await;
    rival.mode = Mode::Instant;
    market.book(&rival).await.unwrap();
    market.gateway.clear_faults().await.unwrap();
    market.until(late.windows.hold_until + MINUTES).await;
    assert_eq!(market.phase(&rival).await, Phase::Confirmed);
    assert_eq!(market.phase(&late).await, Phase::Expired);
    assert_eq!(market.nights(&rival).await, 2);
    let states: Vec<String> = market.at_the_gateway(&late).await.into_iter().map(|intent| intent.state).collect();
    assert_eq!(states, ["voided"]);
    assert_eq!(market.outbox.to(GUEST).last().unwrap(), "Your payment for Blue door came too late");
    market.is_in_order().await;
}

on_both!(
    a_night_is_never_held_twice,
    a_late_payment_takes_the_nights_again_if_they_are_free,
    a_late_payment_goes_back_if_the_nights_are_gone,
);
