//! A home's calendar: which nights are free, and the host's own blocks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use domain::{BookingId, Money, PropertyId, Stay, Timestamp, UnitId, UserId};
use engine::detached;
use store::nights::{self, Taken};
use store::properties::Property;
use store::{Class, NightKind, classify, properties};

use crate::{App, Error, Flaw};

/// The longest stretch of nights that is shown or changed at once.
const MOST_DAYS: u64 = 731;
const DEFAULT_DAYS: u64 = 90;
const MOST_RANGES: usize = 100;

/// What has a night, as its host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NightOwner {
    /// By a booking or the host's block.
    pub kind: NightKind,
    /// Which booking.
    pub booking: Option<BookingId>,
    /// When it is free again unless it is confirmed.
    pub hold_expires_at: Option<Timestamp>,
}

/// One night of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Night {
    /// The date on which it begins.
    pub date: NaiveDate,
    /// How many units are free.
    pub free: usize,
    /// What the host asks for it.
    pub price: Money,
    /// Who has the others; only the host is told.
    pub taken: Vec<NightOwner>,
}

/// A stretch of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// The home.
    pub property: PropertyId,
    /// From this night on.
    pub from: NaiveDate,
    /// To this date, which is not part of it.
    pub to: NaiveDate,
    /// Every night in between.
    pub nights: Vec<Night>,
}

/// Which nights a host wants off the market and which back on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Off the market: all units, half-open ranges.
    pub block: Vec<Stay>,
    /// Back on it.
    pub open: Vec<Stay>,
}

/// What a change of blocks did, night by night.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Newly off the market.
    pub blocked: Vec<NaiveDate>,
    /// Newly back on it.
    pub opened: Vec<NaiveDate>,
    /// As they were already.
    pub unchanged: Vec<NaiveDate>,
}

/// The calendar of a published home, or of the caller's own.
///
/// # Errors
/// [`Error::NotFound`]; a stretch that is empty, reversed or too long.
pub async fn availability(
    app: &App,
    viewer: Option<UserId>,
    id: PropertyId,
    (from, to): (Option<NaiveDate>, Option<NaiveDate>),
) -> Result<Calendar, Error> {
    let own = match viewer {
        Some(host) => properties::of_host(app.reader(), host, id).await?,
        None => None,
    };
    let is_own = own.is_some();
    let property = match own {
        Some(property) => property,
        None => properties::published(app.reader(), id).await?.ok_or(Error::NotFound)?,
    };
    let today = property.listing.house.today(app.engine.now().await?);
    let from = from.unwrap_or(today);
    let to = to.or_else(|| from.checked_add_days(Days::new(DEFAULT_DAYS))).unwrap_or(from);
    let longest = from.checked_add_days(Days::new(MOST_DAYS)).unwrap_or(from);
    if !(2000..3000).contains(&chrono::Datelike::year(&from)) {
        return Err(Error::flaw("?from", "out_of_range", "between the years 2000 and 2999"));
    }
    if to <= from || to > longest {
        return Err(Error::flaw("?to", "out_of_range", "after `from`, and not two years later"));
    }
    let units = properties::units(app.reader(), id).await?;
    let taken = nights::taken(app.reader(), &units, from, to).await?;
    let nights = by_night(&property, &units, &taken, from..to);
    let hide = |mut night: Night| {
        night.taken.retain(|_| is_own);
        night
    };
    Ok(Calendar { property: id, from, to, nights: nights.into_iter().map(hide).collect() })
}

fn by_night(property: &Property, units: &[UnitId], taken: &[Taken], dates: std::ops::Range<NaiveDate>) -> Vec<Night> {
    let mut owners: BTreeMap<NaiveDate, Vec<NightOwner>> = BTreeMap::new();
    for Taken { night, kind, booking, hold_expires_at, .. } in taken {
        let owner = NightOwner { kind: *kind, booking: *booking, hold_expires_at: *hold_expires_at };
        owners.entry(*night).or_default().push(owner);
    }
    let dates = dates.start.iter_days().take_while(|date| *date < dates.end);
    dates
        .map(|date| {
            let taken = owners.remove(&date).unwrap_or_default();
            Night { date, free: units.len().saturating_sub(taken.len()), price: price_of(property, date), taken }
        })
        .collect()
}

fn price_of(property: &Property, night: NaiveDate) -> Money {
    use chrono::{Datelike as _, Weekday};
    let asked = &property.listing.asked;
    let is_weekend = matches!(night.weekday(), Weekday::Fri | Weekday::Sat);
    asked.weekend.filter(|_| is_weekend).unwrap_or(asked.nightly)
}

