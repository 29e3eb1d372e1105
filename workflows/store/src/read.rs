//! From columns to values: every conversion that can meet a damaged row, so that none of them panics.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveTime};
use domain::{BasisPoints, Currency, Guests, Money, Stay};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Unreadable;

/// The value of a text column.
pub(crate) fn word<T: FromStr<Err: Display>>(column: &'static str, text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|why| Unreadable::new(format!("{column}: {why}")))
}

/// A count that is never negative and small.
pub(crate) fn count<T: TryFrom<i32>>(column: &'static str, number: i32) -> Result<T, Unreadable> {
    T::try_from(number).map_err(|_| Unreadable::new(format!("{column}: {number} is out of range")))
}

/// An amount of the row's currency.
pub(crate) fn money(minor: i64, currency: &str) -> Result<Money, Unreadable> {
    Ok(Money::new(minor, Currency::parse(currency).map_err(Unreadable::column("currency"))?))
}

/// A share in hundredths of a percent.
pub(crate) fn share(column: &'static str, points: i32) -> Result<BasisPoints, Unreadable> {
    BasisPoints::try_new(count(column, points)?).map_err(Unreadable::column(column))
}

/// The nights between two dates.
pub(crate) fn stay(check_in: NaiveDate, check_out: NaiveDate) -> Result<Stay, Unreadable> {
    Stay::parse(check_in, check_out).map_err(Unreadable::column("check_out"))
}

/// A party, as its column keeps it.
pub(crate) fn guests(json: &str) -> Result<Guests, Unreadable> {
    from_json("guests", json)
}

/// A value that its column keeps as JSON.
pub(crate) fn from_json<T: DeserializeOwned>(column: &'static str, json: &str) -> Result<T, Unreadable> {
    // serde's message may quote the text, so only where it went wrong is kept.
    serde_json::from_str(json).map_err(|why| {
        Unreadable::new(format!("{column}: unexpected JSON at line {} column {}", why.line(), why.column()))
    })
}

/// A value as its column keeps it.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain values have string keys and finite numbers, so they are always JSON")
}

const CLOCK: &str = "%H:%M";

/// A time on a wall, kept as `15:00`.
pub(crate) fn clock(column: &'static str, text: &str) -> Result<NaiveTime, Unreadable> {
    NaiveTime::parse_from_str(text, CLOCK).map_err(Unreadable::column(column))
}

/// A time on a wall as its column keeps it: to the minute.
pub(crate) fn to_clock(time: NaiveTime) -> String {
    time.format(CLOCK).to_string()
}
