//! What becomes of the money when a booking is called off.
//!
//! A guest who calls off is refunded by the policy that was agreed, a dated row ([`PolicySnapshot`]), as the
//! [`schedule()`] shows beforehand; what a preview promises is what a cancellation does, because both are this code.
//! Whenever the guest is not the one who calls off, everything but the nights spent goes back, fees included; and before
//! both sides are bound, everything always does. The refund and what is kept are the whole total, to the smallest unit.

mod policy;
mod schedule;
mod spread;

use serde::{Deserialize, Serialize};

pub use self::policy::{
    Before, CleaningRule, Grace, GuestFeeRule, HostPolicies, Keep, Measured, PolicyCode, PolicyError, PolicySnapshot,
    Regime, Tier,
};
pub use self::schedule::{RefundSchedule, RefundStep, schedule};
pub use self::spread::{SpreadError, spread};
use crate::money::Money;
use crate::quote::{LineKind, Offer};
use crate::shares::Shares;
use crate::time::Timestamp;

/// Who calls a booking off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The guest.
    Guest,
    /// The host, by declining, by cancelling or by silence.
    Host,
    /// The platform: an operator, or the system when a payment fails or nights are lost.
    Platform,
}

/// How a booking is called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// By whom.
    pub by: Party,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Since when both sides are bound; `None` while the host has not answered or nothing is paid.
    pub confirmed_at: Option<Timestamp>,
}

/// Where the money goes: `to_guest` and the total of `kept` are exactly what the guest pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// What goes back to the guest.
    pub to_guest: Money,
    /// What is kept, and by whom.
    pub kept: Shares,
}

/// How far the stay has got when it is called off.
#[derive(Clone, Copy)]
struct Moment {
    spent: u32,
    in_stay: bool,
}

/// Divides what the guest pays between the guest and the others, by what was agreed.
pub fn refund(offer: &Offer, cancellation: &Cancellation) -> Refund {
    let Cancellation { by, at, confirmed_at } = *cancellation;
    let Some(confirmed_at) = confirmed_at else { return everything_back(offer) };
    let moment =
        Moment { spent: offer.house.nights_spent(&offer.stay, at), in_stay: at > offer.house.check_in_at(&offer.stay) };
    match by {
        Party::Guest => split(offer, schedule(offer, confirmed_at).step_at(at).keep, moment),
        Party::Host | Party::Platform => not_the_guests_doing(offer, moment),
    }
}

fn everything_back(offer: &Offer) -> Refund {
    let total = offer.priced.total();
    Refund { to_guest: total, kept: Shares::nothing(total.currency) }
}

/// The nights spent are paid for; everything else goes back, the whole guest fee with it.
fn not_the_guests_doing(offer: &Offer, moment: Moment) -> Refund {
    let kept = kept_price(offer, Keep::NOTHING_MORE, CleaningRule::Price, moment);
    divide(offer, kept, Money::zero(kept.currency))
}

/// The guest calls off: the host keeps what the policy says, of the price and of the fees on it.
fn split(offer: &Offer, keep: Keep, moment: Moment) -> Refund {
    let (priced, policy) = (&offer.priced, &offer.policy);
    let kept = kept_price(offer, keep, policy.cleaning, moment);
    let guest_fee = match policy.guest_fee {
        GuestFeeRule::KeptUnlessFullRefund if kept.is_zero() => Money::zero(kept.currency),
        GuestFeeRule::KeptUnlessFullRefund => priced.guest_fee(),
        GuestFeeRule::InProportion => priced.guest_fee().in_proportion(kept, priced.subtotal()),
    };
    divide(offer, kept, guest_fee)
}

/// What is kept of the subtotal: the nights spent, some more, and a share of the nights left over.
///
/// Discount, pets and cleaning are spread over the nights in proportion to their rent, so a night kept is kept whole.
fn kept_price(offer: &Offer, keep: Keep, cleaning: CleaningRule, Moment { spent, in_stay }: Moment) -> Money {
    let (priced, none) = (&offer.priced, Money::zero(offer.priced.shares().currency()));
    let apart = match cleaning {
        CleaningRule::Price => none,
        CleaningRule::ReturnedBeforeCheckIn => priced.amount_of(LineKind::Cleaning),
    };
    let rents: Vec<u64> = priced.nights().map(|rent| rent.minor.unsigned_abs()).collect();
    let whole = less(priced.subtotal(), apart);
    let nights = whole.allocate(&rents).expect("every night of a price costs something");
    let kept_nights = nights.len().min(spent as usize + usize::from(keep.nights));
    let kept = sum(none, nights[..kept_nights].iter().copied());
    let rest = less(whole, kept).portion(keep.rest);
    sum(none, [kept, rest, if in_stay { apart } else { none }])
}

/// Splits the total where `kept` of the subtotal and `guest_fee` stay: host fee and tax follow the price.
fn divide(offer: &Offer, kept: Money, guest_fee: Money) -> Refund {
    let (priced, subtotal) = (&offer.priced, offer.priced.subtotal());
    let host_fee = priced.host_fee().in_proportion(kept, subtotal);
    let tax = priced.tax().in_proportion(kept, subtotal);
    let kept = Shares::try_new(less(kept, host_fee), guest_fee, host_fee, tax).expect("parts of one price");
    Refund { to_guest: less(priced.total(), kept.total()), kept }
}

fn less(amount: Money, part: Money) -> Money {
    amount.checked_sub(part).expect("parts of one price")
}

fn sum(none: Money, parts: impl IntoIterator<Item = Money>) -> Money {
    Money::sum(none.currency, parts).expect("parts of one price")
}

#[cfg(test)]
pub(crate) mod tests;