/// Takes nights off the market or puts them back, and says what that changed; bookings are never touched.
///
/// # Errors
/// [`Error::NotFound`]; nights in the past; a night that somebody has booked.
pub async fn set_blocks(app: &App, host: UserId, id: PropertyId, wanted: Blocks) -> Result<Changed, Error> {
    if wanted.block.len() + wanted.open.len() > MOST_RANGES {
        return Err(Error::flaw("/block", "too_many", "at most 100 ranges at once"));
    }
    let app = app.clone();
    detached(async move {
        let tx = app.engine.begin().await?;
        let property = properties::of_host(&*tx, host, id).await?.ok_or(Error::NotFound)?;
        let today = property.listing.house.today(tx.now().await?);
        let (block, open) = check(&wanted, today)?;
        nights::lock_calendar(&*tx, id).await?;
        let units = properties::units(&*tx, id).await?;
        let mut changed = Changed::default();
        for night in &open {
            let opened = nights::unblock(&*tx, &units, &one(*night)).await? > 0;
            if opened { changed.opened.push(*night) } else { changed.unchanged.push(*night) }
        }
        for night in &block {
            let taken = nights::taken(&*tx, &units, *night, *night + Days::new(1)).await?;
            if let Some(booked) = taken.iter().find(|taken| taken.kind == NightKind::Booking) {
                return Err(booked_already(booked));
            }
            let blocked: BTreeSet<UnitId> = taken.iter().map(|taken| taken.unit).collect();
            let free: Vec<UnitId> = units.iter().copied().filter(|unit| !blocked.contains(unit)).collect();
            if free.is_empty() {
                changed.unchanged.push(*night);
            } else {
                nights::block(&*tx, &free, &one(*night)).await.map_err(raced)?;
                changed.blocked.push(*night);
            }
        }
        tx.commit().await?;
        Ok(changed)
    })
    .await
}

fn check(wanted: &Blocks, today: NaiveDate) -> Result<(BTreeSet<NaiveDate>, BTreeSet<NaiveDate>), Error> {
    let mut flaws = Vec::new();
    for (name, ranges) in [("block", &wanted.block), ("open", &wanted.open)] {
        for (index, range) in ranges.iter().enumerate().filter(|(_, range)| range.check_in() < today) {
            let detail = format!("it begins on {}, before today at the home", range.check_in());
            flaws.push(Flaw::new(format!("/{name}/{index}/from"), "in_the_past", detail));
        }
    }
    let nights = |ranges: &[Stay]| ranges.iter().flat_map(Stay::nights).collect::<BTreeSet<_>>();
    let (block, open) = (nights(&wanted.block), nights(&wanted.open));
    if !block.is_disjoint(&open) {
        flaws.push(Flaw::new("/open", "contradiction", "a night cannot be blocked and opened at once"));
    }
    if flaws.is_empty() { Ok((block, open)) } else { Err(Error::Invalid(flaws)) }
}

fn one(night: NaiveDate) -> Stay {
    Stay::parse(night, night + Days::new(1)).expect("a single night is a stay")
}

fn booked_already(taken: &Taken) -> Error {
    let which = taken.booking.map(|booking| format!(" by {booking}")).unwrap_or_default();
    Error::Taken(engine::Conflict::over("nights", format!("the night of {} is booked{which}", taken.night)))
}

fn raced(error: sea_orm::DbErr) -> Error {
    match classify(&error) {
        Class::Taken => Error::Taken(engine::Conflict::over("nights", "one of the nights was booked this moment")),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(from: &str, to: &str) -> Stay {
        Stay::parse(from.parse().unwrap(), to.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_past_and_contradictions_are_refused_with_their_places() {
        let today = "2027-05-10".parse().unwrap();
        let wanted =
            Blocks { block: vec![stay("2027-05-09", "2027-05-11")], open: vec![stay("2027-05-10", "2027-05-12")] };
        let Err(Error::Invalid(flaws)) = check(&wanted, today) else { panic!("it was taken") };
        let codes: Vec<_> = flaws.iter().map(|flaw| (flaw.pointer.as_ref(), flaw.code)).collect();
        assert_eq!(codes, [("/block/0/from", "in_the_past"), ("/open", "contradiction")]);
    }

    #[test]
    fn overlapping_ranges_are_one_set_of_nights() {
        let wanted =
            Blocks { block: vec![stay("2027-05-10", "2027-05-12"), stay("2027-05-11", "2027-05-13")], open: vec![] };
        let (block, open) = check(&wanted, "2027-05-10".parse().unwrap()).unwrap();
        assert_eq!((block.len(), open.len()), (3, 0));
    }
}
