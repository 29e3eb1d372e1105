//! Tests of the booking: every ending as a story, every pair of state and event, every order of what may happen.

mod every_order;
mod stories;

use domain::BookingStatus;
use engine::testkit::{Samples, golden, table};

use super::*;
use crate::samples::{FIRST_CARD, SECOND_CARD, euros, instant_book, noon, request};

fn hold() -> Hold {
    Hold { payment: FIRST_CARD, until: request().windows.hold_until, extended: false }
}

fn states() -> Vec<State> {
    let payment = FIRST_CARD;
    let canceled = |by, refund| State::Canceled { payment, by, refund };
    let back = |progress| Some(Returned { amount: euros(1_000), progress });
    vec![
        State::AwaitingPayment { hold: hold() },
        State::AwaitingGuest { hold: hold(), needs: Needs::Challenge },
        State::AwaitingGuest { hold: hold(), needs: Needs::OtherCard },
        State::AwaitingHost { payment, until: noon() + request().windows.host_answer },
        State::Capturing { payment },
        State::Confirmed { payment, since: noon(), released: false },
        State::Confirmed { payment, since: noon(), released: true },
        State::Completed { payment, released: false },
        State::Completed { payment, released: true },
        State::Expired { payment, missing: Missing::Payment },
        State::Expired { payment, missing: Missing::Guest },
        State::Expired { payment, missing: Missing::Host },
        State::Declined { payment },
        canceled(By::Guest, None),
        canceled(By::System, None),
        canceled(By::Operator, back(Progress::Nothing)),
        canceled(By::Guest, back(Progress::Pending)),
        canceled(By::Host, back(Progress::Settled)),
        canceled(By::Host, back(Progress::Failed)),
    ]
}

fn events() -> Vec<Event> {
    let payment = FIRST_CARD;
    let (amount, code) = (euros(1_000), "card_declined".to_owned());
    vec![
        Event::PaymentAuthorized { payment, capture_before: Some(noon() + std::time::Duration::from_secs(7 * 86_400)) },
        Event::PaymentAuthorized { payment: SECOND_CARD, capture_before: None },
        Event::PaymentNeedsAction { payment },
        Event::PaymentDeclined { payment, code: code.clone() },
        Event::PaymentCaptured { payment },
        Event::PaymentCaptureFailed { payment, code: code.clone() },
        Event::PaymentVoided { payment },
        Event::PaymentRefunded { payment, amount },
        Event::PaymentRefundFailed { payment, amount, code },
        Event::CardOffered { payment: SECOND_CARD, method: "pm_card_ok".to_owned() },
        Event::HostAccepted,
        Event::HostDeclined,
        Event::GuestCanceled,
        Event::HostCanceled,
        Event::OperatorCanceled,
        Event::NightsLost { payment },
        Event::Elapsed(Timer::HoldExpired),
    ]
}

fn samples() -> Samples<Booking> {
    use Timer::{CheckOut, HoldExpired, HostDeadline, Release, RemindHalf, RemindLast};
    let timers = [HoldExpired, RemindHalf, RemindLast, HostDeadline, Release, CheckOut];
    Samples::of(request()).input(instant_book()).states(states()).events(events()).timers(timers)
}

#[test]
fn what_every_event_means_in_every_state() {
    insta::assert_snapshot!("table", table(&samples(), noon()));
}

#[test]
fn what_was_ever_written_can_still_be_read() {
    golden(&samples(), "golden/booking");
}

#[test]
fn nights_are_held_exactly_as_long_as_somebody_may_still_come() {
    for state in states() {
        let ended = matches!(state, State::Expired { .. } | State::Declined { .. } | State::Canceled { .. });
        assert_eq!(state.status().holds_nights(), !ended, "{state:?}");
        assert_eq!(state.status() == BookingStatus::Canceled, ended, "{state:?}");
    }
}

#[test]
fn a_party_is_told_what_it_may_do_and_why_not() {
    use domain::Party::{Guest, Host};
    let said = |state: &State, who| -> Vec<String> {
        let actions = actions::actions(&request(), state, who, noon());
        let say = |action: actions::Action| match action.possible {
            Ok(until) => format!("{} until {}", action.name, until.unwrap().to_rfc3339()),
            Err(refusal) => format!("{}: {}", action.name, refusal.code),
        };
        actions.into_iter().map(say).collect()
    };
    let asked = State::AwaitingHost { payment: FIRST_CARD, until: noon() + request().windows.host_answer };
    let tomorrow = "until 2026-05-02T12:00:00+00:00";
    assert_eq!(
        said(&asked, Host),
        [format!("accept {tomorrow}"), format!("decline {tomorrow}"), "cancel: out_of_turn".into()]
    );
    assert_eq!(said(&asked, Guest), ["offer_card: out_of_turn".to_owned(), format!("cancel {tomorrow}")]);
    let capturing = State::Capturing { payment: FIRST_CARD };
    assert_eq!(said(&capturing, Guest), ["offer_card: out_of_turn", "cancel: payment_in_progress"]);
}

#[test]
fn a_preview_promises_what_calling_off_does() {
    let state = State::Confirmed { payment: FIRST_CARD, since: noon(), released: false };
    let terms = request();
    let late = terms.windows.check_in_at - std::time::Duration::from_secs(3_600);
    for (at, whole) in [(noon(), true), (late, false)] {
        let preview = actions::preview(&terms, &state, domain::Party::Guest, at).unwrap();
        let step = Booking::on(&terms, state.clone(), Event::GuestCanceled, at).unwrap();
        assert_eq!(step.state.unwrap().refunded(), Some(preview));
        assert_eq!(preview == terms.total(), whole);
    }
}
