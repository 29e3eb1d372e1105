//! Tests of the payment: every ending as a story, every pair of state and event, every order of what may happen.

mod every_order;
mod stories;

use engine::testkit::{Samples, golden, table};

use super::*;
use crate::samples::{due, euros, noon};
use domain::Money;

fn pi() -> String {
    "pi_1".to_owned()
}

fn in_a_week() -> Timestamp {
    noon() + std::time::Duration::from_secs(7 * 86_400)
}

fn no() -> String {
    "card_declined".to_owned()
}

fn nothing() -> Money {
    euros(0)
}

fn states() -> Vec<State> {
    let intent = pi();
    let action = |lapsed| State::AwaitingAction { intent: pi(), url: "https://bank.example/3ds".to_owned(), lapsed };
    let refunding = |owed| State::Refunding { intent: pi(), refunded: nothing(), asking: euros(1_000), owed };
    vec![
        State::Authorizing { wish: Wish::Keep },
        State::Authorizing { wish: Wish::Lapse },
        State::Authorizing { wish: Wish::Void },
        action(false),
        action(true),
        State::Authorized { intent: intent.clone(), capture_before: in_a_week() },
        State::Capturing { intent: intent.clone(), wish: Wish::Keep },
        State::Capturing { intent: intent.clone(), wish: Wish::Void },
        State::Captured { intent: intent.clone(), refunded: nothing() },
        State::Captured { intent: intent.clone(), refunded: due().amount },
        refunding(nothing()),
        refunding(euros(500)),
        State::Voiding { intent: intent.clone(), held: true },
        State::Voiding { intent: intent.clone(), held: false },
        State::Voided { intent: intent.clone() },
        State::Declined { intent: Some(intent), code: no() },
        State::Declined { intent: None, code: no() },
    ]
}

fn events() -> Vec<Event> {
    let seen = |sight| Event::Seen(sight);
    vec![
        Event::Authorized { intent: pi(), capture_before: in_a_week() },
        Event::ActionRequired { intent: pi(), url: "https://bank.example/3ds".to_owned() },
        Event::Declined { intent: Some(pi()), code: no() },
        Event::Captured { charge: "ch_1".to_owned() },
        Event::CaptureDeclined { code: no() },
        Event::Voided,
        Event::AlreadyCaptured,
        Event::Refunded { refund: "re_1".to_owned() },
        Event::RefundDeclined { code: no() },
        seen(Sight::RequiresAction),
        seen(Sight::Authorized { capture_before: in_a_week() }),
        seen(Sight::Captured { refunded: nothing() }),
        seen(Sight::Captured { refunded: euros(1) }),
        seen(Sight::Voided),
        seen(Sight::Declined { code: no() }),
        Event::Nudged,
        Event::WindowClosed,
        Event::CaptureAsked,
        Event::VoidAsked,
        Event::Lapsed,
        Event::RefundAsked { amount: euros(1_000) },
        Event::RefundAsked { amount: euros(99_999) },
    ]
}

fn effects() -> Vec<Effect> {
    let intent = pi();
    vec![
        Effect::Authorize,
        Effect::Capture { intent: intent.clone() },
        Effect::Void { intent: intent.clone() },
        Effect::Refund { intent: intent.clone(), amount: euros(1_000) },
        Effect::Inspect { intent },
    ]
}

fn samples() -> Samples<Payment> {
    Samples::of(due()).states(states()).events(events()).effects(effects()).timers([Timer::WindowClosed])
}

#[test]
fn what_every_event_means_in_every_state() {
    insta::assert_snapshot!("table", table(&samples(), noon()));
}

#[test]
fn what_was_ever_written_can_still_be_read() {
    golden(&samples(), "golden/payment");
}

#[test]
fn a_repeat_asks_the_gateway_in_the_same_words() {
    let saved = Payment::request(&due(), &Effect::Authorize).unwrap();
    let request: integrations::payments::AuthorizeRequest = serde_json::from_str(&saved).unwrap();
    assert_eq!(request, perform::request(&due()));
    assert_eq!(Payment::request(&due(), &Effect::Void { intent: pi() }), None);
}
