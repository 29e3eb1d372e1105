//! One story per ending.

use engine::testkit::Script;

use super::*;

fn start() -> Script<Payment> {
    Script::<Payment>::start(due(), noon())
}

fn authorized() -> Event {
    Event::Authorized { intent: pi(), capture_before: in_a_week() }
}

fn captured() -> Event {
    Event::Captured { charge: "ch_1".to_owned() }
}

fn refunded() -> Event {
    Event::Refunded { refund: "re_1".to_owned() }
}

fn challenged() -> Script<Payment> {
    let mut run = start();
    run.feed(Event::ActionRequired { intent: pi(), url: "https://bank.example/3ds".to_owned() });
    run
}

/// The words of what the booking was told.
fn told(run: &Script<Payment>) -> Vec<String> {
    let news =
        run.tells().iter().map(|tell| tell.event.trim_start_matches("{\"").split('"').next().unwrap().to_owned());
    news.collect()
}

#[test]
fn money_is_reserved_then_taken() {
    let mut run = start();
    run.feed(authorized()).feed(Event::CaptureAsked).feed(captured());
    insta::assert_snapshot!(run.transcript());
    assert_eq!(told(&run), ["PaymentAuthorized", "PaymentCaptured"]);
}

#[test]
fn a_bank_says_no() {
    let mut run = start();
    run.feed(Event::Declined { intent: None, code: no() });
    assert_eq!(told(&run), ["PaymentDeclined"]);
    assert_eq!(run.facts(), []);
}

#[test]
fn a_guest_confirms_with_the_bank_and_a_webhook_makes_us_look() {
    let mut run = challenged();
    run.feed(Event::Nudged).feed(Event::Seen(Sight::Authorized { capture_before: in_a_week() }));
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_challenge_that_nobody_answers_is_given_up_when_the_hold_is_over() {
    let mut run = challenged();
    run.feed(Event::Lapsed).feed(Event::Seen(Sight::RequiresAction)).feed(Event::Voided);
    insta::assert_snapshot!(run.transcript());
    assert_eq!(run.facts(), []);
}

#[test]
fn a_challenge_that_was_answered_in_time_counts_although_we_heard_late() {
    let mut run = challenged();
    run.feed(Event::Lapsed).feed(Event::Seen(Sight::Authorized { capture_before: in_a_week() }));
    assert_eq!(told(&run), ["PaymentNeedsAction", "PaymentAuthorized"]);
}

#[test]
fn a_void_asked_for_while_the_gateway_thinks_is_remembered() {
    let mut run = start();
    run.feed(Event::VoidAsked).feed(authorized()).feed(Event::Voided);
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_void_wins_over_a_capture_that_is_asked_for_later() {
    let mut run = start();
    run.feed(authorized()).feed(Event::VoidAsked).feed(Event::CaptureAsked).feed(Event::Voided);
    assert_eq!(told(&run), ["PaymentAuthorized", "PaymentCaptureFailed", "PaymentVoided"]);
    assert!(!run.effects().iter().any(|effect| matches!(effect, Effect::Capture { .. })));
}

#[test]
fn a_void_asked_for_during_a_capture_sends_the_money_back() {
    let mut run = start();
    run.feed(authorized()).feed(Event::CaptureAsked).feed(Event::VoidAsked).feed(captured()).feed(refunded());
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_void_that_comes_too_late_is_a_refund() {
    let mut run = start();
    run.feed(authorized()).feed(Event::VoidAsked).feed(Event::AlreadyCaptured).feed(refunded());
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_capture_that_the_bank_refuses_lets_the_reservation_go() {
    let mut run = start();
    run.feed(authorized()).feed(Event::CaptureAsked).feed(Event::CaptureDeclined { code: no() }).feed(Event::Voided);
    assert_eq!(told(&run), ["PaymentAuthorized", "PaymentCaptureFailed", "PaymentVoided"]);
}

#[test]
fn refunds_queue_behind_each_other_and_never_exceed_what_was_taken() {
    let mut run = start();
    run.feed(authorized()).feed(Event::CaptureAsked).feed(captured());
    run.feed(Event::RefundAsked { amount: euros(20_000) });
    let refusal = run.refuse(Event::RefundAsked { amount: euros(6_451) });
    assert_eq!(refusal.code, "refund_exceeds_capture");
    run.feed(Event::RefundAsked { amount: euros(6_450) });
    run.feed(refunded()).feed(refunded());
    assert_eq!(run.state().status(&due()), store::PaymentStatus::Refunded);
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_reservation_that_the_bank_let_go_is_seen_when_its_time_is_over() {
    let mut run = start();
    run.feed(authorized());
    run.advance_to(in_a_week());
    run.feed(Event::Seen(Sight::Voided));
    assert_eq!(told(&run), ["PaymentAuthorized", "PaymentVoided"]);
}

#[test]
fn a_declined_payment_that_succeeds_after_all_is_given_back() {
    let mut run = start();
    run.feed(Event::Declined { intent: Some(pi()), code: no() }).feed(Event::Nudged);
    run.feed(Event::Seen(Sight::Captured { refunded: nothing() })).feed(refunded());
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn money_that_went_back_without_us_is_flagged() {
    let mut run = start();
    run.feed(authorized()).feed(Event::CaptureAsked).feed(captured()).feed(Event::Nudged);
    assert_eq!(run.refuse(Event::Seen(Sight::Captured { refunded: euros(1) })).code, "refunded_elsewhere");
}

#[test]
fn a_gateway_that_is_never_there_is_a_card_that_did_not_work() {
    assert!(matches!(Payment::gave_up(&Effect::Authorize), Some(Event::Declined { intent: None, .. })));
    for kept in effects().into_iter().skip(1) {
        assert_eq!(Payment::gave_up(&kept), None, "{kept:?} is never given up");
    }
}
