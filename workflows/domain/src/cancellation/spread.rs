//! One refund over several charged amounts, again and again, and never more than was charged.

use crate::money::{Money, MoneyError};

/// Why an amount cannot be given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpreadError {
    /// More than is left of what was charged.
    #[error("only {left} can still be refunded")]
    MoreThanLeft {
        /// What can still be given back.
        left: Money,
    },
    /// The amounts cannot be reckoned with.
    #[error("the amounts to refund cannot be added")]
    Amounts(#[from] MoneyError),
}

/// Spreads a refund over what is `left` of each charged amount, in proportion; the shares add up to it exactly and none
/// is more than what is left there. Take them off, and the next refund can be spread over the rest.
pub fn spread(refund: Money, left: &[Money]) -> Result<Vec<Money>, SpreadError> {
    if refund.is_negative() || left.iter().any(|amount| amount.is_negative()) {
        return Err(MoneyError::Negative.into());
    }
    let all = Money::sum(refund.currency, left.iter().copied())?;
    if refund.minor > all.minor {
        return Err(SpreadError::MoreThanLeft { left: all });
    }
    if refund.is_zero() {
        return Ok(vec![refund; left.len()]);
    }
    let weights: Vec<u64> = left.iter().map(|amount| amount.minor.unsigned_abs()).collect();
    Ok(refund.allocate(&weights)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::BasisPoints;
    use crate::rates::tests::eur;

    fn taken(left: &[Money], shares: &[Money]) -> Vec<Money> {
        left.iter().zip(shares).map(|(left, share)| left.checked_sub(*share).unwrap()).collect()
    }

    #[test]
    fn v15_half_of_three_lines_is_half_to_the_cent() {
        let lines = [3_333, 3_333, 3_334].map(eur);
        let half = Money::sum(eur(0).currency, lines).unwrap().portion(BasisPoints::HALF);
        let shares = spread(half, &lines).unwrap();
        assert_eq!(Money::sum(half.currency, shares.iter().copied()).unwrap().to_string(), "50.00 EUR");
        let left = taken(&lines, &shares);
        let rest = spread(half, &left).unwrap();
        assert_eq!(taken(&left, &rest), [eur(0); 3]);
        let refused = spread(eur(1), &taken(&left, &rest)).unwrap_err();
        assert_eq!(refused.to_string(), "only 0.00 EUR can still be refunded");
    }

    #[test]
    fn nobody_is_refunded_a_negative_amount() {
        assert_eq!(spread(eur(-1), &[eur(5)]), Err(MoneyError::Negative.into()));
        assert_eq!(spread(eur(0), &[]), Ok(vec![]));
        assert_eq!(spread(eur(1), &[]), Err(SpreadError::MoreThanLeft { left: eur(0) }));
    }

    proptest! {
        #[test]
        fn repeated_refunds_never_exceed_what_was_charged(
            charged in prop::collection::vec(0..1_000_000_i64, 1..12), tries in prop::collection::vec(0..4_000_000_i64, 1..9),
        ) {
            let mut left: Vec<Money> = charged.iter().map(|minor| eur(*minor)).collect();
            for refund in tries {
                let all: i64 = left.iter().map(|amount| amount.minor).sum();
                match spread(eur(refund), &left) {
                    Ok(shares) => {
                        prop_assert_eq!(shares.iter().map(|share| share.minor).sum::<i64>(), refund);
                        left = taken(&left, &shares);
                        prop_assert!(left.iter().all(|amount| !amount.is_negative()));
                    }
                    Err(refused) => {
                        prop_assert!(refund > all);
                        prop_assert_eq!(refused, SpreadError::MoreThanLeft { left: eur(all) });
                    }
                }
            }
        }
    }
}
