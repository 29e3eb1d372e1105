//! Every movement of money, written down twice.
//!
//! A [`Transaction`] moves money between [`Account`]s; in each currency its entries add up to zero, and nothing else can
//! be built. Debits are positive: what we own grows by them, what we owe shrinks. The named constructors are the only
//! movements that the product knows: a guest's money is authorised, captured into the booking's escrow, and from there
//! released to host, platform and tax office, or promised back and refunded; what a host has is paid out.
//!
//! Amounts are fixed when a movement is decided, never when it is replayed, so the order of delivery cannot matter.

mod account;
mod balances;
mod postings;

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::account::{Account, Jurisdiction, ParseAccountError, Provider};
pub use self::balances::Balances;
pub use self::postings::Parties;
use crate::currency::Currency;
use crate::money::Money;

/// One side of a movement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which account.
    pub account: Account,
    /// How much: a debit is positive, a credit negative.
    #[serde(flatten)]
    pub amount: Money,
}

/// What kind of movement a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A card was asked to hold an amount for us.
    Authorised,
    /// The hold ended, by capture, by release or by expiry.
    HoldReversed,
    /// The guest's money arrived and is kept for the booking.
    Captured,
    /// The stay has begun: host, platform and tax office get theirs.
    Released,
    /// The part of a cancelled booking that is kept was divided.
    CancellationKept,
    /// The guest was promised money back.
    RefundDecided,
    /// The money went back.
    RefundSettled,
    /// The money came back to us after it had gone.
    RefundFailed,
    /// What a host owed us was taken off what the host earned.
    ReceivableNetted,
    /// A host's money is on its way.
    PayoutStarted,
    /// It arrived.
    PayoutPaid,
    /// It never left: the host has it again.
    PayoutFailed,
    /// It had arrived and came back: the host has it again.
    PayoutReturned,
}

/// A movement of money whose entries add up to zero in every currency.
///
/// It has no entry of nothing, hence no entries at all when nothing moves: [`Transaction::is_empty`] says so, and such a
/// transaction must not be posted (the database seals no transaction without legs).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Transaction {
    kind: Kind,
    entries: Vec<Entry>,
}

/// The entries do not add up to zero.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the entries are {off_by} {currency} off balance, in minor units")]
pub struct Unbalanced {
    /// In which currency.
    pub currency: Currency,
    /// By how many of its smallest units.
    pub off_by: i128,
}

/// The text is no kind of movement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of movement")]
pub struct ParseKindError;

impl Kind {
    /// All of them, in the order of a booking's life.
    pub const ALL: [Self; 13] = [
        Self::Authorised,
        Self::HoldReversed,
        Self::Captured,
        Self::Released,
        Self::CancellationKept,
        Self::RefundDecided,
        Self::RefundSettled,
        Self::RefundFailed,
        Self::ReceivableNetted,
        Self::PayoutStarted,
        Self::PayoutPaid,
        Self::PayoutFailed,
        Self::PayoutReturned,
    ];

    /// The word in tables, JSON and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorised => "authorised",
            Self::HoldReversed => "hold_reversed",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::CancellationKept => "cancellation_kept",
            Self::RefundDecided => "refund_decided",
            Self::RefundSettled => "refund_settled",
            Self::RefundFailed => "refund_failed",
            Self::ReceivableNetted => "receivable_netted",
            Self::PayoutStarted => "payout_started",
            Self::PayoutPaid => "payout_paid",
            Self::PayoutFailed => "payout_failed",
            Self::PayoutReturned => "payout_returned",
        }
    }
}

impl FromStr for Kind {
    type Err = ParseKindError;

    fn from_str(word: &str) -> Result<Self, ParseKindError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(ParseKindError)
    }
}

impl Transaction {
    /// A movement with these entries; refused unless they add up to zero in every currency.
    pub fn try_new(kind: Kind, mut entries: Vec<Entry>) -> Result<Self, Unbalanced> {
        entries.retain(|entry| !entry.amount.is_zero());
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for Entry { amount, .. } in &entries {
            *sums.entry(amount.currency).or_default() += i128::from(amount.minor);
        }
        match sums.into_iter().find(|(_, sum)| *sum != 0) {
            Some((currency, off_by)) => Err(Unbalanced { currency, off_by }),
            None => Ok(Self { kind, entries }),
        }
    }

    /// What kind of movement it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The entries, none of them of nothing.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether nothing moves.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// A transaction as it is written, before it is known to balance.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Kind,
    entries: Vec<Entry>,
}

impl TryFrom<Written> for Transaction {
    type Error = Unbalanced;

    fn try_from(Written { kind, entries }: Written) -> Result<Self, Unbalanced> {
        Self::try_new(kind, entries)
    }
}

impl From<Transaction> for Written {
    fn from(Transaction { kind, entries }: Transaction) -> Self {
        Self { kind, entries }
    }
}

#[cfg(test)]
mod tests;
