//! Money in and money out, over whole lives of bookings.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::cancellation::Refund;
use crate::ids::{BookingId, PaymentId, PayoutId, UserId};
use crate::rates::tests::eur;
use crate::shares::Shares;

const BOOKING: BookingId = BookingId::from_uuid(Uuid::from_u128(1));
const PAYMENT: PaymentId = PaymentId::from_uuid(Uuid::from_u128(2));
const PAYOUT: PayoutId = PayoutId::from_uuid(Uuid::from_u128(3));
const HOST: UserId = UserId::from_uuid(Uuid::from_u128(4));
const GATEWAY: Provider = Provider::Sandbox;

fn parties() -> Parties {
    Parties { booking: BOOKING, host: HOST, tax: Jurisdiction::parse("FR").unwrap() }
}

fn shares(parts: [i64; 4]) -> Shares {
    let [host, guest_fee, host_fee, tax] = parts.map(eur);
    Shares::try_new(host, guest_fee, host_fee, tax).unwrap()
}

fn posted<'a>(transactions: impl IntoIterator<Item = &'a Transaction>) -> Balances {
    let mut balances = Balances::default();
    balances.extend(transactions);
    balances
}

fn held(balances: &Balances) -> String {
    balances.iter().map(|(account, currency, minor)| format!("{account} {minor} {currency}\n")).collect()
}

#[test]
fn what_does_not_add_up_cannot_be_written_down() {
    let entry = |account: &str, minor| Entry { account: account.parse().unwrap(), amount: eur(minor) };
    let off = Transaction::try_new(Kind::Captured, vec![entry("psp:sandbox", 100), entry("bank:operating", -99)]);
    assert_eq!(off.unwrap_err().to_string(), "the entries are 1 EUR off balance, in minor units");
    let dollars = Entry { account: Account::Bank, amount: Money::new(-100, Currency::USD) };
    assert!(Transaction::try_new(Kind::Captured, vec![entry("psp:sandbox", 100), dollars]).is_err());
    let json = serde_json::to_string(&Transaction::authorised(eur(100))).unwrap();
    assert!(serde_json::from_str::<Transaction>(&json).is_ok());
    assert!(serde_json::from_str::<Transaction>(&json.replacen("100", "99", 1)).is_err());
}

