//! The gateway's books against our ledger, to the cent; and the ledger against itself.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::ledger::Account;
use domain::{BookingId, Currency, PaymentId, Provider};
use store::ledger::Balance;
use uuid::Uuid;

use super::{Found, Scene};
use crate::killed::witness::Witness;

/// Less than this waits for another day before it is paid out.
const SMALL_CHANGE: i128 = 100;

pub(crate) async fn agrees(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    at_the_gateway(scene.witness, found).await?;
    payment_by_payment(scene.witness, found).await
}

pub(crate) async fn balances(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let balances = store::ledger::balances(scene.witness.db()).await?;
    for (currency, sum) in store::ledger::trial(&balances) {
        found.expect(sum == 0, || format!("the ledger's sum is {sum} in {currency}"));
    }
    balances.iter().for_each(|balance| at_rest(balance, found));
    Ok(())
}

/// By the gateway's books and the bookings' ends alone: what the guests have paid for what they got.
pub(crate) async fn paid_once(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let books = scene.witness.gateway.books().await?;
    for row in scene.witness.rows("select id, phase from booking").await? {
        let id = BookingId::from_uuid(row.try_get_by_index::<Uuid>(0)?);
        let phase: String = row.try_get_by_index(1)?;
        let (captures, holds) = (books.live_captures(id), books.live_holds(id));
        found.expect(holds == 0, || format!("{id} still holds {holds} reservations on a card"));
        let paid = match phase.as_str() {
            "completed" | "no_show" => captures == 1,
            // What a guest who calls it off gets back is the policy's to say, and the ledger knows.
            "canceled_by_guest" => captures <= 1,
            _ => captures == 0,
        };
        found.expect(paid, || format!("{id} ended as {phase} and was paid for {captures} times"));
    }
    Ok(())
}

/// Captured less refunded less paid out is what the ledger has with the gateway.
async fn at_the_gateway(witness: &Witness, found: &mut Found) -> Result<()> {
    let balances = store::ledger::balances(witness.db()).await?;
    let books = witness.gateway.books().await?;
    let mut theirs: BTreeMap<Currency, i128> = BTreeMap::new();
    for intent in &books.intents {
        *theirs.entry(intent.amount.currency).or_default() += i128::from(intent.captured.minor - intent.refunded.minor);
    }
    for transfer in &books.transfers {
        *theirs.entry(transfer.amount.currency).or_default() -= i128::from(transfer.amount.minor);
    }
    for (currency, theirs) in theirs {
        let with_them =
            |balance: &&Balance| balance.account == Account::Psp(Provider::Sandbox) && balance.currency == currency;
        let ours = balances.iter().find(with_them).map_or(0, |balance| balance.amount);
        found.expect(ours == theirs, || format!("the gateway has {theirs} {currency} of ours, the ledger says {ours}"));
    }
    Ok(())
}

async fn payment_by_payment(witness: &Witness, found: &mut Found) -> Result<()> {
    let books = witness.gateway.books().await?;
    let mut ours: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in witness.rows("select id, captured_minor, refunded_minor from payment").await? {
        let id = PaymentId::from_uuid(row.try_get_by_index::<Uuid>(0)?).to_string();
        ours.insert(id, (row.try_get_by_index(1)?, row.try_get_by_index(2)?));
    }
    let mut theirs: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for intent in &books.intents {
        let sums = theirs.entry(&intent.payment).or_default();
        *sums = (sums.0 + intent.captured.minor, sums.1 + intent.refunded.minor);
    }
    for (payment, theirs) in theirs {
        let ours = ours.get(payment);
        found.expect(ours == Some(&theirs), || {
            format!("{payment}: the gateway took and gave back {theirs:?}, we say {ours:?}")
        });
    }
    Ok(())
}

/// After the last payout nothing is on its way: no escrow, no promise, no payout, and hosts have what they earned.
fn at_rest(balance: &Balance, found: &mut Found) {
    let Balance { account, currency, amount } = balance;
    let left = match account {
        Account::Escrow(_) | Account::Refund(_) | Account::Payout(_) => *amount != 0,
        Account::HostPayable(_) => amount.abs() >= SMALL_CHANGE,
        _ => false,
    };
    found.expect(!left, || format!("{account} still holds {amount} {currency}"));
}
