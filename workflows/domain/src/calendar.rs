//! Which stays a home takes: the host's rules, and the distance between one stay and the next.
//!
//! That no night is taken twice is the database's own guarantee; here is what a host may ask beyond it. A gap between two
//! stays serves both: it must be as long as the longer of their preparation times, never as the sum. What a stay was
//! promised when it was booked stays, so each neighbour brings its own preparation time.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::guests::{Capacity, CapacityError, Guests};
use crate::ids::UserId;
use crate::stay::Stay;

/// What a host asks of every booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookingRules {
    /// The shortest stay.
    pub min_nights: u16,
    /// The longest stay.
    pub max_nights: u16,
    /// How many days ahead a guest must book; 0 allows today.
    pub advance_notice_days: u16,
    /// How many days ahead nights can be booked at all.
    pub booking_window_days: u16,
    /// How many guests may come.
    pub capacity: Capacity,
    /// How many nights stay empty between two stays.
    pub preparation_nights: u16,
}

/// What somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub guest: UserId,
    /// Whose home it is.
    pub host: UserId,
    /// For which nights.
    pub stay: Stay,
    /// For whom.
    pub guests: Guests,
}

/// Something beside the wanted nights: `[from, to)`, like a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// The first night that is taken.
    pub from: NaiveDate,
    /// The first night after it that is not.
    pub to: NaiveDate,
    /// For a stay, the preparation it was booked with; a block needs none, `None`.
    pub preparation_nights: Option<u16>,
}

/// Why a home cannot be booked like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotBookable {
    /// Hosts are no guests in their own homes.
    #[error("a host cannot book their own home")]
    OwnProperty,
    /// Check-in was yesterday or earlier, by the home's calendar.
    #[error("check-in is in the past")]
    InThePast,
    /// Sooner than the host can be ready.
    #[error("the earliest check-in is on {earliest}")]
    TooSoon {
        /// The first date on which a guest may come.
        earliest: NaiveDate,
    },
    /// Further ahead than the host plans.
    #[error("nights can be booked until check-out on {latest}")]
    TooFarAhead {
        /// The last date on which a guest may leave.
        latest: NaiveDate,
    },
    /// Fewer nights than the host takes.
    #[error("a stay here is at least {min_nights} nights")]
    TooShort {
        /// How many there must be.
        min_nights: u16,
    },
    /// More nights than the host takes.
    #[error("a stay here is at most {max_nights} nights")]
    TooLong {
        /// How many there may be.
        max_nights: u16,
    },
    /// More guests than fit, or guests who are not taken.
    #[error(transparent)]
    Capacity(#[from] CapacityError),
    /// A night of it is taken.
    #[error("some of these nights are taken")]
    NightsTaken,
    /// No night is taken, but the home could not be made ready in between.
    #[error("{nights} nights must stay empty before and after each stay")]
    NoTimeToPrepare {
        /// How many there must be.
        nights: u16,
    },
}

impl NotBookable {
    /// The stable code for clients.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OwnProperty => "own_property",
            Self::InThePast => "check_in_in_the_past",
            Self::TooSoon { .. } => "advance_notice",
            Self::TooFarAhead { .. } => "beyond_booking_window",
            Self::TooShort { .. } => "stay_too_short",
            Self::TooLong { .. } => "stay_too_long",
            Self::Capacity(CapacityError::TooManyGuests { .. }) => "too_many_guests",
            Self::Capacity(CapacityError::TooManyInfants { .. }) => "too_many_infants",
            Self::Capacity(CapacityError::TooManyPets { .. }) => "too_many_pets",
            Self::NightsTaken | Self::NoTimeToPrepare { .. } => "dates_unavailable",
        }
    }
}

impl BookingRules {
    /// Everything that speaks against the request on that day of the home's calendar; empty when it is welcome.
    pub fn refusals(&self, request: &Request, today: NaiveDate) -> Vec<NotBookable> {
        let Request { guest, host, stay, guests } = *request;
        let own = (guest == host).then_some(NotBookable::OwnProperty);
        let capacity = self.capacity.admits(&guests).err().map(NotBookable::from);
        [own, self.when(&stay, today), self.how_long(&stay), capacity].into_iter().flatten().collect()
    }

    /// Whether the nights are free and leave time to prepare on both sides, among all that lies around them.
    ///
    /// `neighbours` may hold everything near the stay, in any order; whatever is further away than any preparation time
    /// changes nothing.
    pub fn fits_between(&self, stay: &Stay, neighbours: &[Neighbour]) -> Result<(), NotBookable> {
        if neighbours.iter().any(|other| stay.check_in() < other.to && other.from < stay.check_out()) {
            return Err(NotBookable::NightsTaken);
        }
        let needed = |other: &Neighbour| other.preparation_nights.map(|theirs| theirs.max(self.preparation_nights));
        let missing =
            neighbours.iter().filter_map(|other| needed(other).filter(|nights| gap(stay, other) < (*nights).into()));
        missing.max().map_or(Ok(()), |nights| Err(NotBookable::NoTimeToPrepare { nights }))
    }

    fn when(&self, stay: &Stay, today: NaiveDate) -> Option<NotBookable> {
        let earliest = today + Days::new(self.advance_notice_days.into());
        let latest = today + Days::new(self.booking_window_days.into());
        if stay.check_in() < today {
            Some(NotBookable::InThePast)
        } else if stay.check_in() < earliest {
            Some(NotBookable::TooSoon { earliest })
        } else if stay.check_out() > latest {
            Some(NotBookable::TooFarAhead { latest })
        } else {
            None
        }
    }

