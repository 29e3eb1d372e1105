//! A price in writing: its lines, and the offer that guest and host agree to.
//!
//! An [`Offer`] is everything that money and deadlines of one booking will ever depend on. It is copied into the quote
//! and from there into the booking, so later changes of rates, policy or house rules touch neither.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cancellation::PolicySnapshot;
use crate::guests::Guests;
use crate::money::{Money, MoneyError};
use crate::shares::Shares;
use crate::stay::Stay;
use crate::zone::HouseClock;

mod changes;

pub use changes::LineChange;

/// What a line of a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Nights at the plain rate.
    Nights,
    /// Nights at the weekend rate.
    WeekendNights,
    /// Off the rent for a week or more; negative.
    WeeklyDiscount,
    /// Off the rent for 28 nights or more; negative.
    MonthlyDiscount,
    /// Cleaning, once.
    Cleaning,
    /// Pets, once.
    Pets,
    /// The platform's share, paid by the guest.
    GuestFee,
    /// Tax, paid by the guest.
    Tax,
}

/// Which rule put a line into the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The home's default rate.
    Default,
    /// The rate for that day of the week.
    Weekday,
    /// The length of the stay.
    LengthOfStay,
    /// Who comes.
    Party,
    /// The platform's terms.
    Platform,
    /// The tax rule of the place.
    TaxRule,
}

/// Consecutive nights at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nights {
    /// The date on which the first of them begins.
    pub first: NaiveDate,
    /// How many.
    pub count: u32,
    /// For each.
    pub each: Money,
}

/// One line of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    kind: LineKind,
    amount: Money,
    source: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nights: Option<Nights>,
}

/// A price: the lines that a guest reads, and who gets what of their sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenPrice", into = "WrittenPrice")]
pub struct Priced {
    lines: Vec<Line>,
    shares: Shares,
}

/// Why a written price is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The amounts cannot be added.
    #[error("the lines of the price cannot be added")]
    Amounts(#[from] MoneyError),
    /// The lines and the shares are not the same money.
    #[error("the lines of the price are not the sum of its parts")]
    DoesNotAddUp,
}

/// What guest and host agree to, copied at the time of the quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Which nights.
    pub stay: Stay,
    /// Who comes.
    pub guests: Guests,
    /// When the doors open and close.
    pub house: HouseClock,
    /// What it costs.
    pub priced: Priced,
    /// What becomes of the money if it is called off.
    pub policy: PolicySnapshot,
}

impl LineKind {
    /// The stable word by which clients look up a label in their language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nights => "nights",
            Self::WeekendNights => "weekend_nights",
            Self::WeeklyDiscount => "weekly_discount",
            Self::MonthlyDiscount => "monthly_discount",
            Self::Cleaning => "cleaning",
            Self::Pets => "pets",
            Self::GuestFee => "guest_fee",
            Self::Tax => "tax",
        }
    }
}

impl Source {
    /// The stable word for the rule.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Weekday => "weekday",
            Self::LengthOfStay => "length_of_stay",
            Self::Party => "party",
            Self::Platform => "platform",
            Self::TaxRule => "tax_rule",
        }
    }
}

impl Line {
    pub(crate) const fn once(kind: LineKind, amount: Money, source: Source) -> Self {
        Self { kind, amount, source, nights: None }
    }

    pub(crate) fn nights(kind: LineKind, nights: Nights, source: Source) -> Result<Self, MoneyError> {
        let minor = nights.each.minor.checked_mul(nights.count.into()).ok_or(MoneyError::Overflow)?;
        Ok(Self { kind, amount: Money::new(minor, nights.each.currency), source, nights: Some(nights) })
    }

    /// Whether the nights, if there are any, cost what the line says.
    fn is_nights_times_rent(&self) -> bool {
        let rent = self.nights.map(|nights| Self::nights(self.kind, nights, self.source));
        rent.is_none_or(|line| self.amount.minor > 0 && line.as_ref() == Ok(self))
    }

    /// What it is for.
    pub const fn kind(&self) -> LineKind {
        self.kind
    }

    /// The stable word by which clients look up its label.
    pub const fn label_code(&self) -> &'static str {
        self.kind.as_str()
    }

    /// How much; negative for a discount.
    pub const fn amount(&self) -> Money {
        self.amount
    }

    /// Which rule put it there.
    pub const fn source(&self) -> Source {
        self.source
    }

    /// For which nights, if it is rent.
    pub const fn of_nights(&self) -> Option<Nights> {
        self.nights
    }
}

impl Priced {
    /// The lines must add up to the shares; [`crate::rates::price`] makes them so.
    pub(crate) fn new(lines: Vec<Line>, shares: Shares) -> Self {
        debug_assert_eq!(Money::sum(shares.currency(), lines.iter().map(Line::amount)), Ok(shares.total()));
        Self { lines, shares }
    }

    /// The lines, in the order in which a guest reads them; their sum is the total.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Who gets what of the total.
    pub const fn shares(&self) -> Shares {
        self.shares
    }

    /// What the host asks, before fees and tax.
    pub fn subtotal(&self) -> Money {
        let Self { shares, .. } = self;
        shares.host().checked_add(shares.host_fee()).expect("parts of a total")
    }

    /// The platform's share that the guest pays.
    pub const fn guest_fee(&self) -> Money {
        self.shares.guest_fee()
    }

