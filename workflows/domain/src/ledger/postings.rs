//! The movements that the product knows, each from one account to others.

use super::account::{Account, Jurisdiction, Provider};
use super::{Entry, Kind, Transaction};
use crate::cancellation::Refund;
use crate::ids::{BookingId, PaymentId, PayoutId, UserId};
use crate::money::Money;
use crate::shares::Shares;

/// Whom the money of one booking concerns: what every division of it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// Whose escrow it comes from.
    pub booking: BookingId,
    /// Who let the guest in.
    pub host: UserId,
    /// Where the stay is taxed.
    pub tax: Jurisdiction,
}

impl Transaction {
    /// A card holds the amount for us; no money moves yet.
    pub fn authorised(amount: Money) -> Self {
        moved(Kind::Authorised, Account::Hold, Account::HoldContra, amount)
    }

    /// The card no longer holds the amount, because it was captured, let go or expired.
    pub fn hold_reversed(amount: Money) -> Self {
        moved(Kind::HoldReversed, Account::HoldContra, Account::Hold, amount)
    }

    /// The guest's money arrived and is kept for the booking.
    pub fn captured(provider: Provider, booking: BookingId, amount: Money) -> Self {
        moved(Kind::Captured, Account::Psp(provider), Account::Escrow(booking), amount)
    }

    /// The booking's money goes to those who earned it.
    pub fn released(parties: &Parties, shares: &Shares) -> Self {
        divided(Kind::Released, parties, shares)
    }

    /// What a cancellation keeps goes to those who earned it.
    pub fn cancellation_kept(parties: &Parties, kept: &Shares) -> Self {
        divided(Kind::CancellationKept, parties, kept)
    }

    /// The guest is promised money back from the booking, before it was released.
    pub fn refund_decided(booking: BookingId, payment: PaymentId, amount: Money) -> Self {
        moved(Kind::RefundDecided, Account::Escrow(booking), Account::Refund(payment), amount)
    }

    /// The guest is promised money back after the booking's money was released: everyone who got more than is `kept`
    /// gives the difference back.
    ///
    /// The host may have been paid already, so the host's part is owed to us; it is taken off what is earned next
    /// ([`Transaction::receivable_netted`]), and the guest never waits for it.
    pub fn refund_after_release(parties: &Parties, payment: PaymentId, released: &Shares, kept: &Shares) -> Self {
        let Parties { booking: _, host, tax } = parties;
        let back = |account, got: Money, keeps| Entry { account, amount: less(got, keeps) };
        let entries = vec![
            back(Account::HostReceivable(*host), released.host(), kept.host()),
            back(Account::GuestFees, released.guest_fee(), kept.guest_fee()),
            back(Account::HostFees, released.host_fee(), kept.host_fee()),
            back(Account::Tax(tax.clone()), released.tax(), kept.tax()),
            back(Account::Refund(payment), kept.total(), released.total()),
        ];
        balanced(Kind::RefundDecided, entries)
    }

    /// The promised money went back.
    pub fn refund_settled(provider: Provider, payment: PaymentId, amount: Money) -> Self {
        moved(Kind::RefundSettled, Account::Refund(payment), Account::Psp(provider), amount)
    }

    /// Money that had gone back came to us again: the guest is still owed it.
    pub fn refund_failed(provider: Provider, payment: PaymentId, amount: Money) -> Self {
        moved(Kind::RefundFailed, Account::Psp(provider), Account::Refund(payment), amount)
    }

    /// What the host owes us is taken off what the host has earned.
    pub fn receivable_netted(host: UserId, amount: Money) -> Self {
        moved(Kind::ReceivableNetted, Account::HostPayable(host), Account::HostReceivable(host), amount)
    }

    /// What the host has earned is on its way.
    pub fn payout_started(host: UserId, payout: PayoutId, amount: Money) -> Self {
        moved(Kind::PayoutStarted, Account::HostPayable(host), Account::Payout(payout), amount)
    }

    /// It arrived.
    pub fn payout_paid(provider: Provider, payout: PayoutId, amount: Money) -> Self {
        moved(Kind::PayoutPaid, Account::Payout(payout), Account::Psp(provider), amount)
    }

    /// It never left: the host has it again.
    pub fn payout_failed(host: UserId, payout: PayoutId, amount: Money) -> Self {
        moved(Kind::PayoutFailed, Account::Payout(payout), Account::HostPayable(host), amount)
    }

    /// It had arrived and came back: the host has it again.
    pub fn payout_returned(provider: Provider, host: UserId, amount: Money) -> Self {
        moved(Kind::PayoutReturned, Account::Psp(provider), Account::HostPayable(host), amount)
    }

    /// Everything that a cancellation before release moves out of the booking's escrow: the promise to the guest and what
    /// is kept.
    pub fn canceled(parties: &Parties, payment: PaymentId, refund: &Refund) -> impl Iterator<Item = Self> + use<> {
        let promised = Self::refund_decided(parties.booking, payment, refund.to_guest);
        let kept = Self::cancellation_kept(parties, &refund.kept);
        [promised, kept].into_iter().filter(|transaction| !transaction.is_empty())
    }
}

/// `amount` is debited to the one account and credited to the other.
fn moved(kind: Kind, debit: Account, credit: Account, amount: Money) -> Transaction {
    let credited = Entry { account: credit, amount: negative(amount) };
    balanced(kind, vec![Entry { account: debit, amount }, credited])
}

fn divided(kind: Kind, parties: &Parties, shares: &Shares) -> Transaction {
    let Parties { booking, host, tax } = parties;
    let credit = |account, amount| Entry { account, amount: negative(amount) };
    let entries = vec![
        Entry { account: Account::Escrow(*booking), amount: shares.total() },
        credit(Account::HostPayable(*host), shares.host()),
        credit(Account::GuestFees, shares.guest_fee()),
        credit(Account::HostFees, shares.host_fee()),
        credit(Account::Tax(tax.clone()), shares.tax()),
    ];
    balanced(kind, entries)
}

fn balanced(kind: Kind, entries: Vec<Entry>) -> Transaction {
    Transaction::try_new(kind, entries).expect("what is credited is what was debited")
}

fn less(amount: Money, other: Money) -> Money {
    amount.checked_sub(other).expect("both are shares of one price")
}

fn negative(amount: Money) -> Money {
    amount.checked_neg().expect("no price or balance is anywhere near the smallest integer")
}