#[test]
fn a_transaction_reads_like_the_chart() {
    let released = Transaction::released(&parties(), &shares([970, 120, 30, 0]));
    insta::assert_snapshot!(serde_json::to_string_pretty(&released).unwrap(), @r#"
    {
      "kind": "released",
      "entries": [
        {
          "account": "booking:bkg_00000000000000000000000000000001:escrow",
          "amount_minor": 1120,
          "currency": "EUR"
        },
        {
          "account": "host:usr_00000000000000000000000000000004:payable",
          "amount_minor": -970,
          "currency": "EUR"
        },
        {
          "account": "rev:guest_fee",
          "amount_minor": -120,
          "currency": "EUR"
        },
        {
          "account": "rev:host_fee",
          "amount_minor": -30,
          "currency": "EUR"
        }
      ]
    }
    "#);
}

#[test]
fn after_a_paid_stay_only_fees_and_tax_remain() {
    let (total, shares) = (eur(1_220), shares([970, 120, 30, 100]));
    let life = [
        Transaction::authorised(total),
        Transaction::hold_reversed(total),
        Transaction::captured(GATEWAY, BOOKING, total),
        Transaction::released(&parties(), &shares),
        Transaction::payout_started(HOST, PAYOUT, shares.host()),
        Transaction::payout_failed(HOST, PAYOUT, shares.host()),
        Transaction::payout_started(HOST, PAYOUT, shares.host()),
        Transaction::payout_paid(GATEWAY, PAYOUT, shares.host()),
    ];
    insta::assert_snapshot!(held(&posted(&life)), @r"
    psp:sandbox 250 EUR
    tax:FR:payable -100 EUR
    rev:guest_fee -120 EUR
    rev:host_fee -30 EUR
    ");
}

#[test]
fn a_cancellation_empties_the_escrow() {
    let refund = Refund { to_guest: eur(700), kept: shares([388, 120, 12, 0]) };
    let mut life = vec![Transaction::captured(GATEWAY, BOOKING, eur(1_220))];
    life.extend(Transaction::canceled(&parties(), PAYMENT, &refund));
    life.push(Transaction::refund_settled(GATEWAY, PAYMENT, refund.to_guest));
    let balances = posted(&life);
    assert_eq!(balances.of(&Account::Escrow(BOOKING), Currency::EUR), 0);
    assert_eq!(balances.of(&Account::Refund(PAYMENT), Currency::EUR), 0);
    assert_eq!(balances.of(&Account::Psp(GATEWAY), Currency::EUR), 520);
    let failed = Transaction::refund_failed(GATEWAY, PAYMENT, refund.to_guest);
    let owed = posted(life.iter().chain([&failed]));
    assert_eq!(owed.of(&Account::Refund(PAYMENT), Currency::EUR), -700);
}

#[test]
fn a_host_who_was_paid_gives_back_out_of_the_next_earnings() {
    let (released, kept) = (shares([970, 120, 30, 100]), shares([485, 120, 15, 50]));
    let life = [
        Transaction::captured(GATEWAY, BOOKING, released.total()),
        Transaction::released(&parties(), &released),
        Transaction::payout_started(HOST, PAYOUT, released.host()),
        Transaction::payout_paid(GATEWAY, PAYOUT, released.host()),
        Transaction::refund_after_release(&parties(), PAYMENT, &released, &kept),
        Transaction::refund_settled(GATEWAY, PAYMENT, eur(550)),
    ];
    insta::assert_snapshot!(held(&posted(&life)), @r"
    psp:sandbox -300 EUR
    host:usr_00000000000000000000000000000004:receivable 485 EUR
    tax:FR:payable -50 EUR
    rev:guest_fee -120 EUR
    rev:host_fee -15 EUR
    ");
    let next = [Transaction::released(&parties(), &released), Transaction::receivable_netted(HOST, eur(485))];
    let balances = posted(life.iter().chain(&next));
    assert_eq!(balances.of(&Account::HostReceivable(HOST), Currency::EUR), 0);
    assert_eq!(balances.of(&Account::HostPayable(HOST), Currency::EUR), -485);
}

#[test]
fn a_full_refund_keeps_nothing_to_divide() {
    let refund = Refund { to_guest: eur(1_220), kept: Shares::nothing(Currency::EUR) };
    let kinds: Vec<Kind> = Transaction::canceled(&parties(), PAYMENT, &refund).map(|moved| moved.kind()).collect();
    assert_eq!(kinds, [Kind::RefundDecided]);
    assert!(Transaction::cancellation_kept(&parties(), &refund.kept).is_empty());
}

#[test]
fn a_kind_is_one_word_in_code_and_json() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    let parts = || prop::array::uniform4(0..1_000_000_000_i64).prop_map(shares);
    (0..13_u8, 0..1_000_000_000_i64, parts(), parts()).prop_map(|(which, minor, shares, kept)| {
        let amount = eur(minor);
        match which {
            0 => Transaction::authorised(amount),
            1 => Transaction::hold_reversed(amount),
            2 => Transaction::captured(GATEWAY, BOOKING, amount),
            3 => Transaction::released(&parties(), &shares),
            4 => Transaction::cancellation_kept(&parties(), &shares),
            5 => Transaction::refund_decided(BOOKING, PAYMENT, amount),
            6 => Transaction::refund_settled(GATEWAY, PAYMENT, amount),
            7 => Transaction::refund_failed(GATEWAY, PAYMENT, amount),
            8 => Transaction::payout_started(HOST, PAYOUT, amount),
            9 => Transaction::refund_after_release(&parties(), PAYMENT, &shares, &kept),
            10 => Transaction::receivable_netted(HOST, amount),
            11 => Transaction::payout_paid(GATEWAY, PAYOUT, amount),
            _ => Transaction::payout_returned(GATEWAY, HOST, amount),
        }
    })
}

fn any_life() -> impl Strategy<Value = (Vec<Transaction>, Vec<Transaction>)> {
    prop::collection::vec(any_transaction(), 0..40)
        .prop_flat_map(|life| (Just(life.clone()), Just(life).prop_shuffle()))
}

proptest! {
    #[test]
    fn the_ledger_balances_whatever_happens_in_whatever_order((life, shuffled) in any_life()) {
        let in_order = posted(&life);
        prop_assert!(in_order.trial().values().all(|sum| *sum == 0));
        prop_assert_eq!(posted(&shuffled), in_order);
        for transaction in &life {
            let json = serde_json::to_string(transaction).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Transaction>(&json).unwrap(), transaction);
        }
    }
}
