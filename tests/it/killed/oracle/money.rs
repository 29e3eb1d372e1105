//! The gateway's books against our ledger, to the cent; and the ledger against itself.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::ledger::Account;
use domain::{Currency, PaymentId, Provider};
use store::ledger::Balance;
use uuid::Uuid;

use super::{Findings, Wrong};
use crate::killed::witness::Witness;

/// Less than this waits for another day before it is paid out.
const SMALL_CHANGE: i128 = 100;

pub(crate) async fn agrees(witness: &Witness, findings: &mut Findings) -> Result<()> {
    let balances = store::ledger::balances(witness.db()).await?;
    for (currency, sum) in store::ledger::trial(&balances) {
        findings.expect(sum == 0, Wrong::Ledger, || format!("the ledger's sum is {sum} in {currency}"));
    }
    at_the_gateway(witness, &balances, findings).await?;
    payment_by_payment(witness, findings).await?;
    balances.iter().for_each(|balance| at_rest(balance, findings));
    Ok(())
}

/// Captured less refunded less paid out is what the ledger has with the gateway.
async fn at_the_gateway(witness: &Witness, balances: &[Balance], findings: &mut Findings) -> Result<()> {
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
        findings.expect(ours == theirs, Wrong::Money, || {
            format!("the gateway has {theirs} {currency} of ours, the ledger says {ours}")
        });
    }
    Ok(())
}

async fn payment_by_payment(witness: &Witness, findings: &mut Findings) -> Result<()> {
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
        findings.expect(ours == Some(&theirs), Wrong::Money, || {
            format!("{payment}: the gateway took and gave back {theirs:?}, we say {ours:?}")
        });
    }
    Ok(())
}

/// After the last payout nothing is on its way: no escrow, no promise, no payout, and hosts have what they earned.
fn at_rest(balance: &Balance, findings: &mut Findings) {
    let Balance { account, currency, amount } = balance;
    let left = match account {
        Account::Escrow(_) | Account::Refund(_) | Account::Payout(_) => *amount != 0,
        Account::HostPayable(_) => amount.abs() >= SMALL_CHANGE,
        _ => false,
    };
    findings.expect(!left, Wrong::Ledger, || format!("{account} still holds {amount} {currency}"));
}
