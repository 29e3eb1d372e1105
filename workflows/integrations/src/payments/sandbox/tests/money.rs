//! What money does: held, taken, let go, given back, sent on.

use super::*;

#[tokio::test]
async fn a_good_card_is_held_taken_and_given_back() {
    let world = World::new().await;
    let gateway = &world.gateway;
    let answer = gateway.authorize("a", &request(1, "pm_card_ok")).await.unwrap();
    let AuthorizeAnswer::Authorized { intent, capture_before } = answer else { panic!("{answer:?}") };
    assert_eq!(capture_before, noon() + TimeDelta::days(7));
    assert_eq!(gateway.retrieve(&intent).await.unwrap(), IntentStatus::Authorized { capture_before });

    gateway.capture("c", &intent, eur(41_200)).await.unwrap();
    let given_back = gateway.refund("r", &intent, eur(1_200)).await.unwrap();

    assert!(matches!(given_back, RefundAnswer::Refunded { .. }));
    let status = gateway.retrieve(&intent).await.unwrap();
    assert_eq!(status, IntentStatus::Captured { captured: eur(41_200), refunded: eur(1_200) });
    let books = gateway.books().await.unwrap();
    assert_eq!((books.live_captures(booking(1)), books.live_holds(booking(1))), (1, 0));
    assert_eq!(books.live_captures(booking(2)), 0);
}

