//! What a host asks, and how a stay is priced from it.
//!
//! The rent is counted night by night, never as hours divided by 24. Long stays are discounted on the rent alone; fees
//! and tax are a share of the subtotal (rent after discount, cleaning, pets), each rounded once. The guest pays the
//! subtotal, the guest fee and the tax; the host gets the subtotal without the host fee.

use chrono::{Datelike, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

use crate::guests::Guests;
use crate::money::{BasisPoints, Money, MoneyError};
use crate::quote::{Line, LineKind, Nights, Priced, Source};
use crate::shares::Shares;
use crate::stay::Stay;

/// What a host asks for a home and what is added to it or taken from it; one currency throughout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// For one night.
    pub nightly: Money,
    /// For the nights that begin on a Friday or Saturday, if they cost something else.
    #[serde(default)]
    pub weekend: Option<Money>,
    /// For cleaning, once a stay.
    pub cleaning: Money,
    /// For bringing pets, once a stay; `None` when they come free.
    #[serde(default)]
    pub pets: Option<Money>,
    /// The platform's share on top, paid by the guest.
    pub guest_fee: BasisPoints,
    /// The platform's share of what the host would get.
    pub host_fee: BasisPoints,
    /// Tax on top, paid by the guest.
    pub tax: BasisPoints,
    /// Off the rent from 7 nights on.
    #[serde(default)]
    pub weekly_discount: BasisPoints,
    /// Off the rent from 28 nights on, instead of the weekly discount.
    #[serde(default)]
    pub monthly_discount: BasisPoints,
}

/// Why these rates give no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    /// A night is offered for nothing.
    #[error("a night must cost something")]
    FreeNight,
    /// A rate is below zero, in another currency, or so large that it is no money.
    #[error("the rates do not add up to a price")]
    Rates(#[from] MoneyError),
}

impl Rates {
    /// From how many nights on the weekly discount applies.
    pub const WEEKLY_FROM: u32 = 7;

    /// Whether a stay can be priced with these rates; worth asking before they are published.
    pub fn check(&self) -> Result<(), PricingError> {
        let nights = [Some(self.nightly), self.weekend];
        if nights.into_iter().flatten().any(|rate| rate.minor <= 0) {
            return Err(PricingError::FreeNight);
        }
        let all = nights.into_iter().chain([Some(self.cleaning), self.pets]).flatten();
        for rate in all {
            Money::zero(self.nightly.currency).checked_add(rate)?;
            if rate.is_negative() {
                return Err(MoneyError::Negative.into());
            }
        }
        Ok(())
    }

    fn of_night(&self, night: NaiveDate) -> (Money, LineKind, Source) {
        match (self.weekend, night.weekday()) {
            (Some(rate), Weekday::Fri | Weekday::Sat) => (rate, LineKind::WeekendNights, Source::Weekday),
            _ => (self.nightly, LineKind::Nights, Source::Default),
        }
    }

    fn discount(&self, stay: &Stay) -> Option<(BasisPoints, LineKind)> {
        let (share, kind) = if stay.is_long() {
            (self.monthly_discount, LineKind::MonthlyDiscount)
        } else if stay.len() >= Self::WEEKLY_FROM {
            (self.weekly_discount, LineKind::WeeklyDiscount)
        } else {
            return None;
        };
        (share > BasisPoints::ZERO).then_some((share, kind))
    }
}

/// What the stay costs this party.
pub fn price(rates: &Rates, stay: &Stay, guests: &Guests) -> Result<Priced, PricingError> {
    rates.check()?;
    let currency = rates.nightly.currency;
    let mut lines = rent(rates, stay)?;
    let rent = Money::sum(currency, lines.iter().map(Line::amount))?;
    if let Some((share, kind)) = rates.discount(stay) {
        lines.push(Line::once(kind, rent.portion(share).checked_neg()?, Source::LengthOfStay));
    }
    lines.push(Line::once(LineKind::Cleaning, rates.cleaning, Source::Default));
    if let Some(fee) = rates.pets.filter(|_| guests.pets() > 0) {
        lines.push(Line::once(LineKind::Pets, fee, Source::Party));
    }
    let subtotal = Money::sum(currency, lines.iter().map(Line::amount))?;
    let (guest_fee, host_fee) = (subtotal.portion(rates.guest_fee), subtotal.portion(rates.host_fee));
    let tax = subtotal.portion(rates.tax);
    lines.push(Line::once(LineKind::GuestFee, guest_fee, Source::Platform));
    lines.push(Line::once(LineKind::Tax, tax, Source::TaxRule));
    lines.retain(|line| !line.amount().is_zero());
    let shares = Shares::try_new(subtotal.checked_sub(host_fee)?, guest_fee, host_fee, tax)?;
    Ok(Priced::new(lines, shares))
}

