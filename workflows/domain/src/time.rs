//! Instants: what every part of the product means by "when".

use chrono::{DateTime, SubsecRound, Utc};

/// An absolute instant. Stored as microseconds since 1970 on both databases, so nothing finer may be compared.
pub type Timestamp = DateTime<Utc>;

/// The instant without what a table cannot hold: truncated to whole microseconds.
pub fn truncated(at: Timestamp) -> Timestamp {
    at.trunc_subsecs(6)
}

/// Microseconds since 1970, the form of an instant in every table.
pub fn to_micros(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

/// The instant that a table's microseconds stand for; `None` outside the calendar.
pub fn from_micros(micros: i64) -> Option<Timestamp> {
    DateTime::from_timestamp_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_survives_its_stay_in_a_table() {
        let at = truncated("2026-11-22T10:20:30.123456789Z".parse().unwrap());
        assert_eq!(from_micros(to_micros(at)), Some(at));
        assert_eq!(at.to_rfc3339(), "2026-11-22T10:20:30.123456+00:00");
    }
}