#[tokio::test]
async fn a_longer_hold_is_granted_up_to_a_month() {
    let world = World::new().await;
    for (days, granted) in [(12, 12), (90, 30)] {
        let wanted = AuthorizeRequest { hold_until: noon() + TimeDelta::days(days), ..request(1, "pm_card_ok") };
        let answer = world.gateway.authorize(&format!("{days} days"), &wanted).await.unwrap();
        let AuthorizeAnswer::Authorized { capture_before, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(capture_before, noon() + TimeDelta::days(granted));
    }
}

#[tokio::test]
async fn cards_are_declined_for_the_reason_in_their_name() {
    let world = World::new().await;
    let reasons = [
        ("pm_card_declined", "card_declined"),
        ("pm_card_insufficient_funds", "insufficient_funds"),
        ("4242 4242 4242 4242", "unknown_method"),
    ];
    for (method, reason) in reasons {
        let answer = world.gateway.authorize(method, &request(1, method)).await.unwrap();
        let AuthorizeAnswer::Declined { intent: Some(intent), code } = answer else { panic!("{answer:?}") };
        assert_eq!(code, reason);
        assert_eq!(world.gateway.retrieve(&intent).await.unwrap(), IntentStatus::Declined { code });
        let taken = world.gateway.capture(&format!("take {method}"), &intent, eur(1)).await.unwrap();
        assert_eq!(taken, CaptureAnswer::Declined { code: declined(reason) });
    }
    assert_eq!(world.gateway.books().await.unwrap().live_holds(booking(1)), 0);
}

#[tokio::test]
async fn a_guest_who_confirms_is_held_and_one_who_refuses_is_not() {
    let cases = [
        ("pm_card_action", GuestAnswer::Confirms, Ok(())),
        ("pm_card_action", GuestAnswer::Refuses, Err("authentication_failed")),
        ("pm_card_action_then_declined", GuestAnswer::Confirms, Err("card_declined")),
    ];
    for (method, answer, outcome) in cases {
        let world = World::new().await;
        let asked = world.gateway.authorize("a", &request(1, method)).await.unwrap();
        let AuthorizeAnswer::ActionRequired { intent, url } = asked else { panic!("{asked:?}") };
        assert_eq!(url, format!("http://127.0.0.1:1/sandbox/challenges/{intent}"));
        assert_eq!(world.gateway.retrieve(&intent).await.unwrap(), IntentStatus::RequiresAction);
        let too_early = world.gateway.capture("c", &intent, eur(1)).await.unwrap();
        assert_eq!(too_early, CaptureAnswer::Declined { code: declined("authentication_required") });

        let status = world.gateway.complete_challenge(&intent, answer).await.unwrap();

        let expected = match outcome {
            Ok(()) => IntentStatus::Authorized { capture_before: noon() + TimeDelta::days(7) },
            Err(code) => IntentStatus::Declined { code: declined(code) },
        };
        assert_eq!(status, expected, "{method} {answer:?}");
        let again = world.gateway.complete_challenge(&intent, GuestAnswer::Confirms).await.unwrap();
        assert_eq!(again, expected, "a guest answers once");
    }
}

#[tokio::test]
async fn less_than_the_hold_may_be_taken_and_never_more() {
    let world = World::new().await;
    let intent = world.held_on("pm_card_ok").await;
    let usd = Money::new(100, Currency::USD);
    for wrong in [eur(41_201), eur(0), eur(-1), usd] {
        let error = world.gateway.capture(&format!("take {wrong}"), &intent, wrong).await.unwrap_err();
        assert!(matches!(error, Error::Misconfigured { .. }), "{wrong}: {error}");
    }
    world.gateway.capture("part", &intent, eur(10_000)).await.unwrap();
    let status = world.gateway.retrieve(&intent).await.unwrap();
    assert_eq!(status, IntentStatus::Captured { captured: eur(10_000), refunded: eur(0) });
}

#[tokio::test]
async fn money_is_taken_once_whatever_the_key() {
    let world = World::new().await;
    let intent = world.held_on("pm_card_ok").await;
    let first = world.gateway.capture("one", &intent, eur(41_200)).await.unwrap();
    let second = world.gateway.capture("two", &intent, eur(41_200)).await.unwrap();
    let other_amount = world.gateway.capture("three", &intent, eur(1)).await.unwrap();

    assert_eq!(first, second, "the same wish is answered with the same charge");
    assert_eq!(other_amount, CaptureAnswer::Declined { code: declined("already_captured") });
    assert_eq!(world.gateway.books().await.unwrap().intents[0].captured, eur(41_200));
}

#[tokio::test]
async fn a_hold_is_let_go_once_and_a_capture_comes_too_late() {
    let world = World::new().await;
    let intent = world.held_on("pm_card_ok").await;
    for key in ["first", "second"] {
        assert_eq!(world.gateway.void(key, &intent).await.unwrap(), VoidAnswer::Voided);
    }
    let late = world.gateway.capture("late", &intent, eur(41_200)).await.unwrap();
    assert_eq!(late, CaptureAnswer::Declined { code: declined("intent_voided") });
    assert_eq!(world.gateway.retrieve(&intent).await.unwrap(), IntentStatus::Voided);
}

#[tokio::test]
async fn money_taken_is_not_let_go_and_the_answer_says_what_was_taken() {
    let world = World::new().await;
    let intent = world.held_on("pm_card_ok").await;
    let answer = world.gateway.capture("take", &intent, eur(5_000)).await.unwrap();
    let CaptureAnswer::Captured { charge } = answer else { panic!("{answer:?}") };
    let void = world.gateway.void("void", &intent).await.unwrap();
    assert_eq!(void, VoidAnswer::AlreadyCaptured { charge, amount: eur(5_000) });
}

#[tokio::test]
async fn a_hold_that_nobody_used_lapses_on_its_own() {
    let world = World::new().await;
    let intent = world.held_on("pm_card_ok").await;
    world.advance(TimeDelta::days(7));
    assert_eq!(world.gateway.retrieve(&intent).await.unwrap(), IntentStatus::Voided);
    let late = world.gateway.capture("late", &intent, eur(41_200)).await.unwrap();
    assert_eq!(late, CaptureAnswer::Declined { code: declined("authorization_expired") });
    assert_eq!(world.gateway.books().await.unwrap().intents[0].state, "lapsed");
}

#[tokio::test]
async fn never_more_is_given_back_than_was_taken() {
    let world = World::new().await;
    let intent = world.captured_on("pm_card_ok").await;
    world.gateway.refund("part", &intent, eur(41_000)).await.unwrap();
    let too_much = world.gateway.refund("too much", &intent, eur(201)).await.unwrap();
    let the_rest = world.gateway.refund("rest", &intent, eur(200)).await.unwrap();
    let nothing_left = world.gateway.refund("again", &intent, eur(1)).await.unwrap();

    let refused = RefundAnswer::Declined { code: declined("refund_exceeds_capture") };
    assert_eq!((&too_much, &nothing_left), (&refused, &refused));
    assert!(matches!(the_rest, RefundAnswer::Refunded { .. }));
    let books = world.gateway.books().await.unwrap();
    assert_eq!(books.live_captures(booking(1)), 0, "a charge wholly given back is no live capture");
    assert_eq!(books.refunds.iter().map(|refund| refund.amount.minor).collect::<Vec<_>>().len(), 2);
}

#[tokio::test]
async fn money_only_held_is_not_given_back() {
    let world = World::new().await;
    let intent = world.held_on("pm_card_ok").await;
    let answer = world.gateway.refund("r", &intent, eur(1)).await.unwrap();
    assert_eq!(answer, RefundAnswer::Declined { code: declined("not_captured") });
}

#[tokio::test]
async fn some_cards_fail_at_the_second_or_third_step() {
    let world = World::new().await;
    let intent = world.held_on("pm_card_capture_declined").await;
    let answer = world.gateway.capture("c", &intent, eur(41_200)).await.unwrap();
    assert_eq!(answer, CaptureAnswer::Declined { code: declined("capture_declined") });
    assert!(matches!(world.gateway.retrieve(&intent).await.unwrap(), IntentStatus::Authorized { .. }));

    let world = World::new().await;
    let intent = world.captured_on("pm_card_refund_declined").await;
    let answer = world.gateway.refund("r", &intent, eur(1)).await.unwrap();
    assert_eq!(answer, RefundAnswer::Declined { code: declined("refund_declined") });
}

#[tokio::test]
async fn a_host_is_paid_on_a_good_account_only() {
    let world = World::new().await;
    let pay = async |n: u8, account: &str| world.gateway.pay_out(account, &payout(n, account)).await.unwrap();
    assert!(matches!(pay(1, "acct_ok").await, PayoutAnswer::Paid { .. }));
    assert_eq!(pay(2, "acct_declined").await, PayoutAnswer::Declined { code: declined("account_closed") });
    assert_eq!(pay(3, "DE02 1203").await, PayoutAnswer::Declined { code: declined("unknown_account") });
    let transfers = world.gateway.books().await.unwrap().transfers;
    assert_eq!(
        transfers.iter().map(|t| (t.account.as_str(), t.amount)).collect::<Vec<_>>(),
        [("acct_ok", eur(35_000))]
    );
}

#[tokio::test]
async fn an_intent_nobody_made_is_our_mistake() {
    let world = World::new().await;
    assert!(matches!(world.gateway.retrieve("pi_none").await, Err(Error::Misconfigured { .. })));
    assert!(matches!(world.gateway.capture("c", "pi_none", eur(1)).await, Err(Error::Misconfigured { .. })));
    assert_eq!(world.gateway.find("c").await.unwrap(), None, "what is refused as a mistake leaves no trace");
}