    /// The platform's share that the host pays.
    pub const fn host_fee(&self) -> Money {
        self.shares.host_fee()
    }

    /// Tax.
    pub const fn tax(&self) -> Money {
        self.shares.tax()
    }

    /// What the guest pays, all in all.
    pub fn total(&self) -> Money {
        self.shares.total()
    }

    /// What the host gets, all in all.
    pub const fn host_net(&self) -> Money {
        self.shares.host()
    }

    /// The listed rent of each night, in order, before any discount.
    pub fn nights(&self) -> impl Iterator<Item = Money> + '_ {
        let rent = self.lines.iter().filter_map(Line::of_nights);
        rent.flat_map(|nights| std::iter::repeat_n(nights.each, nights.count as usize))
    }

    /// The line of that kind, or nothing.
    pub(crate) fn amount_of(&self, kind: LineKind) -> Money {
        let line = self.lines.iter().find(|line| line.kind == kind);
        line.map_or(Money::zero(self.shares.currency()), Line::amount)
    }
}

impl Offer {
    /// A fingerprint of everything that was agreed: equal offers have equal ones, and any change shows.
    pub fn fingerprint(&self) -> String {
        let written = serde_json::to_vec(self).expect("an offer is plain data with text keys");
        hex::encode(Sha256::digest(written))
    }
}

/// A price with its sums written out, as people and other programs read it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPrice {
    lines: Vec<Line>,
    subtotal: Money,
    guest_fee: Money,
    host_fee: Money,
    tax: Money,
    total: Money,
    host_net: Money,
}

impl From<Priced> for WrittenPrice {
    fn from(priced: Priced) -> Self {
        let (subtotal, total) = (priced.subtotal(), priced.total());
        let Priced { lines, shares } = priced;
        let (guest_fee, host_fee, tax, host_net) = (shares.guest_fee(), shares.host_fee(), shares.tax(), shares.host());
        Self { lines, subtotal, guest_fee, host_fee, tax, total, host_net }
    }
}

impl TryFrom<WrittenPrice> for Priced {
    type Error = PriceError;

    fn try_from(written: WrittenPrice) -> Result<Self, PriceError> {
        let WrittenPrice { lines, subtotal, guest_fee, host_fee, tax, total, host_net } = written;
        let shares = Shares::try_new(host_net, guest_fee, host_fee, tax)?;
        let sum = Money::sum(shares.currency(), lines.iter().map(Line::amount))?;
        let adds_up = sum == total
            && total == shares.total()
            && subtotal == host_net.checked_add(host_fee)?
            && lines.iter().any(|line| line.nights.is_some())
            && lines.iter().all(Line::is_nights_times_rent);
        if adds_up { Ok(Self { lines, shares }) } else { Err(PriceError::DoesNotAddUp) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancellation::tests::offer;
    use crate::rates::price;
    use crate::rates::tests::{couple, rates, stay};

    #[test]
    fn a_written_price_that_does_not_add_up_is_refused() {
        let honest = serde_json::to_string(&price(&rates(), &stay("2027-05-03", 2), &couple()).unwrap()).unwrap();
        let refused = |forged: String| {
            assert_ne!(forged, honest);
            serde_json::from_str::<Priced>(&forged).unwrap_err().to_string()
        };
        let nights = r#","nights":{"first":"2027-05-03","count":2,"each":{"amount_minor":10000,"currency":"EUR"}}"#;
        for forged in [
            honest.replace(":29280,", ":29279,"),
            honest.replace(":24000,", ":23999,"),
            honest.replace(":24000,", ":24001,").replace(":23280,", ":23281,"),
            honest.replace(r#""count":2"#, r#""count":3"#),
            honest.replace(nights, ""),
        ] {
            assert!(refused(forged.clone()).contains("not the sum of its parts"), "{forged}");
        }
        assert!(refused(honest.replacen("EUR", "USD", 1)).contains("cannot be added"));
    }

    #[test]
    fn equal_offers_have_equal_bytes_and_any_change_shows() {
        let first = offer("flexible", 3);
        assert_eq!(first.fingerprint(), offer("flexible", 3).fingerprint());
        assert_eq!(first.fingerprint().len(), 64);
        let read: Offer = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        assert_eq!(read.fingerprint(), first.fingerprint());
        assert_ne!(first.fingerprint(), offer("flexible", 4).fingerprint());
        assert_ne!(first.fingerprint(), offer("moderate", 3).fingerprint());
    }

    /// Quotes, bookings and runs keep offers for years: what was written once must stay readable, to the byte.
    #[test]
    fn an_offer_is_still_written_as_it_always_was() {
        let golden = include_str!("golden/offer.json");
        assert_eq!(serde_json::from_str::<Offer>(golden).unwrap(), offer("flexible", 2));
        let without_spaces: String = golden.split_whitespace().collect();
        assert_eq!(serde_json::to_string(&offer("flexible", 2)).unwrap(), without_spaces);
    }

    #[test]
    fn a_word_on_a_line_is_the_same_in_code_and_json() {
        for line in offer("flexible", 9).priced.lines() {
            assert_eq!(serde_json::to_value(line.kind()).unwrap(), line.label_code());
            assert_eq!(serde_json::to_value(line.source()).unwrap(), line.source().as_str());
        }
    }
}
