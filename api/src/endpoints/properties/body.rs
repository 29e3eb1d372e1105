//! A home as JSON: the same form for beginning, changing and showing it, with every part optional.

use domain::{Money, PolicyCode};
use serde::{Deserialize, Serialize};
use store::PropertyStatus;
use utoipa::ToSchema;
use workflows::hosting::{Home, Sketch};
use workflows::{Error, Flaw};

use crate::wire::{MoneyShape, WallTime};

/// What a host says of a home. A draft may lack anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PropertyDescription)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Body {
    /// `draft`, `published` or `paused`. To publish, everything needed must be there; the problem lists all that is missing.
    pub(super) status: Option<Status>,
    /// How many units of exactly this kind there are, 1 to 100; one when absent. Units can be added, not taken away.
    pub(super) units: Option<u16>,
    /// One line.
    #[schema(max_length = 100)]
    title: Option<String>,
    /// As long as it takes.
    #[schema(max_length = 10000)]
    description: Option<String>,
    /// Such as `apartment`, `house`, `room`.
    #[schema(example = "apartment")]
    kind: Option<String>,
    /// Where it is.
    place: Place,
    /// The IANA time zone of the place.
    #[schema(example = "Europe/Paris")]
    time_zone: Option<String>,
    /// From when on guests may come; 15:00 when absent.
    #[schema(value_type = Option<String>, example = "15:00")]
    check_in_time: Option<WallTime>,
    /// By when guests must leave; 11:00 when absent.
    #[schema(value_type = Option<String>, example = "11:00")]
    check_out_time: Option<WallTime>,
    /// Who may come.
    capacity: Capacity,
    /// What it costs, in one currency throughout.
    price: Price,
    /// What becomes of the money when a stay is called off; `flexible` when absent.
    #[schema(value_type = Option<String>, example = "moderate")]
    policy: Option<PolicyCode>,
    /// The same for stays of 28 nights and more; `long_term_firm` when absent.
    #[schema(value_type = Option<String>, example = "long_term_firm")]
    long_policy: Option<PolicyCode>,
    /// Whether a booking needs no answer by the host.
    instant_book: Option<bool>,
    /// Which stays are taken.
    rules: Rules,
}

/// Whether a home can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PropertyStatus)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// Only its host sees it.
    Draft,
    /// Everybody sees it.
    Published,
    /// It keeps its bookings but takes no more.
    Paused,
}

/// Where a home is. Everybody but the host is shown the neighbourhood, not the point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Place {
    /// The town.
    city: Option<String>,
    /// ISO 3166-1, two letters.
    #[schema(example = "FR")]
    country: Option<String>,
    /// Degrees north.
    latitude: Option<f64>,
    /// Degrees east.
    longitude: Option<f64>,
}

/// Who may come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Capacity {
    /// Adults and children, 1 to 50.
    guests: Option<u8>,
    /// Infants beside them.
    infants: Option<u8>,
    /// Pets.
    pets: Option<u8>,
}

/// What a home costs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Price {
    /// For one night.
    #[schema(value_type = Option<MoneyShape>)]
    nightly: Option<Money>,
    /// For the nights that begin on a Friday or Saturday.
    #[schema(value_type = Option<MoneyShape>)]
    weekend: Option<Money>,
    /// For cleaning, once a stay.
    #[schema(value_type = Option<MoneyShape>)]
    cleaning: Option<Money>,
    /// For bringing pets, once a stay.
    #[schema(value_type = Option<MoneyShape>)]
    pets: Option<Money>,
    /// Off the rent from 7 nights on, in hundredths of a percent.
    weekly_discount_bp: Option<u16>,
    /// Off the rent from 28 nights on.
    monthly_discount_bp: Option<u16>,
}

/// Which stays are taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Rules {
    /// The shortest stay.
    min_nights: Option<u16>,
    /// The longest stay.
    max_nights: Option<u16>,
    /// How many days ahead a guest must book.
    advance_notice_days: Option<u16>,
    /// How many days ahead nights can be booked at all.
    booking_window_days: Option<u16>,
    /// How many nights stay empty between two stays.
    preparation_nights: Option<u16>,
}

impl From<Status> for PropertyStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Draft => Self::Draft,
            Status::Published => Self::Published,
            Status::Paused => Self::Paused,
        }
    }
}

impl From<PropertyStatus> for Status {
    fn from(status: PropertyStatus) -> Self {
        match status {
            PropertyStatus::Draft => Self::Draft,
            PropertyStatus::Published => Self::Published,
            PropertyStatus::Paused => Self::Paused,
        }
    }
}

