//! A stay: the nights from one check-in date to one check-out date, in the property's own calendar.
//!
//! Half-open, `[check_in, check_out)`: the night of the check-out date belongs to whoever comes next. Nights are dates,
//! never spans of 24 hours, so a change of the clocks changes no price.

use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// At least one night and at most [`Stay::MOST_NIGHTS`], from check-in to check-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Dates", into = "Dates")]
pub struct Stay {
    check_in: NaiveDate,
    check_out: NaiveDate,
}

/// Why two dates are not a stay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StayError {
    /// Check-out is on the day of check-in, or before it.
    #[error("check-out must be at least one night after check-in")]
    NoNight,
    /// Longer than anybody may book at once.
    #[error("a stay is at most {} nights, not {nights}", Stay::MOST_NIGHTS)]
    TooLong {
        /// How many nights were asked for.
        nights: i64,
    },
    /// In a century that nobody books in, where reckoning with instants would leave the calendar.
    #[error("a stay is between the years 2000 and 2999")]
    OutOfReach,
}

/// The two dates as they are written, before they are known to be a stay.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dates {
    check_in: NaiveDate,
    check_out: NaiveDate,
}

impl Stay {
    /// The longest stay that can be booked.
    pub const MOST_NIGHTS: u32 = 365;

    /// From this many nights on, the long-stay rules apply.
    pub const LONG_FROM: u32 = 28;

    /// The stay between two dates.
    pub fn parse(check_in: NaiveDate, check_out: NaiveDate) -> Result<Self, StayError> {
        let bookable = |date: NaiveDate| (2000..3000).contains(&date.year());
        match (check_out - check_in).num_days() {
            _ if !(bookable(check_in) && bookable(check_out)) => Err(StayError::OutOfReach),
            ..1 => Err(StayError::NoNight),
            nights if nights > i64::from(Self::MOST_NIGHTS) => Err(StayError::TooLong { nights }),
            _ => Ok(Self { check_in, check_out }),
        }
    }

    /// The date on which the guest comes.
    pub const fn check_in(&self) -> NaiveDate {
        self.check_in
    }

    /// The date on which the guest leaves; its night is not part of the stay.
    pub const fn check_out(&self) -> NaiveDate {
        self.check_out
    }

    /// How many nights.
    #[expect(clippy::len_without_is_empty, reason = "a stay has at least one night")]
    pub fn len(&self) -> u32 {
        u32::try_from((self.check_out - self.check_in).num_days()).expect("check-out is after check-in")
    }

    /// Every night, by the date on which it begins, in order.
    pub fn nights(&self) -> impl ExactSizeIterator<Item = NaiveDate> + use<> {
        let first = self.check_in;
        (0..self.len()).map(move |n| first + chrono::Days::new(n.into()))
    }

    /// Whether that night is part of the stay.
    pub fn contains(&self, night: NaiveDate) -> bool {
        (self.check_in..self.check_out).contains(&night)
    }

    /// Whether the two share a night; leaving on the day the other comes does not.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.check_in < other.check_out && other.check_in < self.check_out
    }

    /// Whether the long-stay rules apply.
    pub fn is_long(&self) -> bool {
        self.len() >= Self::LONG_FROM
    }
}

/// `2027-03-27/2027-03-29`.
impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.check_in, self.check_out)
    }
}

impl TryFrom<Dates> for Stay {
    type Error = StayError;

    fn try_from(Dates { check_in, check_out }: Dates) -> Result<Self, StayError> {
        Self::parse(check_in, check_out)
    }
}

impl From<Stay> for Dates {
    fn from(Stay { check_in, check_out }: Stay) -> Self {
        Self { check_in, check_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(check_in: &str, check_out: &str) -> Result<Stay, StayError> {
        Stay::parse(check_in.parse().unwrap(), check_out.parse().unwrap())
    }

    #[test]
    fn v8_a_leap_day_is_a_night() {
        assert_eq!(stay("2028-02-28", "2028-03-01").unwrap().len(), 2);
        assert_eq!(stay("2027-02-28", "2027-03-01").unwrap().len(), 1);
    }

    #[test]
    fn v9_a_night_in_which_the_clocks_change_is_one_night() {
        let nights: Vec<String> =
            stay("2027-03-27", "2027-03-29").unwrap().nights().map(|night| night.to_string()).collect();
        assert_eq!(nights, ["2027-03-27", "2027-03-28"]);
    }

    #[test]
    fn v10_the_long_regime_begins_at_exactly_28_nights() {
        assert!(!stay("2027-01-01", "2027-01-28").unwrap().is_long());
        assert!(stay("2027-01-01", "2027-01-29").unwrap().is_long());
    }

    #[test]
    fn a_stay_has_a_night_and_an_end() {
        assert_eq!(stay("2027-01-02", "2027-01-02"), Err(StayError::NoNight));
        assert_eq!(stay("2027-01-02", "2027-01-01"), Err(StayError::NoNight));
        assert_eq!(stay("2027-01-01", "2028-01-01").unwrap().len(), 365);
        let refused = stay("2027-01-01", "2028-01-02").unwrap_err();
        assert_eq!(refused.to_string(), "a stay is at most 365 nights, not 366");
        assert_eq!(stay("-200000-01-01", "+200000-01-01"), Err(StayError::OutOfReach));
        assert_eq!(stay("2999-12-31", "3000-01-01"), Err(StayError::OutOfReach));
    }

    #[test]
    fn one_leaves_on_the_day_the_next_one_comes() {
        let first = stay("2027-01-01", "2027-01-05").unwrap();
        assert!(!first.overlaps(&stay("2027-01-05", "2027-01-06").unwrap()));
        assert!(first.overlaps(&stay("2027-01-04", "2027-01-06").unwrap()));
        assert!(!first.contains(first.check_out()) && first.contains(first.check_in()));
    }

    #[test]
    fn json_is_parsed_as_strictly_as_anything_else() {
        let json = r#"{"check_in":"2027-01-01","check_out":"2027-01-05"}"#;
        let read: Stay = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
        assert!(serde_json::from_str::<Stay>(r#"{"check_in":"2027-01-05","check_out":"2027-01-05"}"#).is_err());
    }
}
