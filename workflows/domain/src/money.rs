//! Money: whole numbers of a currency's smallest unit, split so that nothing is ever lost or invented.
//!
//! There is no float and no silent overflow. Rounding happens in one place, [`Money::portion`], half away from zero;
//! whatever must add up to a known sum is made by [`Money::allocate`] instead, which rounds nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::currency::Currency;

/// An amount of money; negative where somebody owes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// How many of the currency's smallest units.
    #[serde(rename = "amount_minor")]
    pub minor: i64,
    /// In which currency.
    pub currency: Currency,
}

/// Why two amounts cannot be reckoned with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Amounts of two currencies were to be added.
    #[error("{left} and {right} cannot be added")]
    CurrencyMismatch {
        /// The currency of the first amount.
        left: Currency,
        /// The currency of the second amount.
        right: Currency,
    },
    /// The result does not fit in 64 bits.
    #[error("the amount is too large to be money")]
    Overflow,
    /// An amount is below zero where none can be.
    #[error("an amount of this kind is never below zero")]
    Negative,
    /// An amount was to be shared by weights that are all zero.
    #[error("nobody to share the amount between")]
    NothingToShareBy,
}

/// A share in hundredths of a percent, from nothing (0) to everything (10 000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct BasisPoints(u16);

/// The share is more than the whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} basis points are more than the whole, which is 10000")]
pub struct BasisPointsError(pub u16);

impl BasisPoints {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Half of the whole.
    pub const HALF: Self = Self(5_000);
    /// Everything.
    pub const WHOLE: Self = Self(10_000);

    /// A share; more than 10 000 is refused.
    pub const fn try_new(points: u16) -> Result<Self, BasisPointsError> {
        if points > Self::WHOLE.0 { Err(BasisPointsError(points)) } else { Ok(Self(points)) }
    }

    /// Hundredths of a percent.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// What is left of the whole.
    pub const fn rest(self) -> Self {
        Self(Self::WHOLE.0 - self.0)
    }
}

impl TryFrom<u16> for BasisPoints {
    type Error = BasisPointsError;

    fn try_from(points: u16) -> Result<Self, BasisPointsError> {
        Self::try_new(points)
    }
}

impl From<BasisPoints> for u16 {
    fn from(share: BasisPoints) -> Self {
        share.0
    }
}

impl Money {
    /// An amount of the currency's smallest units.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// No money, of that currency.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Whether it is exactly nothing.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Whether it is less than nothing.
    pub const fn is_negative(self) -> bool {
        self.minor < 0
    }

    /// Both together.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.minor.checked_add(other.minor).map(|minor| self.with(minor)).ok_or(MoneyError::Overflow)
    }

    /// What is left after `other` is taken away.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.minor.checked_sub(other.minor).map(|minor| self.with(minor)).ok_or(MoneyError::Overflow)
    }

    /// The same amount the other way round.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        self.minor.checked_neg().map(|minor| self.with(minor)).ok_or(MoneyError::Overflow)
    }

    /// The smaller of two amounts of one currency.
    pub fn smaller(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Ok(self.with(self.minor.min(other.minor)))
    }

    /// All amounts together, in `currency`; of none of them, nothing.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    /// A share of the amount, rounded once to the smallest unit: half a unit goes away from zero, so that a refund and
    /// the charge it reverses round alike.
    pub fn portion(self, share: BasisPoints) -> Self {
        let whole = i128::from(BasisPoints::WHOLE.0);
        let exact = i128::from(self.minor) * i128::from(share.0);
        let half = if exact < 0 { -whole / 2 } else { whole / 2 };
        let minor = (exact + half) / whole;
        self.with(i64::try_from(minor).expect("a share is never larger than the amount"))
    }

    /// Splits the amount in proportion to `weights` by largest remainder: the shares add up to it exactly, and each is
    /// within one smallest unit of its exact proportion. Among equal remainders the earlier share gets the unit.
    pub fn allocate(self, weights: &[u64]) -> Result<Vec<Self>, MoneyError> {
        let all = weights.iter().try_fold(0_u64, |sum, weight| sum.checked_add(*weight)).ok_or(MoneyError::Overflow)?;
        if all == 0 {
            return Err(MoneyError::NothingToShareBy);
        }
        let (size, all) = (u128::from(self.minor.unsigned_abs()), u128::from(all));
        let exact = |weight: u64| size * u128::from(weight);
        let mut shares: Vec<u128> = weights.iter().map(|weight| exact(*weight) / all).collect();
        let given: u128 = shares.iter().sum();
        let mut neediest: Vec<usize> = (0..weights.len()).collect();
        neediest.sort_by_key(|&i| std::cmp::Reverse(exact(weights[i]) % all));
        for i in neediest.into_iter().take(usize::try_from(size - given).unwrap_or(0)) {
            shares[i] += 1;
        }
        Ok(shares.into_iter().map(|share| self.with(signed(self.minor, share))).collect())
    }

    /// The part of this amount that goes with `part` of `whole`, to the nearest unit; with a whole of nothing, none.
    pub(crate) fn in_proportion(self, part: Self, whole: Self) -> Self {
        let (taken, left) = (part.minor.unsigned_abs(), (whole.minor - part.minor).unsigned_abs());
        self.allocate(&[taken, left]).map_or_else(|_| self.with(0), |shares| shares[0])
    }

    const fn with(self, minor: i64) -> Self {
        Self { minor, currency: self.currency }
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        let (left, right) = (self.currency, other.currency);
        if left == right { Ok(()) } else { Err(MoneyError::CurrencyMismatch { left, right }) }
    }
}