impl From<Sketch> for Body {
    fn from(sketch: Sketch) -> Self {
        let money = |minor: Option<i64>| Some(Money::new(minor?, sketch.currency?));
        Self {
            status: None,
            units: None,
            place: Place {
                city: sketch.city,
                country: sketch.country,
                latitude: sketch.location.map(|(latitude, _)| latitude),
                longitude: sketch.location.map(|(_, longitude)| longitude),
            },
            capacity: Capacity { guests: sketch.guests, infants: sketch.infants, pets: sketch.pets },
            price: Price {
                nightly: money(sketch.nightly),
                weekend: money(sketch.weekend),
                // Before there is a price there is no currency worth speaking of.
                cleaning: money(sketch.cleaning).filter(|fee| sketch.nightly.is_some() || !fee.is_zero()),
                pets: money(sketch.pet_fee),
                weekly_discount_bp: sketch.weekly_discount,
                monthly_discount_bp: sketch.monthly_discount,
            },
            rules: Rules {
                min_nights: sketch.min_nights,
                max_nights: sketch.max_nights,
                advance_notice_days: sketch.advance_notice_days,
                booking_window_days: sketch.booking_window_days,
                preparation_nights: sketch.preparation_nights,
            },
            title: sketch.title,
            description: sketch.description,
            kind: sketch.kind,
            time_zone: sketch.zone.map(|zone| zone.name().to_owned()),
            check_in_time: sketch.check_in_time.map(WallTime),
            check_out_time: sketch.check_out_time.map(WallTime),
            policy: sketch.policy,
            long_policy: sketch.long_policy,
            instant_book: sketch.instant_book,
        }
    }
}

impl TryFrom<Body> for Sketch {
    type Error = Error;

    fn try_from(body: Body) -> Result<Self, Error> {
        let Body { title, description, kind, place, time_zone, check_in_time, check_out_time, capacity, .. } = body;
        let Body { price, policy, long_policy, instant_book, rules, status: _, units: _, .. } = body;
        let location = match (place.latitude, place.longitude) {
            (None, None) => None,
            (Some(latitude), Some(longitude)) => Some((latitude, longitude)),
            _ => return Err(Error::flaw("/place", "missing", "latitude and longitude come together")),
        };
        let not_a_zone = |_| Error::flaw("/time_zone", "invalid_value", "a zone of a place, such as Europe/Paris");
        let currency = price.currency()?;
        Ok(Self {
            title,
            description,
            kind,
            city: place.city,
            country: place.country,
            location,
            zone: time_zone.map(|zone| zone.parse().map_err(not_a_zone)).transpose()?,
            check_in_time: check_in_time.map(|time| time.0),
            check_out_time: check_out_time.map(|time| time.0),
            guests: capacity.guests,
            infants: capacity.infants,
            pets: capacity.pets,
            currency,
            nightly: price.nightly.map(|money| money.minor),
            weekend: price.weekend.map(|money| money.minor),
            cleaning: price.cleaning.map(|money| money.minor),
            pet_fee: price.pets.map(|money| money.minor),
            weekly_discount: price.weekly_discount_bp,
            monthly_discount: price.monthly_discount_bp,
            policy,
            long_policy,
            instant_book,
            min_nights: rules.min_nights,
            max_nights: rules.max_nights,
            advance_notice_days: rules.advance_notice_days,
            booking_window_days: rules.booking_window_days,
            preparation_nights: rules.preparation_nights,
        })
    }
}

impl Price {
    /// The one currency of every amount.
    fn currency(&self) -> Result<Option<domain::Currency>, Error> {
        let all = [
            (self.nightly, "/price/nightly"),
            (self.weekend, "/price/weekend"),
            (self.cleaning, "/price/cleaning"),
            (self.pets, "/price/pets"),
        ];
        let first = all.iter().find_map(|(money, _)| *money).map(|money| money.currency);
        let other = |(money, _): &&(Option<Money>, &str)| money.is_some_and(|money| Some(money.currency) != first);
        let flaw = |(_, place): &(_, &'static str)| Flaw::new(*place, "other_currency", "one currency throughout");
        let flaws: Vec<Flaw> = all.iter().filter(other).map(flaw).collect();
        if flaws.is_empty() { Ok(first) } else { Err(Error::Invalid(flaws)) }
    }
}

/// To about a kilometre: enough to choose by, not enough to find the door.
fn blurred(degrees: f64) -> f64 {
    (degrees * 100.0).round() / 100.0
}

/// Where a home is, as everybody may know it.
pub(in crate::endpoints) fn neighbourhood(place: &store::properties::Place) -> (f64, f64) {
    (blurred(place.latitude), blurred(place.longitude))
}

impl Body {
    /// What whoever looks may know.
    pub(super) fn shown(home: &Home) -> Self {
        let mut body = Self::from(Sketch::from(&home.property.listing));
        body.status = Some(home.property.status.into());
        body.units = u16::try_from(home.units).ok();
        if !home.own {
            body.place.latitude = body.place.latitude.map(blurred);
            body.place.longitude = body.place.longitude.map(blurred);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: serde_json::Value) -> Body {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn nothing_said_is_a_sketch_of_nothing() {
        assert_eq!(Sketch::try_from(Body::default()).unwrap(), Sketch::default());
        assert_eq!(Sketch::try_from(body(serde_json::json!({}))).unwrap(), Sketch::default());
    }

    #[test]
    fn amounts_in_two_currencies_are_pointed_at() {
        let eur = serde_json::json!({"amount_minor": 9000, "currency": "EUR"});
        let mixed = serde_json::json!({"price": {"nightly": eur, "cleaning": {"amount_minor": 1, "currency": "USD"}}});
        let Err(Error::Invalid(flaws)) = Sketch::try_from(body(mixed)) else { panic!("it was taken") };
        assert_eq!((flaws[0].pointer.as_ref(), flaws[0].code), ("/price/cleaning", "other_currency"));
    }

    #[test]
    fn only_the_neighbourhood_is_shown() {
        assert!((blurred(45.764_043) - 45.76).abs() < 1e-9);
    }
}
