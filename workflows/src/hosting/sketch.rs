//! What a host has said of a home so far: a listing in which anything may still be missing.
//!
//! Drafts are saved half done. The table has no nulls for what every published home has, so what was not said yet is kept
//! as a value that no real home has (an empty title, room for nobody, a zone that is no place); this file alone knows them.

use chrono::NaiveTime;
use chrono_tz::Tz;
use domain::{BasisPoints, BookingRules, Capacity, Currency, HostPolicies, HouseClock, Money, PolicyCode, Stay};
use store::properties::{Asked, Listing, Place, PlatformShares};

use crate::Flaw;

const MAX_TITLE: usize = 100;
const MAX_DESCRIPTION: usize = 10_000;
const MAX_CITY: usize = 100;
/// More than any night costs, and far from where sums overflow.
const MAX_MINOR: i64 = 100_000_000_000;
const MAX_DISCOUNT: u16 = 9_000;
const MAX_WINDOW: u16 = 730;
const MAX_NOTICE: u16 = 365;
const MAX_PREPARATION: u16 = 30;
const NOWHERE: Tz = Tz::UTC;

/// What sorts of homes there are.
pub const KINDS: [&str; 12] = [
    "apartment",
    "house",
    "room",
    "studio",
    "loft",
    "villa",
    "cabin",
    "cottage",
    "guesthouse",
    "houseboat",
    "farm",
    "hotel_room",
];

/// A listing in which anything may be missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sketch {
    /// One line.
    pub title: Option<String>,
    /// As long as it takes.
    pub description: Option<String>,
    /// One of [`KINDS`].
    pub kind: Option<String>,
    /// The town.
    pub city: Option<String>,
    /// ISO 3166-1, two letters.
    pub country: Option<String>,
    /// Degrees north and east.
    pub location: Option<(f64, f64)>,
    /// Where its clocks are set.
    pub zone: Option<Tz>,
    /// From when on a guest may come.
    pub check_in_time: Option<NaiveTime>,
    /// By when a guest must leave.
    pub check_out_time: Option<NaiveTime>,
    /// How many may come.
    pub guests: Option<u8>,
    /// How many infants beside them.
    pub infants: Option<u8>,
    /// How many pets.
    pub pets: Option<u8>,
    /// In which currency it is paid.
    pub currency: Option<Currency>,
    /// For one night, in minor units.
    pub nightly: Option<i64>,
    /// For Friday and Saturday nights.
    pub weekend: Option<i64>,
    /// For cleaning.
    pub cleaning: Option<i64>,
    /// For bringing pets.
    pub pet_fee: Option<i64>,
    /// Off the rent of a week and more, in hundredths of a percent.
    pub weekly_discount: Option<u16>,
    /// Off the rent of four weeks and more.
    pub monthly_discount: Option<u16>,
    /// What becomes of the money if a short stay is called off.
    pub policy: Option<PolicyCode>,
    /// The same for stays of four weeks and more.
    pub long_policy: Option<PolicyCode>,
    /// Whether a booking needs no answer.
    pub instant_book: Option<bool>,
    /// The shortest stay.
    pub min_nights: Option<u16>,
    /// The longest stay.
    pub max_nights: Option<u16>,
    /// How many days ahead a guest must book.
    pub advance_notice_days: Option<u16>,
    /// How many days ahead nights can be booked at all.
    pub booking_window_days: Option<u16>,
    /// How many nights stay empty between two stays.
    pub preparation_nights: Option<u16>,
}

fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl From<&Listing> for Sketch {
    fn from(listing: &Listing) -> Self {
        let Listing { title, description, kind, place, house, asked, policy, long_policy, instant_book, rules } =
            listing;
        let Place { city, country, latitude, longitude } = place;
        let Asked { nightly, weekend, cleaning, pets, weekly_discount, monthly_discount } = asked;
        let BookingRules {
            min_nights,
            max_nights,
            advance_notice_days,
            booking_window_days,
            capacity,
            preparation_nights,
        } = *rules;
        Self {
            title: said(title),
            description: said(description),
            kind: said(kind),
            city: said(city),
            country: said(country),
            location: ((*latitude, *longitude) != (0.0, 0.0)).then_some((*latitude, *longitude)),
            zone: (house.zone != NOWHERE).then_some(house.zone),
            check_in_time: Some(house.check_in_time),
            check_out_time: Some(house.check_out_time),
            guests: (capacity.guests > 0).then_some(capacity.guests),
            infants: Some(capacity.infants),
            pets: Some(capacity.pets),
            currency: Some(nightly.currency),
            nightly: (!nightly.is_zero()).then_some(nightly.minor),
            weekend: weekend.map(|rate| rate.minor),
            cleaning: Some(cleaning.minor),
            pet_fee: pets.map(|fee| fee.minor),
            weekly_discount: Some(weekly_discount.get()),
            monthly_discount: Some(monthly_discount.get()),
            policy: Some(*policy),
            long_policy: Some(*long_policy),
            instant_book: Some(*instant_book),
            min_nights: Some(min_nights),
            max_nights: Some(max_nights),
            advance_notice_days: Some(advance_notice_days),
            booking_window_days: Some(booking_window_days),
            preparation_nights: Some(preparation_nights),
        }
    }
}

impl Sketch {
    /// The listing that it is so far; amounts are in `currency` unless it says another.
    ///
    /// # Errors
    /// Everything that can never be right; what is only missing is no error here, see [`missing`].
    pub fn listing(self, currency: Currency) -> Result<Listing, Vec<Flaw>> {
        let mut flaws = self.flaws();
        let policies = self.policies(&mut flaws);
        let money = |minor| Money::new(minor, self.currency.unwrap_or(currency));
        let share = |points: Option<u16>| BasisPoints::try_new(points.unwrap_or_default()).unwrap_or(BasisPoints::ZERO);
        let listing = Listing {
            asked: Asked {
                nightly: money(self.nightly.unwrap_or_default()),
                weekend: self.weekend.map(money),
                cleaning: money(self.cleaning.unwrap_or_default()),
                pets: self.pet_fee.map(money),
                weekly_discount: share(self.weekly_discount),
                monthly_discount: share(self.monthly_discount),
            },
            rules: self.rules(),
            house: HouseClock {
                zone: self.zone.unwrap_or(NOWHERE),
                check_in_time: self.check_in_time.unwrap_or(o_clock(15)),
                check_out_time: self.check_out_time.unwrap_or(o_clock(11)),
            },
            place: Place {
                city: self.city.unwrap_or_default(),
                country: self.country.unwrap_or_default(),
                latitude: self.location.unwrap_or_default().0,
                longitude: self.location.unwrap_or_default().1,
            },
            title: self.title.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            kind: self.kind.unwrap_or_default(),
            policy: policies.0,
            long_policy: policies.1,
            instant_book: self.instant_book.unwrap_or_default(),
        };
        if flaws.is_empty() { Ok(listing) } else { Err(flaws) }
    }

    fn rules(&self) -> BookingRules {
        BookingRules {
            min_nights: self.min_nights.unwrap_or(1),
            max_nights: self.max_nights.unwrap_or(365),
            advance_notice_days: self.advance_notice_days.unwrap_or_default(),
            booking_window_days: self.booking_window_days.unwrap_or(365),
            capacity: Capacity {
                guests: self.guests.unwrap_or_default(),
                infants: self.infants.unwrap_or_default(),
                pets: self.pets.unwrap_or_default(),
            },
            preparation_nights: self.preparation_nights.unwrap_or_default(),
        }
    }

    /// The policies for short and for long stays; a host who says nothing is flexible for short stays and firm for long ones.
    fn policies(&self, flaws: &mut Vec<Flaw>) -> (PolicyCode, PolicyCode) {
        let known = |code: &str| code.parse::<PolicyCode>().expect("a preset");
        let short = self.policy.unwrap_or_else(|| known("flexible"));
        let long = self.long_policy.unwrap_or_else(|| known("long_term_firm"));
        if HostPolicies::try_new(short, known("long_term_firm")).is_err() {
            flaws.push(Flaw::new("/policy", "other_regime", "this policy is for long stays"));
        }
        if HostPolicies::try_new(known("flexible"), long).is_err() {
            flaws.push(Flaw::new("/long_policy", "other_regime", "this policy is for short stays"));
        }
        (short, long)
    }

    fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut check = |fine: bool, pointer: &'static str, code: &'static str, detail: &'static str| {
            if !fine {
                flaws.push(Flaw::new(pointer, code, detail));
            }
        };
        let text = |text: &Option<String>, most: usize| {
            text.as_ref().is_none_or(|text| !text.trim().is_empty() && text.chars().count() <= most)
        };
        check(text(&self.title, MAX_TITLE), "/title", "out_of_range", "1 to 100 characters");
        check(text(&self.description, MAX_DESCRIPTION), "/description", "out_of_range", "1 to 10000 characters");
        check(text(&self.city, MAX_CITY), "/place/city", "out_of_range", "1 to 100 characters");
        let kind = self.kind.as_ref().is_none_or(|kind| KINDS.contains(&kind.as_str()));
        check(kind, "/kind", "unknown_value", "not a sort of home that we know");
        let country =
            self.country.as_ref().is_none_or(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()));
        check(country, "/place/country", "invalid_value", "two capital letters of ISO 3166-1");
        let location = self
            .location
            .is_none_or(|(north, east)| (-90.0..=90.0).contains(&north) && (-180.0..=180.0).contains(&east));
        check(location, "/place", "out_of_range", "latitude from -90 to 90, longitude from -180 to 180");
        check(
            self.zone.is_none_or(is_a_place),
            "/time_zone",
            "invalid_value",
            "a zone of a place, such as Europe/Paris",
        );
        check(
            self.guests.is_none_or(|guests| (1..=50).contains(&guests)),
            "/capacity/guests",
            "out_of_range",
            "from 1 to 50",
        );
        check(self.infants.is_none_or(|infants| infants <= 20), "/capacity/infants", "out_of_range", "from 0 to 20");
        check(self.pets.is_none_or(|pets| pets <= 20), "/capacity/pets", "out_of_range", "from 0 to 20");
        let positive = |minor: Option<i64>| minor.is_none_or(|minor| (1..=MAX_MINOR).contains(&minor));
        let amount = |minor: Option<i64>| minor.is_none_or(|minor| (0..=MAX_MINOR).contains(&minor));
        check(positive(self.nightly), "/price/nightly", "out_of_range", "a night costs something, and not the world");
        check(positive(self.weekend), "/price/weekend", "out_of_range", "a night costs something, and not the world");
        check(amount(self.cleaning), "/price/cleaning", "out_of_range", "not negative, and not the world");
        check(amount(self.pet_fee), "/price/pets", "out_of_range", "not negative, and not the world");
        let discount = |points: Option<u16>| points.is_none_or(|points| points <= MAX_DISCOUNT);
        check(discount(self.weekly_discount), "/price/weekly_discount_bp", "out_of_range", "from 0 to 9000");
        check(discount(self.monthly_discount), "/price/monthly_discount_bp", "out_of_range", "from 0 to 9000");
        let rules = self.rules();
        let stays = 1..=Stay::MOST_NIGHTS;
        check(stays.contains(&rules.min_nights.into()), "/rules/min_nights", "out_of_range", "from 1 to 365");
        check(stays.contains(&rules.max_nights.into()), "/rules/max_nights", "out_of_range", "from 1 to 365");
        check(
            rules.min_nights <= rules.max_nights,
            "/rules/min_nights",
            "contradiction",
            "the shortest stay is longer than the longest",
        );
        check(rules.advance_notice_days <= MAX_NOTICE, "/rules/advance_notice_days", "out_of_range", "from 0 to 365");
        let window = 1..=MAX_WINDOW;
        check(
            window.contains(&rules.booking_window_days),
            "/rules/booking_window_days",
            "out_of_range",
            "from 1 to 730",
        );
        check(rules.preparation_nights <= MAX_PREPARATION, "/rules/preparation_nights", "out_of_range", "from 0 to 30");
        flaws
    }
}

