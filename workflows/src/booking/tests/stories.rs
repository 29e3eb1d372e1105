//! One story per ending.

use chrono::TimeDelta;
use engine::testkit::Script;

use super::*;
use crate::samples::SECOND_CARD;

const PAID: PaymentId = FIRST_CARD;
use domain::PaymentId;

fn authorized() -> Event {
    Event::PaymentAuthorized { payment: PAID, capture_before: Some(noon() + TimeDelta::days(7)) }
}

fn captured() -> Event {
    Event::PaymentCaptured { payment: PAID }
}

fn confirmed() -> Script<Booking> {
    let mut run = Script::<Booking>::start(request(), noon());
    run.feed(authorized()).feed(Event::HostAccepted).feed(captured());
    run
}

/// Who is told what, in order.
fn letters(run: &Script<Booking>) -> Vec<&str> {
    let mail = run.spawns().iter().filter(|spawn| spawn.workflow == "mail");
    mail.map(|spawn| spawn.key.split_once(':').unwrap().1).collect()
}

#[test]
fn a_request_is_accepted_and_the_stay_comes_to_its_end() {
    let mut run = confirmed();
    run.advance_to("2026-06-20T00:00:00Z".parse().unwrap());
    insta::assert_snapshot!(run.transcript());
    assert!(run.is_final());
}

#[test]
fn an_instant_booking_asks_nobody() {
    let mut run = Script::<Booking>::start(instant_book(), noon());
    run.feed(authorized()).feed(captured());
    insta::assert_snapshot!(run.transcript());
    assert_eq!(letters(&run), ["booking_confirmed:guest", "booking_confirmed:host"]);
}

#[test]
fn a_silent_host_costs_the_guest_nothing() {
    let mut run = Script::<Booking>::start(request(), noon());
    run.feed(authorized());
    run.elapse(TimeDelta::hours(25));
    insta::assert_snapshot!(run.transcript());
    assert_eq!(letters(&run), ["booking_requested:host", "answer_half:host", "answer_last:host", "expired:guest"]);
    assert_eq!(run.facts(), []);
}

#[test]
fn a_host_says_no() {
    let mut run = Script::<Booking>::start(request(), noon());
    run.feed(authorized()).feed(Event::HostDeclined).feed(Event::PaymentVoided { payment: PAID });
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_guest_who_never_confirms_with_the_bank_loses_the_nights_after_a_day() {
    let mut run = Script::<Booking>::start(request(), noon());
    run.feed(Event::PaymentNeedsAction { payment: PAID });
    run.elapse(TimeDelta::hours(23));
    assert!(!run.is_final());
    run.elapse(TimeDelta::hours(1));
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_declined_card_keeps_the_nights_for_another() {
    let mut run = Script::<Booking>::start(instant_book(), noon());
    run.feed(Event::PaymentDeclined { payment: PAID, code: "card_declined".to_owned() });
    run.feed(Event::CardOffered { payment: SECOND_CARD, method: "pm_card_ok".to_owned() });
    run.feed(Event::PaymentAuthorized { payment: SECOND_CARD, capture_before: None });
    run.feed(Event::PaymentCaptured { payment: SECOND_CARD });
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn an_instant_bookings_hold_is_never_made_longer() {
    let mut run = Script::<Booking>::start(instant_book(), noon());
    run.feed(Event::PaymentNeedsAction { payment: PAID });
    run.elapse(TimeDelta::minutes(15));
    assert_eq!(run.state(), &State::Expired { payment: PAID, missing: Missing::Guest });
}

#[test]
fn a_payment_that_comes_late_takes_the_nights_again_if_they_are_free() {
    let mut run = Script::<Booking>::start(instant_book(), noon());
    run.elapse(TimeDelta::minutes(20));
    run.feed(authorized()).feed(captured());
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_payment_that_comes_late_goes_back_when_the_nights_are_gone() {
    let mut run = Script::<Booking>::start(instant_book(), noon());
    run.elapse(TimeDelta::minutes(20));
    let lost = Booking::contested(authorized(), &Conflict::over("nights", "taken")).unwrap();
    run.feed(lost);
    insta::assert_snapshot!(run.transcript());
    assert_eq!(run.tells().last().unwrap().event, "\"VoidAsked\"");
}

#[test]
fn a_payment_that_comes_after_check_in_goes_back() {
    let mut run = Script::<Booking>::start(request(), noon());
    run.advance_to(request().windows.check_in_at);
    run.feed(authorized());
    assert_eq!(run.tells().last().unwrap().event, "\"VoidAsked\"");
}

#[test]
fn a_guest_who_calls_off_in_time_gets_everything_back() {
    let mut run = confirmed();
    run.feed(Event::GuestCanceled).feed(Event::PaymentRefunded { payment: PAID, amount: request().total() });
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_guest_who_calls_off_late_pays_by_the_policy() {
    let mut run = confirmed();
    run.advance_to(request().windows.check_in_at - TimeDelta::hours(23));
    run.feed(Event::GuestCanceled);
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_host_who_calls_off_pays_everything_back() {
    let mut run = confirmed();
    run.advance_to(request().windows.check_in_at - TimeDelta::hours(1));
    run.feed(Event::HostCanceled);
    assert_eq!(run.state().refunded(), Some(request().total()));
}

#[test]
fn money_that_was_released_comes_back_from_those_who_got_it() {
    let mut run = confirmed();
    run.advance_to(request().windows.release_at);
    run.feed(Event::OperatorCanceled);
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_refund_that_fails_is_shown_as_failed() {
    let mut run = confirmed();
    run.feed(Event::GuestCanceled);
    let code = "refund_failed".to_owned();
    run.feed(Event::PaymentRefundFailed { payment: PAID, amount: request().total(), code });
    assert_eq!(run.state().reason(), Some("refund_failed"));
}

#[test]
fn a_booking_whose_money_cannot_be_taken_is_called_off() {
    let mut run = Script::<Booking>::start(instant_book(), noon());
    run.feed(authorized());
    run.refuse(Event::GuestCanceled);
    run.feed(Event::PaymentCaptureFailed { payment: PAID, code: "card_declined".to_owned() });
    run.feed(Event::PaymentVoided { payment: PAID });
    insta::assert_snapshot!(run.transcript());
    assert_eq!(run.facts(), []);
}

#[test]
fn a_host_never_has_longer_than_the_money_is_reserved() {
    let mut run = Script::<Booking>::start(request(), noon());
    let capture_before = Some(noon() + TimeDelta::hours(20));
    run.feed(Event::PaymentAuthorized { payment: PAID, capture_before });
    assert_eq!(run.state().held_until(), Some(noon() + TimeDelta::hours(14)));
}

#[test]
fn whoever_calls_off_second_is_told_so() {
    let mut run = confirmed();
    run.feed(Event::GuestCanceled);
    assert_eq!(run.refuse(Event::HostCanceled).code, "out_of_turn");
}
