//! One key is one call: repeated, raced, misused, forgotten, looked up.

use super::*;

#[tokio::test]
async fn the_same_key_twice_is_one_charge() {
    let world = World::new().await;
    let gateway = &world.gateway;
    let first = gateway.authorize("a", &request(1, "pm_card_ok")).await.unwrap();
    let second = gateway.authorize("a", &request(1, "pm_card_ok")).await.unwrap();
    assert_eq!(first, second);
    let intent = world.gateway.books().await.unwrap().intents[0].intent.clone();
    let captures = [gateway.capture("c", &intent, eur(41_200)).await, gateway.capture("c", &intent, eur(41_200)).await];
    assert_eq!(captures[0], captures[1]);
    let refunds = [gateway.refund("r", &intent, eur(100)).await, gateway.refund("r", &intent, eur(100)).await];
    assert_eq!(refunds[0], refunds[1]);
    let payouts =
        [gateway.pay_out("p", &payout(1, "acct_ok")).await, gateway.pay_out("p", &payout(1, "acct_ok")).await];
    assert_eq!(payouts[0], payouts[1]);

    let books = gateway.books().await.unwrap();
    assert_eq!((books.intents.len(), books.refunds.len(), books.transfers.len()), (1, 1, 1));
    let calls: Vec<_> = books.calls.iter().map(|call| (call.key.as_str(), call.nth, call.attempts)).collect();
    assert_eq!(calls, [("a", 1, 2), ("c", 1, 2), ("p", 1, 2), ("r", 1, 2)]);
}

#[tokio::test]
async fn a_key_does_not_serve_two_requests() {
    let world = World::new().await;
    let gateway = &world.gateway;
    let intent = world.held_on("pm_card_ok").await;
    let dearer = AuthorizeRequest { amount: eur(41_201), ..request(1, "pm_card_ok") };
    let misuses = [
        gateway.authorize("hold", &dearer).await.map(|_| ()),
        gateway.capture("hold", &intent, eur(1)).await.map(|_| ()),
        gateway.void("hold", &intent).await.map(|_| ()),
    ];
    for misuse in misuses {
        assert!(matches!(misuse, Err(Error::Misconfigured { .. })), "{misuse:?}");
    }
    let books = gateway.books().await.unwrap();
    assert_eq!((books.intents.len(), books.live_holds(booking(1))), (1, 1));
}

#[tokio::test]
async fn a_decline_is_remembered_as_well() {
    let world = World::new().await;
    let first = world.gateway.authorize("a", &request(1, "pm_card_declined")).await.unwrap();
    let second = world.gateway.authorize("a", &request(1, "pm_card_declined")).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(world.gateway.books().await.unwrap().intents.len(), 1);
}

#[tokio::test]
async fn thirty_callers_with_one_key_through_two_handles_make_one_charge() {
    let world = World::new().await;
    let handles = [world.gateway.clone(), world.another_handle().await];
    let calls: Vec<_> = (0..30)
        .map(|n| {
            let gateway = handles[n % 2].clone();
            tokio::spawn(async move { gateway.authorize("a", &request(1, "pm_card_ok")).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let books = world.gateway.books().await.unwrap();
    assert_eq!((books.intents.len(), books.calls[0].attempts), (1, 30));
}

#[tokio::test]
async fn captures_that_race_under_two_keys_take_the_money_once() {
    let world = World::new().await;
    let intent = world.held_on("pm_card_ok").await;
    let other = world.another_handle().await;
    let (one, two) =
        tokio::join!(world.gateway.capture("one", &intent, eur(41_200)), other.capture("two", &intent, eur(41_200)));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(world.gateway.books().await.unwrap().live_captures(booking(1)), 1);
}

#[tokio::test]
async fn after_its_window_a_key_is_new_again_which_is_why_one_looks_up_first() {
    let world = World::new().await;
    let window = TimeDelta::from_std(world.gateway.safe_window()).unwrap();
    let first = world.gateway.authorize("a", &request(1, "pm_card_ok")).await.unwrap();
    world.advance(window - TimeDelta::microseconds(1));
    assert_eq!(world.gateway.authorize("a", &request(1, "pm_card_ok")).await.unwrap(), first);

    world.advance(TimeDelta::microseconds(1));
    assert_eq!(world.gateway.find("a").await.unwrap(), Some(Recorded::Authorize(first.clone())), "found however old");
    let second = world.gateway.authorize("a", &request(1, "pm_card_ok")).await.unwrap();

    assert_ne!(first, second);
    let books = world.gateway.books().await.unwrap();
    assert_eq!((books.live_holds(booking(1)), books.calls.len()), (2, 2), "the books show the accident");
}

#[tokio::test]
async fn every_kind_of_call_is_found_by_its_key() {
    let world = World::new().await;
    let gateway = &world.gateway;
    let intent = world.captured_on("pm_card_ok").await;
    gateway.refund("r", &intent, eur(1)).await.unwrap();
    gateway.void("v", &intent).await.unwrap();
    gateway.pay_out("p", &payout(1, "acct_ok")).await.unwrap();

    let found = async |key: &str| gateway.find(key).await.unwrap();
    assert!(matches!(found("hold").await, Some(Recorded::Authorize(AuthorizeAnswer::Authorized { .. }))));
    assert!(matches!(found("take").await, Some(Recorded::Capture(CaptureAnswer::Captured { .. }))));
    assert!(matches!(found("r").await, Some(Recorded::Refund(RefundAnswer::Refunded { .. }))));
    assert!(matches!(found("v").await, Some(Recorded::Void(VoidAnswer::AlreadyCaptured { .. }))));
    assert!(matches!(found("p").await, Some(Recorded::PayOut(PayoutAnswer::Paid { .. }))));
    assert_eq!(found("never used").await, None);
}

#[tokio::test]
async fn a_key_must_be_a_key() {
    let world = World::new().await;
    for key in [String::new(), "k".repeat(256)] {
        let refused = world.gateway.authorize(&key, &request(1, "pm_card_ok")).await;
        assert!(matches!(refused, Err(Error::Misconfigured { .. })));
    }
}