/// `size` with the sign of `like`.
fn signed(like: i64, size: u128) -> i64 {
    let size = i128::try_from(size).expect("a share is never larger than the amount");
    i64::try_from(if like < 0 { -size } else { size }).expect("a share is never larger than the amount")
}

/// As people write it: `412.00 EUR`, `-0.50 EUR`, `3334 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (exponent, size) = (self.currency.exponent(), self.minor.unsigned_abs());
        let unit = 10_u64.pow(exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        match exponent {
            0 => write!(f, "{sign}{size} {}", self.currency),
            decimals => {
                let width = decimals as usize;
                write!(f, "{sign}{}.{:0width$} {}", size / unit, size % unit, self.currency)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    fn minors(shares: &[Money]) -> Vec<i64> {
        shares.iter().map(|share| share.minor).collect()
    }

    #[test]
    fn people_read_amounts_with_their_decimals() {
        assert_eq!(eur(41_200).to_string(), "412.00 EUR");
        assert_eq!(eur(-50).to_string(), "-0.50 EUR");
        assert_eq!(Money::new(3_334, Currency::JPY).to_string(), "3334 JPY");
        assert_eq!(Money::new(3_334, Currency::KWD).to_string(), "3.334 KWD");
        assert_eq!(eur(i64::MIN).to_string(), "-92233720368547758.08 EUR");
    }

    #[test]
    fn json_carries_whole_numbers_only() {
        let json = r#"{"amount_minor":12345,"currency":"EUR"}"#;
        assert_eq!(serde_json::to_string(&eur(12_345)).unwrap(), json);
        assert_eq!(serde_json::from_str::<Money>(json).unwrap(), eur(12_345));
        for wrong in [r#"{"amount_minor":1.5,"currency":"EUR"}"#, r#"{"amount_minor":1,"currency":"EUR","x":1}"#] {
            assert!(serde_json::from_str::<Money>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_currencies_are_never_added() {
        let refused = eur(1).checked_add(Money::new(1, Currency::USD)).unwrap_err();
        assert_eq!(refused.to_string(), "EUR and USD cannot be added");
        assert_eq!(eur(i64::MAX).checked_add(eur(1)), Err(MoneyError::Overflow));
        assert_eq!(eur(i64::MIN).checked_neg(), Err(MoneyError::Overflow));
    }

    #[test]
    fn v13_a_host_fee_of_15_5_percent_is_exact() {
        let charged = Money::new(11_400, Currency::USD);
        let fee = charged.portion(BasisPoints::try_new(1_550).unwrap());
        assert_eq!(fee.to_string(), "17.67 USD");
        assert_eq!(charged.checked_sub(fee).unwrap().to_string(), "96.33 USD");
    }

    #[test]
    fn v14_thirds_are_shared_to_the_last_unit() {
        let thirds = |amount: Money| minors(&amount.allocate(&[1, 1, 1]).unwrap());
        assert_eq!(thirds(Money::new(10_000, Currency::JPY)), [3_334, 3_333, 3_333]);
        assert_eq!(thirds(Money::new(10_000, Currency::KWD)), [3_334, 3_333, 3_333]);
    }

    #[test]
    fn what_is_left_over_goes_to_the_largest_remainders() {
        assert_eq!(minors(&eur(10).allocate(&[1, 2, 4]).unwrap()), [1, 3, 6]);
        assert_eq!(minors(&eur(-10).allocate(&[1, 2, 4]).unwrap()), [-1, -3, -6]);
    }

    #[test]
    fn half_a_unit_goes_away_from_zero() {
        let half_percent = BasisPoints::try_new(50).unwrap();
        assert_eq!(eur(100).portion(half_percent), eur(1));
        assert_eq!(eur(99).portion(half_percent), eur(0));
        assert_eq!(eur(-100).portion(half_percent), eur(-1));
        assert_eq!(eur(i64::MIN).portion(BasisPoints::WHOLE), eur(i64::MIN));
    }

    #[test]
    fn a_share_beyond_the_whole_does_not_exist() {
        assert_eq!(BasisPoints::try_new(10_001), Err(BasisPointsError(10_001)));
        assert!(serde_json::from_str::<BasisPoints>("10001").is_err());
        assert_eq!(BasisPoints::try_new(2_500).unwrap().rest().get(), 7_500);
    }

    #[test]
    fn an_amount_is_not_shared_between_nobody() {
        assert_eq!(eur(10).allocate(&[]), Err(MoneyError::NothingToShareBy));
        assert_eq!(eur(10).allocate(&[0, 0]), Err(MoneyError::NothingToShareBy));
        assert_eq!(minors(&eur(10).allocate(&[0, 3]).unwrap()), [0, 10]);
    }

    proptest! {
        #[test]
        fn shares_add_up_and_stay_within_a_unit_of_their_proportion(
            minor in any::<i64>(), weights in prop::collection::vec(0..=u64::from(u32::MAX), 1..40),
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let shares = eur(minor).allocate(&weights).unwrap();
            prop_assert_eq!(Money::sum(Currency::EUR, shares.iter().copied()).unwrap(), eur(minor));
            let all: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
            for (share, weight) in shares.iter().zip(&weights) {
                let off = i128::from(share.minor) * all - i128::from(minor) * i128::from(*weight);
                prop_assert!(off.abs() < all, "a share is a whole unit off");
            }
        }

        #[test]
        fn a_portion_and_the_rest_differ_from_the_whole_by_rounding_alone(minor in any::<i64>(), points in 0..=10_000_u16) {
            let share = BasisPoints::try_new(points).unwrap();
            let both = i128::from(eur(minor).portion(share).minor) + i128::from(eur(minor).portion(share.rest()).minor);
            prop_assert!((both - i128::from(minor)).abs() <= 1);
        }
    }
}
