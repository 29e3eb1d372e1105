//! From a date on somebody's wall calendar to an absolute instant, and back.
//!
//! Rules counted in hours use absolute time; rules counted in days use the property's calendar and clock. Around a
//! change of the clocks the two differ, and both are right: "1 day before 15:00" is 15:00 on the day before, whether 23,
//! 24 or 25 hours earlier.

use chrono::{Days, LocalResult, Months, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};

use crate::stay::Stay;
use crate::time::Timestamp;

/// The instant at which clocks in `zone` show this date and time.
///
/// A time that a change of the clocks skips moves forward by what was skipped; of a time that comes twice, the first.
pub fn instant(zone: Tz, date: NaiveDate, time: NaiveTime) -> Timestamp {
    let local = date.and_time(time);
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => {
            let before = GapInfo::new(&local, &zone).and_then(|gap| gap.begin);
            let (_, offset) = before.expect("a skipped time has a time before it");
            (local - offset.fix()).and_utc()
        }
    }
}

/// The date on the calendars of `zone` at that instant.
pub fn date_at(zone: Tz, at: Timestamp) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// The same day of the month `months` later, or the month's last day where it has no such day.
///
/// Always reckon from the first date: 31 January gives 28 February and then 31 March, without drifting to the 28th.
pub fn months_after(anchor: NaiveDate, months: u16) -> NaiveDate {
    anchor.checked_add_months(Months::new(months.into())).expect("a few thousand years stay within the calendar")
}

/// When a home's doors open and close, by the clock on its wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseClock {
    /// The IANA time zone of the home.
    pub zone: Tz,
    /// From when on guests may come.
    pub check_in_time: NaiveTime,
    /// Until when they leave.
    pub check_out_time: NaiveTime,
}

impl HouseClock {
    /// The instant of check-in.
    pub fn check_in_at(&self, stay: &Stay) -> Timestamp {
        instant(self.zone, stay.check_in(), self.check_in_time)
    }

    /// The instant of check-out.
    pub fn check_out_at(&self, stay: &Stay) -> Timestamp {
        instant(self.zone, stay.check_out(), self.check_out_time)
    }

    /// That many whole hours before check-in.
    pub fn hours_before(&self, stay: &Stay, hours: u16) -> Timestamp {
        self.check_in_at(stay) - TimeDelta::hours(hours.into())
    }

    /// Check-in time, that many days earlier on the calendar.
    pub fn days_before(&self, stay: &Stay, days: u16) -> Timestamp {
        instant(self.zone, stay.check_in() - Days::new(days.into()), self.check_in_time)
    }

    /// The date at the home at that instant.
    pub fn today(&self, now: Timestamp) -> NaiveDate {
        date_at(self.zone, now)
    }

