//! Shapes that several groups of endpoints share, as JSON and the document have them.

use chrono::{DateTime, NaiveTime, Utc};
use domain::Guests;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use store::{Page as Rows, Position};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::page::Page;
use crate::problem::Problem;

/// An amount of money, in whole minor units (cents where the currency has them).
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Money)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoneyShape {
    /// Whole minor units.
    #[schema(example = 41200)]
    amount_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
}

/// Who comes.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Guests)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuestsShape {
    /// At least one.
    #[schema(minimum = 1)]
    adults: u8,
    /// From two to twelve years old.
    #[serde(default)]
    children: u8,
    /// Younger than two.
    #[serde(default)]
    infants: u8,
    /// Pets.
    #[serde(default)]
    pets: u8,
}

/// A party from four numbers of a query; none given is none wanted.
pub(crate) fn party(
    (adults, children): (Option<u8>, Option<u8>),
    (infants, pets): (Option<u8>, Option<u8>),
) -> Option<Guests> {
    if [adults, children, infants, pets].iter().all(Option::is_none) {
        return None;
    }
    let or_none = Option::unwrap_or_default;
    Guests::parse(adults.unwrap_or(1).max(1), or_none(children), or_none(infants), or_none(pets)).ok()
}

/// A time on a wall, `15:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WallTime(pub(crate) NaiveTime);

impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.format("%H:%M"))
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = NaiveTime::parse_from_str(&text, "%H:%M");
        time.map(Self).map_err(|_| de::Error::custom("not a time such as 15:00"))
    }
}

/// Where a row stands in a list from the newest to the oldest, inside a cursor.
#[derive(Serialize, Deserialize)]
pub(crate) struct Place(i64, Uuid);

impl Place {
    pub(crate) fn new(at: DateTime<Utc>, id: Uuid) -> Self {
        Self(at.timestamp_micros(), id)
    }

    pub(crate) fn position(self) -> Option<Position> {
        DateTime::from_timestamp_micros(self.0).map(|created_at| Position { created_at, id: self.1 })
    }
}

/// The rows that a page of such a list asks for.
pub(crate) fn rows<F>(page: &Page<F>) -> Result<Rows, Problem> {
    let after = page.after::<Place>()?.and_then(Place::position);
    Ok(Rows { limit: page.fetch(), after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_on_a_wall_is_hours_and_minutes() {
        let read = |text: &str| serde_json::from_value::<WallTime>(text.into());
        assert_eq!(serde_json::to_value(read("09:30").unwrap()).unwrap(), "09:30");
        for wrong in ["24:00", "9", "12:30:15", "noon"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_named_is_nobody_wanted() {
        assert_eq!(party((None, None), (None, None)), None);
        assert_eq!(party((None, None), (None, Some(1))), Guests::parse(1, 0, 0, 1).ok());
    }
}