    fn how_long(&self, stay: &Stay) -> Option<NotBookable> {
        let Self { min_nights, max_nights, .. } = *self;
        if stay.len() < min_nights.into() {
            Some(NotBookable::TooShort { min_nights })
        } else if stay.len() > max_nights.into() {
            Some(NotBookable::TooLong { max_nights })
        } else {
            None
        }
    }
}

/// How many nights lie between the two, which do not overlap.
fn gap(stay: &Stay, other: &Neighbour) -> i64 {
    let before = (stay.check_in() - other.to).num_days();
    let after = (other.from - stay.check_out()).num_days();
    before.max(after)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::rates::tests::{couple, stay};
    use crate::zone::date_at;

    const GUEST: UserId = UserId::from_uuid(Uuid::from_u128(1));
    const HOST: UserId = UserId::from_uuid(Uuid::from_u128(2));

    fn rules(preparation_nights: u16) -> BookingRules {
        let capacity = Capacity { guests: 4, infants: 0, pets: 0 };
        let (advance_notice_days, booking_window_days) = (0, 365);
        BookingRules {
            min_nights: 2,
            max_nights: 30,
            advance_notice_days,
            booking_window_days,
            capacity,
            preparation_nights,
        }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn booked(from: &str, to: &str, preparation_nights: Option<u16>) -> Neighbour {
        Neighbour { from: day(from), to: day(to), preparation_nights }
    }

    fn codes(rules: &BookingRules, request: &Request, today: &str) -> Vec<&'static str> {
        rules.refusals(request, day(today)).iter().map(NotBookable::code).collect()
    }

    fn wanted(check_in: &str, nights: u64) -> Request {
        Request { guest: GUEST, host: HOST, stay: stay(check_in, nights), guests: couple() }
    }

    #[test]
    fn v22_one_shared_gap_serves_both_stays() {
        let first = booked("2027-06-01", "2027-06-05", Some(1));
        let no_time = Err(NotBookable::NoTimeToPrepare { nights: 1 });
        assert_eq!(rules(1).fits_between(&stay("2027-06-05", 2), &[first]), no_time);
        assert_eq!(rules(1).fits_between(&stay("2027-06-06", 2), &[first]), Ok(()));
        assert_eq!(rules(1).fits_between(&stay("2027-05-30", 2), &[first]), no_time);
        assert_eq!(rules(1).fits_between(&stay("2027-05-29", 2), &[first]), Ok(()));
    }

    #[test]
    fn the_longer_preparation_of_the_two_counts() {
        let promised_two = booked("2027-06-01", "2027-06-05", Some(2));
        let fits = |check_in| rules(1).fits_between(&stay(check_in, 2), &[promised_two]);
        assert_eq!(fits("2027-06-06"), Err(NotBookable::NoTimeToPrepare { nights: 2 }));
        assert_eq!(fits("2027-06-07"), Ok(()));
    }

    #[test]
    fn without_preparation_one_leaves_on_the_day_the_next_one_comes() {
        let first = booked("2027-06-01", "2027-06-05", Some(0));
        assert_eq!(rules(0).fits_between(&stay("2027-06-05", 2), &[first]), Ok(()));
        assert_eq!(rules(0).fits_between(&stay("2027-06-04", 2), &[first]), Err(NotBookable::NightsTaken));
    }

    #[test]
    fn a_block_needs_no_preparation() {
        let block = booked("2027-06-01", "2027-06-05", None);
        assert_eq!(rules(3).fits_between(&stay("2027-06-05", 2), &[block]), Ok(()));
        assert_eq!(rules(3).fits_between(&stay("2027-06-04", 2), &[block]), Err(NotBookable::NightsTaken));
    }

    #[test]
    fn v7_booking_for_today_depends_on_where_the_home_is() {
        let now = "2027-01-10T11:30:00Z".parse().unwrap();
        let refused = |zone| {
            let today = date_at(zone, now);
            rules(0).refusals(&wanted("2027-01-10", 2), today)
        };
        assert_eq!(refused(chrono_tz::Pacific::Auckland), [NotBookable::InThePast]);
        assert_eq!(refused(chrono_tz::America::Los_Angeles), []);
    }

    #[test]
    fn every_reason_is_named_at_once() {
        let party = Guests::parse(5, 0, 0, 0).unwrap();
        let own = Request { guest: HOST, guests: party, ..wanted("2027-06-01", 1) };
        let expected = ["own_property", "check_in_in_the_past", "stay_too_short", "too_many_guests"];
        assert_eq!(codes(&rules(0), &own, "2027-06-02"), expected);
    }

    #[test]
    fn a_host_may_ask_for_notice_and_plan_only_so_far() {
        let rules = BookingRules { advance_notice_days: 2, booking_window_days: 90, ..rules(0) };
        assert_eq!(codes(&rules, &wanted("2027-06-01", 2), "2027-05-31"), ["advance_notice"]);
        assert_eq!(codes(&rules, &wanted("2027-06-01", 2), "2027-05-30"), [""; 0]);
        assert_eq!(codes(&rules, &wanted("2027-06-01", 2), "2027-03-05"), [""; 0]);
        assert_eq!(codes(&rules, &wanted("2027-06-01", 2), "2027-03-04"), ["beyond_booking_window"]);
        assert_eq!(codes(&rules, &wanted("2027-06-01", 31), "2027-05-01"), ["stay_too_long"]);
    }
}
