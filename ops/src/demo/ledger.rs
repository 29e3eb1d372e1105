//! The ledger's trial balance: what is in which kind of account, and that it all sums to nothing.

use crate::config::Config;
use crate::connect;
use anyhow::Result;
use domain::{Currency, Money};
use std::collections::BTreeMap;
use store::ledger::Balance;

/// Sums by currency and kind of account.
pub(crate) struct Trial {
    sums: BTreeMap<(Currency, String), i128>,
}

/// Reads the whole ledger.
pub(crate) async fn trial_balance(config: &Config) -> Result<Trial> {
    let db = connect::databases(config).await?;
    let mut sums = BTreeMap::new();
    for Balance { account, currency, amount } in store::ledger::balances(db.read()).await? {
        *sums.entry((currency, kind(&account.to_string()))).or_insert(0) += amount;
    }
    Ok(Trial { sums })
}

/// `booking:bkg_…:escrow` → `booking:*:escrow`: accounts of one kind add up.
fn kind(account: &str) -> String {
    let parts = account.split(':').map(|part| if part.contains('_') && part.len() > 30 { "*" } else { part });
    parts.collect::<Vec<_>>().join(":")
}

impl Trial {
    /// Whether every currency sums to zero, and there is anything at all.
    pub(crate) fn balances(&self) -> bool {
        !self.sums.is_empty() && self.totals().values().all(|sum| *sum == 0)
    }

    fn totals(&self) -> BTreeMap<Currency, i128> {
        let mut totals = BTreeMap::new();
        for ((currency, _), minor) in &self.sums {
            *totals.entry(*currency).or_insert(0) += minor;
        }
        totals
    }

    /// One line per kind of account, then the sum of each currency.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let shown = |name: &str, minor: i128, currency: Currency| {
            let money = i64::try_from(minor).map(|minor| Money::new(minor, currency).to_string());
            format!("{name:<32} {:>18}", money.unwrap_or_else(|_| format!("{minor} {currency}")))
        };
        let accounts =
            self.sums.iter().filter(|(_, minor)| **minor != 0).map(move |((c, name), minor)| shown(name, *minor, *c));
        let totals = self.totals().into_iter().map(move |(currency, sum)| shown("sum", sum, currency));
        accounts.chain(totals.collect::<Vec<_>>())
    }
}