    /// How many nights of the stay are over at that instant: those that began on an earlier date than the home's today.
    pub fn nights_spent(&self, stay: &Stay, at: Timestamp) -> u32 {
        let spent = (self.today(at) - stay.check_in()).num_days().clamp(0, stay.len().into());
        u32::try_from(spent).expect("clamped to the length of the stay")
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::TZ_VARIANTS;
    use proptest::prelude::*;

    use super::*;

    fn house(zone: Tz, check_in: &str) -> (HouseClock, Stay) {
        let (from, until) = ("15:00:00".parse().unwrap(), "11:00:00".parse().unwrap());
        let check_in: NaiveDate = check_in.parse().unwrap();
        let stay = Stay::parse(check_in, check_in + Days::new(3)).unwrap();
        (HouseClock { zone, check_in_time: from, check_out_time: until }, stay)
    }

    fn shown(zone: Tz, at: Timestamp) -> String {
        at.with_timezone(&zone).to_rfc3339()
    }

    fn on(zone: Tz, date: &str, time: &str) -> String {
        shown(zone, instant(zone, date.parse().unwrap(), time.parse().unwrap()))
    }

    #[test]
    fn v1_before_the_clocks_go_forward_a_day_is_23_hours() {
        let (paris, stay) = house(Tz::Europe__Paris, "2027-03-28");
        assert_eq!(shown(paris.zone, paris.hours_before(&stay, 24)), "2027-03-27T14:00:00+01:00");
        assert_eq!(shown(paris.zone, paris.days_before(&stay, 1)), "2027-03-27T15:00:00+01:00");
        assert_eq!(paris.check_in_at(&stay) - paris.days_before(&stay, 1), TimeDelta::hours(23));
    }

    #[test]
    fn v2_before_the_clocks_go_back_a_day_is_25_hours() {
        let (new_york, stay) = house(Tz::America__New_York, "2026-11-01");
        assert_eq!(shown(new_york.zone, new_york.hours_before(&stay, 24)), "2026-10-31T16:00:00-04:00");
        assert_eq!(shown(new_york.zone, new_york.days_before(&stay, 1)), "2026-10-31T15:00:00-04:00");
        assert_eq!(new_york.check_in_at(&stay) - new_york.days_before(&stay, 1), TimeDelta::hours(25));
    }

    #[test]
    fn v3_half_an_hour_of_summer_time_counts() {
        let (lord_howe, stay) = house(Tz::Australia__Lord_Howe, "2027-04-04");
        assert_eq!(shown(lord_howe.zone, lord_howe.hours_before(&stay, 24)), "2027-04-03T15:30:00+11:00");
    }

    #[test]
    fn v4_a_payout_comes_24_hours_after_check_in_by_absolute_time() {
        let (paris, stay) = house(Tz::Europe__Paris, "2027-03-27");
        let payout = paris.check_in_at(&stay) + TimeDelta::hours(24);
        assert_eq!(shown(paris.zone, payout), "2027-03-28T16:00:00+02:00");
    }

    #[test]
    fn v5_reviews_close_14_times_24_hours_after_check_out() {
        let (new_york, stay) = house(Tz::America__New_York, "2026-10-22");
        let closes = new_york.check_out_at(&stay) + TimeDelta::hours(14 * 24);
        assert_eq!(shown(new_york.zone, closes), "2026-11-08T10:00:00-05:00");
    }

    #[test]
    fn v6_a_skipped_time_moves_forward_and_a_doubled_one_is_the_first() {
        assert_eq!(on(Tz::Europe__Paris, "2027-03-28", "02:30:00"), "2027-03-28T03:30:00+02:00");
        assert_eq!(on(Tz::America__New_York, "2026-11-01", "01:30:00"), "2026-11-01T01:30:00-04:00");
    }

    #[test]
    fn v7_today_is_another_date_in_another_zone() {
        let now = "2027-01-10T11:30:00Z".parse().unwrap();
        let today = |zone| date_at(zone, now).to_string();
        assert_eq!(today(Tz::Pacific__Auckland), "2027-01-11");
        assert_eq!(today(Tz::Pacific__Kiritimati), "2027-01-11");
        assert_eq!(today(Tz::America__Los_Angeles), "2027-01-10");
        assert_eq!(today(Tz::Pacific__Pago_Pago), "2027-01-10");
    }

    #[test]
    fn v8_a_monthly_anchor_does_not_drift() {
        let dates = |anchor: &str| [1, 2].map(|n| months_after(anchor.parse().unwrap(), n).to_string());
        assert_eq!(dates("2027-01-31"), ["2027-02-28", "2027-03-31"]);
        assert_eq!(dates("2028-01-31"), ["2028-02-29", "2028-03-31"]);
    }

    #[test]
    fn v12_a_day_that_a_government_skipped_is_the_next_one() {
        assert_eq!(on(Tz::Pacific__Apia, "2011-12-30", "15:00:00"), "2011-12-31T15:00:00+14:00");
    }

    #[test]
    fn a_night_is_spent_once_its_date_is_over_at_the_home() {
        let (tokyo, stay) = house(Tz::Asia__Tokyo, "2027-05-01");
        let spent = |local: &str| tokyo.nights_spent(&stay, format!("{local}+09:00").parse().unwrap());
        assert_eq!(spent("2027-04-20T12:00:00"), 0);
        assert_eq!(spent("2027-05-01T23:59:59"), 0);
        assert_eq!(spent("2027-05-02T00:00:00"), 1);
        assert_eq!(spent("2027-06-01T00:00:00"), 3);
    }

    #[test]
    fn a_house_clock_is_written_in_words_that_people_know() {
        let (paris, _) = house(Tz::Europe__Paris, "2027-03-28");
        let json = r#"{"zone":"Europe/Paris","check_in_time":"15:00:00","check_out_time":"11:00:00"}"#;
        assert_eq!(serde_json::to_string(&paris).unwrap(), json);
        assert_eq!(serde_json::from_str::<HouseClock>(json).unwrap(), paris);
    }

    proptest! {
        #[test]
        fn every_wall_clock_time_is_an_instant_at_or_after_it(
            zone in prop::sample::select(&TZ_VARIANTS[..]), day in 0..30_000_u64, minute in 0..1_440_u32,
        ) {
            let date = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap() + Days::new(day);
            let time = NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap();
            let shown = instant(zone, date, time).with_timezone(&zone).naive_local();
            let later = shown - date.and_time(time);
            prop_assert!(later >= TimeDelta::zero() && later <= TimeDelta::hours(24), "{} {} {}", zone, date, time);
        }
    }
}
