//! Who is told what: every letter once, rendered from the rows, with nothing in it that could do harm.

use harness::{TestDatabase, on_both};
use workflows::booking::Event;

use super::market::{GUEST, HOST, Market};

async fn both_sides_are_told_what_happens(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = market.terms(1, GUEST, "pm_card_ok").await;
    market.book(&terms).await.unwrap();
    market.says(&terms, Event::HostAccepted).await.unwrap();
    market.says(&terms, Event::GuestCanceled).await.unwrap();
    assert_eq!(market.outbox.to(GUEST), ["Confirmed: your stay at Blue door", "Canceled: Blue door"]);
    let to_the_host = [
        "Ana <Maria> would like to stay at Blue door",
        "Confirmed: Ana <Maria> stays at Blue door",
        "Canceled: Blue door",
    ];
    assert_eq!(market.outbox.to(HOST), to_the_host);
    let told = market.count("select count(*) from notification where status = 'sent'").await;
    assert_eq!(told, 5);
}

async fn what_a_person_wrote_stays_text(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = market.terms(1, GUEST, "pm_card_ok").await;
    market.book(&terms).await.unwrap();
    let letter = market.outbox.letters(HOST).pop().unwrap();
    assert!(letter.html.contains("Ana &lt;Maria&gt;") && !letter.html.contains("<Maria>"), "{}", letter.html);
    assert!(letter.text.contains("Ana <Maria>") && letter.text.contains("(Europe/Lisbon)"), "{}", letter.text);
    assert!(letter.text.contains(&terms.booking.to_string()));
}

async fn a_host_is_reminded_twice_and_a_payout_announced(db: TestDatabase) {
    let market = Market::open(db).await;
    let terms = market.terms(1, GUEST, "pm_card_ok").await;
    market.book(&terms).await.unwrap();
    let deadline = market.row(&terms).await.host_deadline.unwrap();
    market.until(deadline - std::time::Duration::from_secs(60)).await;
    market.says(&terms, Event::HostAccepted).await.unwrap();
    market.until(terms.windows.release_at + std::time::Duration::from_secs(86_400)).await;
    let subjects = [
        "Ana <Maria> would like to stay at Blue door",
        "Ana <Maria> is waiting for your answer",
        "Last call: Ana <Maria> is waiting for your answer",
        "Confirmed: Ana <Maria> stays at Blue door",
        "232.80 EUR is on its way to you",
    ];
    assert_eq!(market.outbox.to(HOST), subjects);
}

on_both!(
    both_sides_are_told_what_happens,
    what_a_person_wrote_stays_text,
    a_host_is_reminded_twice_and_a_payout_announced
);
