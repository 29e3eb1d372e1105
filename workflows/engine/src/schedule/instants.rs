//! From a cron expression in somebody's time zone to instants, also on the days when the clocks are changed.
//!
//! The cron crate walks the clock on the wall; what the wall's times mean is decided here, because the crate passes over times that do
//! not exist, forgets or repeats those that come twice, and may answer with an instant before the one it was asked about. The rule:
//!
//! * *Times of day* (`0 30 2 * * *`, every expression that names hours): each date has its run, once. A time that a change of the clocks
//!   skips moves forward by what was skipped (02:30 in Paris on 2027-03-28 is 03:30+02:00); of a time that comes twice the first counts
//!   (01:30 in New York on 2026-11-01 is 01:30−04:00). `domain::zone` reads the times of homes alike.
//! * *Every hour* (`0 */10 * * * *`, the field of hours is `*`): the intervals matter, not the dates. A time that comes twice fires twice
//!   and a skipped one does not, so nothing pauses for an hour in autumn and nothing crowds in spring.

use crate::Timestamp;
use chrono::{LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{GapInfo, Tz};
use cron::TimeUnitSpec;
use std::str::FromStr;

/// The instants of a cron expression in a time zone.
#[derive(Clone, Debug)]
pub(super) struct Instants {
    cron: cron::Schedule,
    pub(super) zone: Tz,
}

impl Instants {
    pub(super) fn parse(cron: &str, zone: Tz) -> Result<Self, cron::error::Error> {
        Ok(Self { cron: cron::Schedule::from_str(cron)?, zone })
    }

    /// The expression as it was written.
    pub(super) fn expression(&self) -> &str {
        self.cron.source()
    }

    /// The first instant after this one.
    ///
    /// Around a change of the clocks the order on the wall is not the order of the instants: 02:30 moved to 03:30 comes after 03:00.
    /// So the walk begins earlier and ends later by as much as the clocks are moved, and the earliest instant on the way is the answer.
    pub(super) fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        let from = instant.with_timezone(&self.zone).naive_local() - self.moved(instant);
        let mut first: Option<Timestamp> = None;
        let mut until = NaiveDateTime::MAX;
        for local in self.cron.after(&from.and_utc()).map(|wall| wall.naive_utc()) {
            if local > until {
                break;
            }
            for at in self.shown(local).into_iter().flatten().filter(|at| *at > instant) {
                if first.is_none() {
                    until = local + self.moved(at);
                }
                first = first.into_iter().chain([at]).min();
            }
        }
        first
    }

    /// When clocks show this time, as far as it fires.
    fn shown(&self, local: NaiveDateTime) -> [Option<Timestamp>; 2] {
        let every_hour = self.cron.hours().is_all();
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(at) => [Some(at.to_utc()), None],
            LocalResult::Ambiguous(first, second) => [Some(first.to_utc()), every_hour.then(|| second.to_utc())],
            LocalResult::None if every_hour => [None, None],
            LocalResult::None => [self.moved_forward(local), None],
        }
    }

    fn moved_forward(&self, local: NaiveDateTime) -> Option<Timestamp> {
        let (_, before) = GapInfo::new(&local, &self.zone)?.begin?;
        Some((local - before.fix()).and_utc())
    }

    /// By how much the clocks are moved within a day of this instant; almost always not at all.
    fn moved(&self, at: Timestamp) -> TimeDelta {
        let offset = |at: Timestamp| self.zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
        let here = offset(at);
        let near = [at - TimeDelta::days(1), at + TimeDelta::days(1)].map(|at| (offset(at) - here).abs());
        TimeDelta::seconds(near[0].max(near[1]).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::America::New_York;
    use chrono_tz::Australia::Lord_Howe;
    use chrono_tz::Europe::Paris;
    use chrono_tz::Pacific::Apia;
    use std::collections::BTreeSet;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The first instants after one, each with its offset, as people read them.
    fn next(cron: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
        let instants = Instants::parse(cron, zone).unwrap();
        std::iter::successors(instants.after(at(after)), |last| instants.after(*last))
            .take(count)
            .map(|at| at.with_timezone(&zone).format("%m-%d %H:%M:%S%:z").to_string())
            .collect()
    }

    #[test]
    fn a_time_of_day_that_is_skipped_moves_forward_and_its_date_keeps_its_run() {
        let around = next("0 30 2 * * *", Paris, "2027-03-27T00:00:00Z", 3);
        assert_eq!(around, ["03-27 02:30:00+01:00", "03-28 03:30:00+02:00", "03-29 02:30:00+02:00"]);
        let half_an_hour = next("0 15 2 * * *", Lord_Howe, "2026-10-03T00:00:00Z", 2);
        assert_eq!(half_an_hour, ["10-04 02:45:00+11:00", "10-05 02:15:00+11:00"]);
    }

    #[test]
    fn a_time_of_day_that_comes_twice_fires_the_first_time_only() {
        let around = next("0 30 1 * * *", New_York, "2026-10-31T00:00:00Z", 3);
        assert_eq!(around, ["10-31 01:30:00-04:00", "11-01 01:30:00-04:00", "11-02 01:30:00-05:00"]);
        let half_an_hour = next("0 45 1 * * *", Lord_Howe, "2027-04-03T00:00:00Z", 2);
        assert_eq!(half_an_hour, ["04-04 01:45:00+11:00", "04-05 01:45:00+10:30"]);
    }

    #[test]
    fn what_moves_forward_takes_its_place_among_the_others() {
        let around = next("0 0,30 2,3 * * *", Paris, "2027-03-28T00:00:00Z", 3);
        assert_eq!(around, ["03-28 03:00:00+02:00", "03-28 03:30:00+02:00", "03-29 02:00:00+02:00"]);
    }

    #[test]
    fn every_hour_means_even_intervals_whatever_the_clocks_do() {
        let autumn = next("0 */30 * * * *", New_York, "2026-11-01T04:45:00Z", 5);
        let twice = ["11-01 01:00:00-04:00", "11-01 01:30:00-04:00", "11-01 01:00:00-05:00", "11-01 01:30:00-05:00"];
        assert_eq!(autumn[..4], twice);
        assert_eq!(autumn[4], "11-01 02:00:00-05:00");
        let spring = next("0 */30 * * * *", Paris, "2027-03-28T00:15:00Z", 3);
        assert_eq!(spring, ["03-28 01:30:00+01:00", "03-28 03:00:00+02:00", "03-28 03:30:00+02:00"]);
    }

    #[test]
    fn a_whole_day_that_was_skipped_is_made_up_for() {
        let around = next("0 0 9 * * *", Apia, "2011-12-29T00:00:00Z", 3);
        assert_eq!(around, ["12-29 09:00:00-10:00", "12-31 09:00:00+14:00", "01-01 09:00:00+14:00"]);
    }

    #[test]
    fn asked_within_the_hour_that_comes_twice_the_answer_lies_ahead() {
        for cron in ["0 */10 * * * *", "0 20 1 * * *", "7 * * * * *", "0 0 1,2 * * *"] {
            let instants = Instants::parse(cron, New_York).unwrap();
            for minutes in 0..240 {
                let asked = at("2026-11-01T04:00:00Z") + TimeDelta::minutes(minutes);
                assert!(instants.after(asked).unwrap() > asked, "{cron} goes back from {asked}");
            }
        }
    }

    /// Walked step by step, the instants are those that every date's wall clock gives, in order, with none left out.
    #[test]
    fn a_walk_over_a_change_of_the_clocks_misses_nothing() {
        for (zone, from) in
            [(Paris, "2027-03-26"), (New_York, "2026-10-30"), (Lord_Howe, "2026-10-02"), (Lord_Howe, "2027-04-02")]
        {
            for cron in ["0 */15 0-5 * * *", "0 30 1,2 * * *", "0 */7 * * * *", "0 0 */6 * * *"] {
                let instants = Instants::parse(cron, zone).unwrap();
                let begin = at(&format!("{from}T00:00:00Z"));
                let end = begin + TimeDelta::days(5);
                let expected: BTreeSet<Timestamp> = instants
                    .cron
                    .after(&(begin - TimeDelta::days(2)))
                    .map(|wall| wall.naive_utc())
                    .take_while(|wall| wall.and_utc() < end + TimeDelta::days(2))
                    .flat_map(|wall| instants.shown(wall))
                    .flatten()
                    .filter(|at| *at > begin && *at <= end)
                    .collect();
                let walked: Vec<_> = std::iter::successors(instants.after(begin), |last| instants.after(*last))
                    .take_while(|at| *at <= end)
                    .collect();
                assert_eq!(walked, expected.into_iter().collect::<Vec<_>>(), "{cron} in {zone}");
            }
        }
    }
}
