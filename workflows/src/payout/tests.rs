//! Tests of the payout.

use engine::testkit::{Samples, Script, explore, golden, table};

use super::*;
use crate::samples::{euros, noon, payable};

fn paid() -> Event {
    Event::Paid { transfer: "tr_1".to_owned() }
}

fn declined() -> Event {
    Event::Declined { code: "account_closed".to_owned() }
}

fn samples() -> Samples<Payout> {
    let states = [
        State::Sending,
        State::Paid { transfer: "tr_1".to_owned() },
        State::Failed { code: "account_closed".to_owned() },
    ];
    Samples::of(payable()).states(states).events([paid(), declined()]).effects([Effect::Send])
}

#[test]
fn a_host_is_paid_and_told() {
    let mut run = Script::<Payout>::start(payable(), noon());
    run.answer(&Effect::Send, paid());
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn what_a_host_owes_is_taken_off_first() {
    let netted = euros(1_000);
    let run = Script::<Payout>::start(Payable { netted, ..payable() }, noon());
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_payout_that_is_refused_is_the_hosts_again() {
    let mut run = Script::<Payout>::start(payable(), noon());
    run.answer(&Effect::Send, declined());
    insta::assert_snapshot!(run.transcript());
    assert_eq!(run.spawns(), []);
}

#[test]
fn a_host_has_one_payout_per_currency_and_date() {
    let Payable { host, amount, date, .. } = payable();
    assert_eq!(Payable::id(host, amount, date), Payable::id(host, euros(1), date));
    assert_ne!(Payable::id(host, amount, date), Payable::id(host, amount, date.succ_opt().unwrap()));
    let other = domain::Money::new(1, domain::Currency::USD);
    assert_ne!(Payable::id(host, amount, date), Payable::id(host, other, date));
}

#[test]
fn what_every_event_means_in_every_state() {
    insta::assert_snapshot!("table", table(&samples(), noon()));
}

#[test]
fn what_was_ever_written_can_still_be_read() {
    golden(&samples(), "golden/payout");
}

#[test]
fn every_order_empties_the_payouts_own_account() {
    let explored = explore::<Payout>(payable(), noon())
        .world(0_i64, |in_transit, turn| {
            for fact in &turn.step.facts {
                let movement: domain::Transaction = serde_json::from_str(&fact.body).unwrap();
                let own = movement.entries().iter().filter(|e| matches!(e.account, domain::Account::Payout(_)));
                *in_transit += own.map(|entry| entry.amount.minor).sum::<i64>();
            }
        })
        .outcomes(|_, _| vec![paid(), declined()])
        .walk();
    explored
        .no_fact_is_ever_refused()
        .always_ends_by_itself()
        .sometimes("money is on its way", |at| *at.world == -payable().amount.minor)
        .at_every_end("nothing stays on its way", |at| *at.world == 0)
        .recorded::<Payout>("golden/payout/journal/paid_or_not.jsonl");
}
