//! A payment alone, in every order of answers, wishes and hints; the booking with it is explored in `booking::tests`.

use std::collections::BTreeMap;

use domain::{Account, Transaction};
use engine::testkit::{Scene, Turn, explore};
use serde::Serialize;

use super::*;

/// What the gateway and our ledger hold, and what was asked for already.
#[derive(Debug, Clone, Default, Serialize)]
struct World {
    gateway: Gateway,
    ledger: BTreeMap<&'static str, i64>,
    asked: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
enum Gateway {
    #[default]
    Nothing,
    Asked,
    Held,
    Taken,
}

impl World {
    fn of(&self, account: &str) -> i64 {
        self.ledger.get(account).copied().unwrap_or(0)
    }

    fn turn(&mut self, turn: &Turn<'_, Payment>) {
        self.gateway = match turn.event {
            Some(Event::ActionRequired { .. }) => Gateway::Asked,
            Some(Event::Authorized { .. } | Event::Seen(Sight::Authorized { .. })) => Gateway::Held,
            Some(Event::Captured { .. } | Event::AlreadyCaptured | Event::Seen(Sight::Captured { .. })) => {
                Gateway::Taken
            }
            Some(Event::Voided | Event::Seen(Sight::Voided | Sight::Declined { .. })) => Gateway::Nothing,
            _ => self.gateway,
        };
        self.asked.extend(turn.event.and_then(wish));
        self.asked.sort_unstable();
        for fact in &turn.step.facts {
            let movement: Transaction = serde_json::from_str(&fact.body).unwrap();
            for entry in movement.entries() {
                *self.ledger.entry(kind(&entry.account)).or_default() += entry.amount.minor;
            }
        }
    }
}

fn kind(account: &Account) -> &'static str {
    match account {
        Account::Psp(_) => "psp",
        Account::Escrow(_) => "escrow",
        Account::Refund(_) => "refund",
        Account::Hold => "hold",
        _ => "contra",
    }
}

fn wish(event: &Event) -> Option<&'static str> {
    match event {
        Event::CaptureAsked => Some("capture"),
        Event::VoidAsked => Some("void"),
        Event::Lapsed => Some("lapse"),
        Event::Nudged => Some("look"),
        _ => None,
    }
}

/// Each wish once, as the booking sends them; a capture only of money that it heard was reserved.
fn wishes(scene: &Scene<'_, Payment, World>) -> Vec<Event> {
    let (state, world) = (scene.state, scene.world);
    let reserved =
        world.gateway == Gateway::Held || !matches!(state, State::Authorizing { .. } | State::AwaitingAction { .. });
    let all = [Event::CaptureAsked, Event::VoidAsked, Event::Lapsed, Event::Nudged];
    let new = all.into_iter().filter(|event| !world.asked.contains(&wish(event).unwrap()));
    new.filter(|event| *event != Event::CaptureAsked || reserved).collect()
}

fn outcomes(effect: &Effect, scene: &Scene<'_, Payment, World>) -> Vec<Event> {
    let charge = || Event::Captured { charge: "ch_1".to_owned() };
    match (effect, scene.world.gateway) {
        (Effect::Authorize, _) => vec![
            Event::Authorized { intent: pi(), capture_before: in_a_week() },
            Event::ActionRequired { intent: pi(), url: "https://bank.example/3ds".to_owned() },
            Event::Declined { intent: Some(pi()), code: no() },
        ],
        (Effect::Capture { .. }, Gateway::Held) => vec![charge(), Event::CaptureDeclined { code: no() }],
        (Effect::Capture { .. }, Gateway::Taken) => vec![charge()],
        (Effect::Capture { .. }, _) => vec![Event::CaptureDeclined { code: no() }],
        (Effect::Void { .. }, Gateway::Taken) => vec![Event::AlreadyCaptured],
        (Effect::Void { .. }, Gateway::Held) => vec![Event::Voided, Event::AlreadyCaptured],
        (Effect::Void { .. }, _) => vec![Event::Voided],
        (Effect::Refund { .. }, _) => vec![Event::Refunded { refund: "re_1".to_owned() }],
        (Effect::Inspect { .. }, gateway) => sights(gateway).into_iter().map(Event::Seen).collect(),
    }
}

/// What a look shows: the guest, the bank or an operator may have changed it, even a payment that was declined.
fn sights(gateway: Gateway) -> Vec<Sight> {
    let authorized = Sight::Authorized { capture_before: in_a_week() };
    let captured = Sight::Captured { refunded: nothing() };
    match gateway {
        Gateway::Asked => vec![Sight::RequiresAction, authorized, Sight::Declined { code: no() }, captured],
        Gateway::Held => vec![authorized, Sight::Voided, captured],
        Gateway::Taken => vec![captured],
        Gateway::Nothing => vec![Sight::Voided, Sight::Declined { code: no() }, authorized, captured],
    }
}

#[test]
fn no_order_of_answers_and_wishes_loses_money() {
    let total = due().amount.minor;
    let explored =
        explore::<Payment>(due(), noon()).world(World::default(), World::turn).outcomes(outcomes).facts(wishes).walk();
    explored
        .no_fact_is_ever_refused()
        .always_ends()
        .always("at most one live authorisation", |at| (0..=total).contains(&at.world.of("hold")))
        .always("what was taken covers what went back", |at| (0..=total).contains(&at.world.of("psp")))
        .always("nothing goes back that was not promised", |at| at.world.of("refund") <= 0)
        .always("money never leaves what was taken for the booking", |at| at.world.of("escrow") <= 0)
        .at_every_end("every promise is kept", |at| at.world.of("refund") == 0)
        .at_every_end("nothing stays reserved", |at| at.world.of("hold") == 0)
        .at_every_end("whoever asked for everything back has it", |at| {
            !at.world.asked.contains(&"void") || at.world.of("psp") == 0
        });
    explored.recorded::<Payment>("golden/payment/journal/alone.jsonl");
    insta::assert_snapshot!(explored.summary());
}