/// `UTC` and its like are clocks without a place.
fn is_a_place(zone: Tz) -> bool {
    zone.name().contains('/') && !zone.name().starts_with("Etc/")
}

fn o_clock(hour: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour of the day")
}

/// Everything that a home lacks before it can be shown, with where to say it.
pub(super) fn missing(listing: &Listing, has_photograph: bool, shares: PlatformShares) -> Vec<Flaw> {
    let sketch = Sketch::from(listing);
    let priced = listing.asked.with(shares).check().is_ok();
    let needed = [
        (sketch.title.is_some(), "/title"),
        (sketch.kind.is_some(), "/kind"),
        (sketch.city.is_some(), "/place/city"),
        (sketch.country.is_some(), "/place/country"),
        (sketch.location.is_some(), "/place/latitude"),
        (sketch.location.is_some(), "/place/longitude"),
        (sketch.zone.is_some(), "/time_zone"),
        (sketch.guests.is_some(), "/capacity/guests"),
        (sketch.nightly.is_some() && priced, "/price/nightly"),
        (has_photograph, "/photos"),
    ];
    let absent = needed.into_iter().filter(|(is_there, _)| !is_there);
    absent.map(|(_, pointer)| Flaw::new(pointer, "missing", "needed before the home can be published")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn complete() -> Sketch {
        Sketch {
            title: Some("Under the roofs".into()),
            kind: Some("apartment".into()),
            city: Some("Lyon".into()),
            country: Some("FR".into()),
            location: Some((45.76, 4.83)),
            zone: Some(Tz::Europe__Paris),
            guests: Some(4),
            nightly: Some(9_000),
            ..Sketch::default()
        }
    }

    fn shares() -> PlatformShares {
        crate::market::Market::try_from(crate::market::Settings::default()).unwrap().shares
    }

    fn pointers(flaws: &[Flaw]) -> Vec<&str> {
        flaws.iter().map(|flaw| flaw.pointer.as_ref()).collect()
    }

    #[test]
    fn a_draft_lacks_everything_at_once() {
        let nothing = Sketch::default().listing(Currency::EUR).unwrap();
        let all = missing(&nothing, false, shares());
        assert_eq!(
            pointers(&all),
            [
                "/title",
                "/kind",
                "/place/city",
                "/place/country",
                "/place/latitude",
                "/place/longitude",
                "/time_zone",
                "/capacity/guests",
                "/price/nightly",
                "/photos",
            ]
        );
        let whole = complete().listing(Currency::EUR).unwrap();
        assert_eq!(missing(&whole, true, shares()), []);
        assert_eq!(pointers(&missing(&whole, false, shares())), ["/photos"]);
    }

    #[test]
    fn what_was_said_is_said_again() {
        let whole = complete().listing(Currency::EUR).unwrap();
        let again = Sketch::from(&whole);
        assert_eq!((again.title.as_deref(), again.nightly), (Some("Under the roofs"), Some(9_000)));
        assert_eq!(again.listing(Currency::JPY).unwrap(), whole);
        let nothing = Sketch::from(&Sketch::default().listing(Currency::EUR).unwrap());
        assert_eq!((nothing.title, nothing.zone, nothing.guests, nothing.nightly), (None, None, None, None));
    }

    #[test]
    fn every_impossible_value_is_listed() {
        let wrong = Sketch {
            title: Some(" ".into()),
            kind: Some("castle".into()),
            country: Some("fr".into()),
            location: Some((91.0, 0.0)),
            zone: Some(Tz::UTC),
            nightly: Some(-1),
            min_nights: Some(9),
            max_nights: Some(3),
            policy: Some("long_term_firm".parse().unwrap()),
            ..complete()
        };
        let flaws = wrong.listing(Currency::EUR).unwrap_err();
        assert_eq!(
            pointers(&flaws),
            [
                "/title",
                "/kind",
                "/place/country",
                "/place",
                "/time_zone",
                "/price/nightly",
                "/rules/min_nights",
                "/policy",
            ]
        );
    }
}
