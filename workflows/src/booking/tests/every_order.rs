//! A booking, its payments and the gateway in every order of outcomes, timers, commands and messages.

use std::collections::BTreeMap;

use domain::{Account, Transaction};
use engine::Fact;
use engine::testkit::{Explored, Network, Player, Scene, Turn};
use serde::Serialize;

use super::*;
use crate::payment::{Effect, Event as Paid, Payment, Sight, State as Paying};
use crate::samples::SECOND_CARD;

/// What the gateway and our ledger hold.
#[derive(Debug, Clone, Default, Serialize)]
struct Books {
    gateway: Gateway,
    /// Balances in minor units, by the kind of account.
    ledger: BTreeMap<&'static str, i64>,
    captures: u8,
    hints: u8,
}

/// How the guest's money really stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
enum Gateway {
    #[default]
    Nothing,
    Asked,
    Held,
    Taken,
}

impl Books {
    fn of(&self, account: &str) -> i64 {
        self.ledger.get(account).copied().unwrap_or(0)
    }

    fn post(&mut self, facts: &[Fact]) {
        for fact in facts {
            let movement: Transaction = serde_json::from_str(&fact.body).unwrap();
            self.captures += u8::from(movement.kind() == domain::ledger::Kind::Captured);
            for entry in movement.entries() {
                *self.ledger.entry(kind(&entry.account)).or_default() += entry.amount.minor;
            }
        }
    }

    /// What became of the guest's money at the gateway by this turn of a payment.
    fn settle(&mut self, turn: &Turn<'_, Payment>) {
        self.gateway = match turn.event {
            Some(Paid::ActionRequired { .. }) => Gateway::Asked,
            Some(Paid::Authorized { .. } | Paid::Seen(Sight::Authorized { .. })) => Gateway::Held,
            Some(Paid::Captured { .. } | Paid::AlreadyCaptured | Paid::Seen(Sight::Captured { .. })) => Gateway::Taken,
            Some(Paid::Voided | Paid::Seen(Sight::Voided | Sight::Declined { .. })) => Gateway::Nothing,
            _ => self.gateway,
        };
        self.hints += u8::from(turn.event == Some(&Paid::Nudged));
        self.post(&turn.step.facts);
    }
}

fn kind(account: &Account) -> &'static str {
    match account {
        Account::Psp(_) => "psp",
        Account::Escrow(_) => "escrow",
        Account::Refund(_) => "refund",
        Account::Hold => "hold",
        Account::HostReceivable(_) => "owed by the host",
        _ => "the rest",
    }
}

fn at_the_gateway(effect: &Effect, scene: &Scene<'_, Payment, Books>) -> Vec<Paid> {
    let (intent, code) = ("pi".to_owned(), "no".to_owned());
    let capture_before = noon() + std::time::Duration::from_secs(7 * 86_400);
    match (effect, scene.world.gateway) {
        (Effect::Authorize, _) => vec![
            Paid::Authorized { intent: intent.clone(), capture_before },
            Paid::ActionRequired { intent, url: "https://bank.example".to_owned() },
            Paid::Declined { intent: None, code },
        ],
        (Effect::Capture { .. }, Gateway::Held) => {
            vec![Paid::Captured { charge: "ch".to_owned() }, Paid::CaptureDeclined { code }]
        }
        (Effect::Capture { .. }, Gateway::Taken) => vec![Paid::Captured { charge: "ch".to_owned() }],
        (Effect::Capture { .. }, _) => vec![Paid::CaptureDeclined { code }],
        (Effect::Void { .. }, Gateway::Taken) => vec![Paid::AlreadyCaptured],
        (Effect::Void { .. }, _) => vec![Paid::Voided],
        (Effect::Refund { .. }, _) => vec![Paid::Refunded { refund: "re".to_owned() }, Paid::RefundDeclined { code }],
        (Effect::Inspect { .. }, gateway) => seen(gateway, capture_before),
    }
}

/// What a look shows; the guest, the bank or an operator may have changed it since the last one.
fn seen(gateway: Gateway, capture_before: Timestamp) -> Vec<Paid> {
    let authorized = Sight::Authorized { capture_before };
    let captured = Sight::Captured { refunded: euros(0) };
    let sights = match gateway {
        Gateway::Asked => vec![Sight::RequiresAction, authorized, Sight::Declined { code: "no".to_owned() }, captured],
        Gateway::Held => vec![authorized, Sight::Voided, captured],
        Gateway::Taken => vec![captured],
        Gateway::Nothing => vec![Sight::Voided],
    };
    sights.into_iter().map(Paid::Seen).collect()
}

fn people(scene: &Scene<'_, Booking, Books>) -> Vec<Event> {
    let mut wishes = vec![Event::GuestCanceled, Event::HostCanceled, Event::HostAccepted, Event::HostDeclined];
    if scene.state.payment() == FIRST_CARD {
        wishes.push(Event::CardOffered { payment: SECOND_CARD, method: "pm_other".to_owned() });
    }
    wishes
}

fn everything(terms: Terms) -> Explored<Books> {
    let bookings = Player::<Booking, Books>::new()
        .commands(people)
        .fold(|books, turn: &Turn<'_, Booking>| books.post(&turn.step.facts));
    let payments = Player::<Payment, Books>::new()
        .outcomes(at_the_gateway)
        .facts(|scene| {
            let unanswered = matches!(scene.state, Paying::AwaitingAction { .. } | Paying::Authorized { .. });
            if unanswered && scene.world.hints == 0 { vec![Paid::Nudged] } else { vec![] }
        })
        .fold(|books, turn: &Turn<'_, Payment>| books.settle(turn));
    Network::new(Books::default(), noon())
        .with(bookings)
        .with(payments)
        .start::<Booking>(run_of(terms.booking), "the booking", &terms)
        .contested()
        .walk()
}

fn holds_in_every_order(terms: &Terms, name: &str) -> String {
    let total = terms.total().minor;
    let explored = everything(terms.clone());
    explored
        .no_fact_is_ever_refused()
        .always_ends_by_itself()
        .always("at most one live authorisation", |at| (0..=total).contains(&at.world.of("hold")))
        .always("at most one capture, and never more back than was taken", |at| {
            at.world.captures <= 1 && (0..=total).contains(&at.world.of("psp"))
        })
        .always("no refund without its promise", |at| at.world.of("refund") <= 0 && at.world.of("escrow") <= 0)
        .at_every_end("nothing stays reserved", |at| at.world.of("hold") == 0)
        .at_every_end("the booking's escrow is empty", |at| at.world.of("escrow") == 0)
        .at_every_end("a promise is kept, or shown as failed", |at| {
            at.world.of("refund") == 0 || at.state::<Booking>().is_some_and(refund_failed)
        });
    explored
        .recorded::<Booking>(format!("golden/booking/journal/{name}.jsonl"))
        .recorded::<Payment>(format!("golden/payment/journal/of_{name}.jsonl"));
    explored.summary()
}

fn refund_failed(state: &State) -> bool {
    state.reason() == Some("refund_failed")
}

#[test]
fn a_request_never_loses_money_in_any_order() {
    insta::assert_snapshot!(holds_in_every_order(&request(), "a_request"));
}

#[test]
fn an_instant_booking_never_loses_money_in_any_order() {
    insta::assert_snapshot!(holds_in_every_order(&instant_book(), "an_instant_booking"));
}
