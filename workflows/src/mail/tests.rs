//! Tests of the letter.

use domain::{Money, NotificationId, PayoutId};
use engine::testkit::{Samples, Script, explore, golden, table};

use super::*;
use crate::samples::{BOOKING, FIRST_CARD, GUEST, HOST, euros, noon};

fn message(letter: Letter, about: About) -> Message {
    Message { letter, to: GUEST, audience: Audience::Guest, about }
}

fn canceled(refund: Option<Money>) -> Message {
    message(Letter::Canceled, About::Booking { booking: BOOKING, refund })
}

fn refused(why: Refused) -> Event {
    Event::Refused { why }
}

fn payout() -> PayoutId {
    PayoutId::from_uuid(BOOKING.uuid())
}

fn samples() -> Samples<Mail> {
    let account = |letter, about| Message { audience: Audience::Account, ..message(letter, about) };
    let every_why = [Refused::ByTheReceiver, Refused::NothingToSay, Refused::PostUnavailable];
    Samples::of(canceled(Some(euros(26_450))))
        .input(message(Letter::PaymentActionNeeded, About::Payment { booking: BOOKING, payment: FIRST_CARD }))
        .input(message(Letter::PayoutSent, About::Payout { payout: payout() }))
        .input(account(Letter::Welcome, About::Account))
        .input(account(Letter::VerifyEmail, About::Verification { asked_at: noon() }))
        .states([State::Sending, State::Sent].into_iter().chain(every_why.map(|why| State::Rejected { why })))
        .events([Event::Delivered].into_iter().chain(every_why.map(refused)))
        .effects([Effect::Deliver])
}

#[test]
fn a_letter_is_delivered_once() {
    let mut run = Script::<Mail>::start(canceled(None), noon());
    run.answer(&Effect::Deliver, Event::Delivered);
    assert_eq!(run.state(), &State::Sent);
    run.refuse(Event::Delivered);
}

#[test]
fn a_letter_that_nobody_takes_is_rejected() {
    let mut run = Script::<Mail>::start(canceled(None), noon());
    run.answer(&Effect::Deliver, Mail::gave_up(&Effect::Deliver).unwrap());
    assert_eq!(run.state(), &State::Rejected { why: Refused::PostUnavailable });
}

#[test]
fn each_side_gets_its_own_letter_and_none_twice() {
    let guest = canceled(None);
    let host = Message { to: HOST, audience: Audience::Host, ..guest.clone() };
    assert_ne!((guest.key(), guest.run()), (host.key(), host.run()));
    // What goes back is told in the letter; it does not make it another one.
    assert_eq!(guest.run(), canceled(Some(euros(1))).run());
    assert_eq!(guest.notification(), NotificationId::from_uuid(guest.run().uuid()));
}

#[test]
fn asking_again_to_prove_an_address_is_another_letter() {
    let asked = |asked_at| message(Letter::VerifyEmail, About::Verification { asked_at });
    assert_ne!(asked(noon()).key(), asked(noon() + std::time::Duration::from_secs(60)).key());
}

#[test]
fn what_every_event_means_in_every_state() {
    insta::assert_snapshot!("table", table(&samples(), noon()));
}

#[test]
fn what_was_ever_written_can_still_be_read() {
    golden(&samples(), "golden/mail");
}

#[test]
fn every_order_comes_to_an_end() {
    let explored = explore::<Mail>(canceled(None), noon())
        .outcomes(|_, _| vec![Event::Delivered, refused(Refused::ByTheReceiver), refused(Refused::NothingToSay)])
        .walk();
    explored
        .no_fact_is_ever_refused()
        .always_ends_by_itself()
        .recorded::<Mail>("golden/mail/journal/sent_or_not.jsonl");
}
