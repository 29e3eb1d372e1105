//! Who gets what of a guest's money: host, platform and tax office.
//!
//! The same four parts appear when a stay is priced, when a cancellation keeps some of it and when the ledger releases
//! it, so they are one value here. No part is ever negative and together they fit, which makes every split of them exact.

use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::money::{Money, MoneyError};

/// How an amount divides; the four parts are its whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Shares {
    host: Money,
    guest_fee: Money,
    host_fee: Money,
    tax: Money,
}

/// The four parts as they are written, before they are known to fit together.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    host: Money,
    guest_fee: Money,
    host_fee: Money,
    tax: Money,
}

impl Shares {
    /// Four parts of one currency, none below zero.
    pub fn try_new(host: Money, guest_fee: Money, host_fee: Money, tax: Money) -> Result<Self, MoneyError> {
        let parts = [host, guest_fee, host_fee, tax];
        if parts.iter().any(|part| part.is_negative()) {
            return Err(MoneyError::Negative);
        }
        Money::sum(host.currency, parts)?;
        Ok(Self { host, guest_fee, host_fee, tax })
    }

    /// Nothing for anybody.
    pub const fn nothing(currency: Currency) -> Self {
        let none = Money::zero(currency);
        Self { host: none, guest_fee: none, host_fee: none, tax: none }
    }

    /// What the host is paid.
    pub const fn host(&self) -> Money {
        self.host
    }

    /// What the platform takes from the guest.
    pub const fn guest_fee(&self) -> Money {
        self.guest_fee
    }

    /// What the platform takes from the host.
    pub const fn host_fee(&self) -> Money {
        self.host_fee
    }

    /// What goes to the tax office.
    pub const fn tax(&self) -> Money {
        self.tax
    }

    /// All four parts together.
    pub fn total(&self) -> Money {
        let Self { host, guest_fee, host_fee, tax } = *self;
        Money::sum(host.currency, [host, guest_fee, host_fee, tax]).expect("the parts were added when they were made")
    }

    /// In which currency.
    pub const fn currency(&self) -> Currency {
        self.host.currency
    }
}

impl TryFrom<Parts> for Shares {
    type Error = MoneyError;

    fn try_from(Parts { host, guest_fee, host_fee, tax }: Parts) -> Result<Self, MoneyError> {
        Self::try_new(host, guest_fee, host_fee, tax)
    }
}

impl From<Shares> for Parts {
    fn from(Shares { host, guest_fee, host_fee, tax }: Shares) -> Self {
        Self { host, guest_fee, host_fee, tax }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_do_not_fit_together_are_no_shares() {
        let eur = |minor| Money::new(minor, Currency::EUR);
        assert_eq!(Shares::try_new(eur(-1), eur(0), eur(1), eur(0)), Err(MoneyError::Negative));
        assert_eq!(Shares::try_new(eur(i64::MAX), eur(1), eur(0), eur(0)), Err(MoneyError::Overflow));
        assert!(Shares::try_new(eur(1), Money::zero(Currency::USD), eur(0), eur(0)).is_err());
        let shares = Shares::try_new(eur(90), eur(14), eur(10), eur(5)).unwrap();
        assert_eq!(shares.total(), eur(119));
        let json = serde_json::to_string(&shares).unwrap();
        assert_eq!(serde_json::from_str::<Shares>(&json).unwrap(), shares);
        assert!(serde_json::from_str::<Shares>(&json.replace("90", "-90")).is_err());
    }
}
