//! What makes one price differ from another, line by line: what a guest has to see before agreeing again.

use super::{LineKind, Priced};
use crate::money::Money;

/// A kind of line whose amount is not the same in two prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineChange {
    /// What the line is for.
    pub kind: LineKind,
    /// Its amount before; `None` if it was not there.
    pub before: Option<Money>,
    /// Its amount now; `None` if it is gone.
    pub after: Option<Money>,
}

impl Priced {
    /// The kinds of lines that differ from an earlier price, in the order in which a guest reads them.
    pub fn changes_since(&self, before: &Self) -> Vec<LineChange> {
        let mut kinds: Vec<LineKind> = Vec::new();
        for line in self.lines.iter().chain(&before.lines) {
            if !kinds.contains(&line.kind) {
                kinds.push(line.kind);
            }
        }
        let change = |kind| LineChange { kind, before: before.sum_of(kind), after: self.sum_of(kind) };
        kinds.into_iter().map(change).filter(|change| change.before != change.after).collect()
    }

    /// All lines of a kind together, if there are any.
    fn sum_of(&self, kind: LineKind) -> Option<Money> {
        let mut amounts = self.lines.iter().filter(|line| line.kind == kind).map(|line| line.amount).peekable();
        amounts.peek()?;
        Some(Money::sum(self.shares.currency(), amounts).expect("parts of a sum that exists"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BasisPoints;
    use crate::rates::tests::{couple, rates, stay};
    use crate::rates::{Rates, price};

    #[test]
    fn equal_prices_have_no_changes_and_others_name_each_line() {
        let weekly = Rates { weekly_discount: BasisPoints::try_new(1_000).unwrap(), ..rates() };
        let of_nights = |nights| price(&weekly, &stay("2027-05-03", nights), &couple()).unwrap();
        let (short, long) = (of_nights(2), of_nights(9));
        assert_eq!(short.changes_since(&short), []);
        let changes = long.changes_since(&short);
        let discount = changes.iter().find(|change| change.kind == LineKind::WeeklyDiscount).unwrap();
        assert!(discount.before.is_none() && discount.after.is_some());
        assert!(changes.iter().all(|change| change.kind != LineKind::Cleaning), "{changes:?}");
        let sum =
            |of: fn(&LineChange) -> Option<Money>| changes.iter().filter_map(of).map(|money| money.minor).sum::<i64>();
        let difference = long.total().minor - short.total().minor;
        assert_eq!(sum(|change| change.after) - sum(|change| change.before), difference);
    }
}
