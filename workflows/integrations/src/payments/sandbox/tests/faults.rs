//! A provider that is down, slow, lossy or refuses us, and what a caller learns.

use std::task::Poll;

use super::*;

#[tokio::test]
async fn an_answer_lost_after_the_work_was_done_is_found_by_the_key() {
    let world = World::new().await;
    let lost = world.gateway.authorize("a", &request(1, "pm_card_timeout_after_commit")).await;
    assert!(matches!(lost, Err(Error::Unknown { .. })), "{lost:?}");

    let found = world.another_handle().await.find("a").await.unwrap();
    let Some(Recorded::Authorize(AuthorizeAnswer::Authorized { intent, .. })) = found.clone() else {
        panic!("{found:?}")
    };
    assert!(matches!(world.gateway.retrieve(&intent).await.unwrap(), IntentStatus::Authorized { .. }));
    let repeated = world.gateway.authorize("a", &request(1, "pm_card_timeout_after_commit")).await.unwrap();
    assert_eq!(found, Some(Recorded::Authorize(repeated)), "the repeat gets the answer that was lost");
    assert_eq!(world.gateway.books().await.unwrap().intents.len(), 1);
}

#[tokio::test]
async fn a_transfer_whose_answer_was_lost_is_not_sent_twice() {
    let world = World::new().await;
    let request = payout(1, "acct_timeout_after_commit");
    assert!(matches!(world.gateway.pay_out("p", &request).await, Err(Error::Unknown { .. })));
    assert!(matches!(world.gateway.pay_out("p", &request).await, Ok(PayoutAnswer::Paid { .. })));
    assert_eq!(world.gateway.books().await.unwrap().transfers.len(), 1);
}

#[tokio::test]
async fn losing_answers_can_be_ordered_for_any_call_through_any_handle() {
    let world = World::new().await;
    let intent = world.held_on("pm_card_ok").await;
    world.another_handle().await.set_fault(Fault::TimeoutAfterCommit(2)).await.unwrap();

    let capture = async |key: &str| world.gateway.capture(key, &intent, eur(41_200)).await;
    assert!(matches!(capture("c").await, Err(Error::Unknown { .. })));
    assert!(matches!(capture("c").await, Err(Error::Unknown { .. })));
    assert!(matches!(capture("c").await, Ok(CaptureAnswer::Captured { .. })));
    assert_eq!(world.gateway.books().await.unwrap().live_captures(booking(1)), 1);
}

#[tokio::test]
async fn a_provider_that_is_down_has_done_nothing() {
    let world = World::new().await;
    world.gateway.set_fault(Fault::Down).await.unwrap();
    let other = world.another_handle().await;
    assert!(matches!(other.authorize("a", &request(1, "pm_card_ok")).await, Err(Error::Transient { .. })));
    assert!(matches!(other.find("a").await, Err(Error::Transient { .. })));
    assert!(matches!(other.retrieve("pi_any").await, Err(Error::Transient { .. })));

    world.gateway.clear_faults().await.unwrap();
    assert_eq!(other.find("a").await.unwrap(), None);
    assert!(other.authorize("a", &request(1, "pm_card_ok")).await.is_ok());
}

#[tokio::test]
async fn an_error_inside_the_provider_leaves_the_caller_in_the_dark_and_nothing_done() {
    let world = World::new().await;
    world.gateway.set_fault(Fault::Error500(1)).await.unwrap();
    let dark = world.gateway.authorize("a", &request(1, "pm_card_ok")).await;
    assert!(matches!(dark, Err(Error::Unknown { .. })), "{dark:?}");
    assert_eq!(world.gateway.find("a").await.unwrap(), None);
    assert!(world.gateway.authorize("a", &request(1, "pm_card_ok")).await.is_ok(), "the fault is used up");
}

#[tokio::test]
async fn a_look_up_that_fails_is_never_an_unknown_outcome() {
    let world = World::new().await;
    world.gateway.set_fault(Fault::Error500(1)).await.unwrap();
    assert!(matches!(world.gateway.find("a").await, Err(Error::Transient { .. })));
}

#[tokio::test]
async fn a_provider_that_is_busy_says_when_to_come_back() {
    let world = World::new().await;
    world.gateway.set_fault(Fault::RateLimited(1)).await.unwrap();
    let busy = world.gateway.authorize("a", &request(1, "pm_card_ok")).await;
    assert!(matches!(busy, Err(Error::Transient { retry_after: Some(_), .. })), "{busy:?}");
    assert!(world.gateway.authorize("a", &request(1, "pm_card_ok")).await.is_ok());
}

#[tokio::test]
async fn a_slow_provider_answers_in_the_end() {
    let world = World::new().await;
    let delay = Duration::from_millis(30);
    world.gateway.set_fault(Fault::Slow(delay)).await.unwrap();
    let started = std::time::Instant::now();
    assert!(world.gateway.authorize("a", &request(1, "pm_card_ok")).await.is_ok());
    assert!(started.elapsed() >= delay);
}

#[tokio::test]
async fn a_wrong_api_key_is_for_an_operator_to_mend() {
    let world = World::new().await;
    let wrong = SandboxConfig { api_key: "sk_live_oops".into(), ..config(&world.folder, &world.clock) };
    let gateway = SandboxGateway::open(wrong).await.unwrap();
    let refusals = [
        gateway.authorize("a", &request(1, "pm_card_ok")).await.map(|_| ()),
        gateway.pay_out("p", &payout(1, "acct_ok")).await.map(|_| ()),
        gateway.find("a").await.map(|_| ()),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Err(Error::Misconfigured { .. })), "{refusal:?}");
    }
    assert!(world.gateway.books().await.unwrap().calls.is_empty());
}

#[tokio::test]
async fn a_gateway_without_a_webhook_secret_does_not_open() {
    let world = World::new().await;
    for secrets in [vec![], vec!["".into()]] {
        let config = SandboxConfig { webhook_secrets: secrets, ..config(&world.folder, &world.clock) };
        assert!(matches!(SandboxGateway::open(config).await.err(), Some(Error::Misconfigured { .. })));
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_work() {
    let world = World::new().await;
    let at_work = world.gateway.file.begin().await.unwrap();
    let wanted = request(1, "pm_card_ok");
    let mut call = world.gateway.authorize("a", &wanted);
    let idle = world.gateway.file.handles();
    soon(async || {
        assert!(polled(&mut call).await.is_none(), "the file is locked, there can be no answer yet");
        world.gateway.file.handles() >= idle + 2
    })
    .await;
    drop(call);
    drop(at_work);

    soon(async || world.gateway.find("a").await.unwrap().is_some()).await;
    assert_eq!(world.gateway.books().await.unwrap().live_holds(booking(1)), 1);
}

/// Waits for something that happens elsewhere, and fails if it does not.
async fn soon(mut happened: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !happened().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it never happened");
}

async fn polled<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