/// The rent before any discount: consecutive nights at one rate share a line.
fn rent(rates: &Rates, stay: &Stay) -> Result<Vec<Line>, MoneyError> {
    let mut runs: Vec<(Nights, LineKind, Source)> = Vec::new();
    for night in stay.nights() {
        let (each, kind, source) = rates.of_night(night);
        match runs.last_mut() {
            Some((run, of, _)) if *of == kind => run.count += 1,
            _ => runs.push((Nights { first: night, count: 1, each }, kind, source)),
        }
    }
    runs.into_iter().map(|(nights, kind, source)| Line::nights(kind, nights, source)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::currency::Currency;

    pub(crate) fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    pub(crate) fn points(points: u16) -> BasisPoints {
        BasisPoints::try_new(points).unwrap()
    }

    /// 100.00 a night with 40.00 cleaning; fees and tax as a marketplace has them.
    pub(crate) fn rates() -> Rates {
        Rates {
            nightly: eur(10_000),
            weekend: None,
            cleaning: eur(4_000),
            pets: None,
            guest_fee: points(1_200),
            host_fee: points(300),
            tax: points(1_000),
            weekly_discount: BasisPoints::ZERO,
            monthly_discount: BasisPoints::ZERO,
        }
    }

    pub(crate) fn stay(check_in: &str, nights: u64) -> Stay {
        let check_in: NaiveDate = check_in.parse().unwrap();
        Stay::parse(check_in, check_in + chrono::Days::new(nights)).unwrap()
    }

    pub(crate) fn couple() -> Guests {
        Guests::parse(2, 0, 0, 0).unwrap()
    }

    fn amounts(priced: &Priced) -> Vec<String> {
        priced.lines().iter().map(|line| format!("{} {}", line.label_code(), line.amount())).collect()
    }

    #[test]
    fn a_price_says_what_each_part_of_it_is_for() {
        let rates = Rates { weekend: Some(eur(12_000)), pets: Some(eur(2_500)), ..rates() };
        let with_dog = Guests::parse(2, 0, 0, 1).unwrap();
        let priced = price(&rates, &stay("2027-05-06", 4), &with_dog).unwrap();
        insta::assert_snapshot!(amounts(&priced).join("\n"), @r"
        nights 100.00 EUR
        weekend_nights 240.00 EUR
        nights 100.00 EUR
        cleaning 40.00 EUR
        pets 25.00 EUR
        guest_fee 60.60 EUR
        tax 50.50 EUR
        ");
        assert_eq!((priced.subtotal(), priced.total()), (eur(50_500), eur(61_610)));
        assert_eq!((priced.host_fee(), priced.host_net()), (eur(1_515), eur(48_985)));
        let without_dog = price(&rates, &stay("2027-05-06", 4), &couple()).unwrap();
        assert_eq!(without_dog.subtotal(), eur(48_000));
    }

    #[test]
    fn v9_a_stay_over_the_change_of_clocks_has_two_prices() {
        let priced = price(&rates(), &stay("2027-03-27", 2), &couple()).unwrap();
        assert_eq!(priced.nights().collect::<Vec<_>>(), [eur(10_000), eur(10_000)]);
    }

    #[test]
    fn v10_the_monthly_discount_begins_at_exactly_28_nights() {
        let rates = Rates { weekly_discount: points(1_000), monthly_discount: points(3_000), ..rates() };
        let subtotal = |nights| price(&rates, &stay("2027-01-01", nights), &couple()).unwrap().subtotal();
        assert_eq!(subtotal(27), eur(27 * 9_000 + 4_000));
        assert_eq!(subtotal(28), eur(28 * 7_000 + 4_000));
    }

    #[test]
    fn v11_a_week_shortened_to_six_nights_loses_its_discount() {
        let rates = Rates { weekly_discount: points(1_000), ..rates() };
        let priced = |nights| price(&rates, &stay("2027-01-04", nights), &couple()).unwrap();
        assert_eq!(priced(7).subtotal(), eur(67_000));
        assert_eq!(priced(6).subtotal(), eur(64_000));
        let discounts = |priced: Priced| priced.lines().iter().filter(|l| l.kind() == LineKind::WeeklyDiscount).count();
        assert_eq!((discounts(priced(7)), discounts(priced(6))), (1, 0));
    }

    #[test]
    fn v13_the_host_fee_is_taken_from_the_host_alone() {
        let usd = |minor| Money::new(minor, Currency::USD);
        let (nightly, cleaning, none) = (usd(11_400), usd(0), BasisPoints::ZERO);
        let rates = Rates { nightly, cleaning, guest_fee: none, host_fee: points(1_550), tax: none, ..rates() };
        let priced = price(&rates, &stay("2027-05-03", 1), &couple()).unwrap();
        assert_eq!((priced.total(), priced.host_fee(), priced.host_net()), (usd(11_400), usd(1_767), usd(9_633)));
    }

    #[test]
    fn rates_that_make_no_price_are_refused() {
        let refused = |rates: Rates| price(&rates, &stay("2027-05-03", 5), &couple()).unwrap_err();
        assert_eq!(refused(Rates { nightly: eur(0), ..rates() }), PricingError::FreeNight);
        assert_eq!(refused(Rates { cleaning: eur(-1), ..rates() }), MoneyError::Negative.into());
        assert_eq!(refused(Rates { nightly: eur(i64::MAX), ..rates() }), MoneyError::Overflow.into());
        let dollars = Some(Money::new(1, Currency::USD));
        assert!(matches!(
            refused(Rates { pets: dollars, ..rates() }),
            PricingError::Rates(MoneyError::CurrencyMismatch { .. })
        ));
    }

    prop_compose! {
        pub(crate) fn any_rates()(
            nightly in 1..5_000_000_i64, weekend in prop::option::of(1..5_000_000_i64), cleaning in 0..500_000_i64,
            pets in prop::option::of(0..100_000_i64), shares in prop::array::uniform5(0..=10_000_u16),
        ) -> Rates {
            let [guest_fee, host_fee, tax, weekly_discount, monthly_discount] = shares.map(points);
            let (nightly, weekend, cleaning, pets) = (eur(nightly), weekend.map(eur), eur(cleaning), pets.map(eur));
            Rates { nightly, weekend, cleaning, pets, guest_fee, host_fee, tax, weekly_discount, monthly_discount }
        }
    }

    prop_compose! {
        pub(crate) fn any_stay()(from in 0..3_000_u64, nights in 1..=365_u64) -> Stay {
            let first: NaiveDate = "2025-01-01".parse().unwrap();
            stay(&(first + chrono::Days::new(from)).to_string(), nights)
        }
    }

    proptest! {
        #[test]
        fn a_price_is_the_sum_of_its_lines_and_of_its_shares(rates in any_rates(), stay in any_stay(), pets in 0..2_u8) {
            let priced = price(&rates, &stay, &Guests::parse(1, 0, 0, pets).unwrap()).unwrap();
            let lines = Money::sum(Currency::EUR, priced.lines().iter().map(Line::amount)).unwrap();
            prop_assert_eq!(lines, priced.total());
            prop_assert_eq!(priced.shares().total(), priced.total());
            let parts = [priced.host_net(), priced.guest_fee(), priced.host_fee(), priced.tax()];
            prop_assert_eq!(Money::sum(Currency::EUR, parts).unwrap(), priced.total());
            prop_assert_eq!(priced.nights().count(), stay.len() as usize);
            let json = serde_json::to_string(&priced).unwrap();
            prop_assert_eq!(serde_json::from_str::<Priced>(&json).unwrap(), priced);
        }
    }
}
