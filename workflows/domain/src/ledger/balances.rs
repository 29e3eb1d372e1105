//! What the accounts hold after some transactions: the trial balance, at any point of the ledger.

use std::collections::BTreeMap;

use super::{Account, Entry, Transaction};
use crate::currency::Currency;

/// The balance of every account per currency; debits are positive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balances(BTreeMap<(Account, Currency), i128>);

impl Balances {
    /// Adds a transaction's entries.
    pub fn post(&mut self, transaction: &Transaction) {
        for Entry { account, amount } in transaction.entries() {
            *self.0.entry((account.clone(), amount.currency)).or_default() += i128::from(amount.minor);
        }
    }

    /// What one account holds, in minor units; an account that nothing ever touched holds nothing.
    pub fn of(&self, account: &Account, currency: Currency) -> i128 {
        self.0.get(&(account.clone(), currency)).copied().unwrap_or(0)
    }

    /// The sum over all accounts per currency: zero in each, or the ledger is broken.
    pub fn trial(&self) -> BTreeMap<Currency, i128> {
        let mut sums = BTreeMap::new();
        for ((_, currency), balance) in &self.0 {
            *sums.entry(*currency).or_default() += balance;
        }
        sums
    }

    /// Every account that holds something, in the order of the chart.
    pub fn iter(&self) -> impl Iterator<Item = (&Account, Currency, i128)> {
        let held = self.0.iter().filter(|(_, balance)| **balance != 0);
        held.map(|((account, currency), balance)| (account, *currency, *balance))
    }
}

impl<'a> Extend<&'a Transaction> for Balances {
    fn extend<T: IntoIterator<Item = &'a Transaction>>(&mut self, transactions: T) {
        for transaction in transactions {
            self.post(transaction);
        }
    }
}
