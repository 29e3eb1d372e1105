//! Instants as everything that we print and store spells them: UTC, with a `Z`.

use chrono::{DateTime, SecondsFormat, Utc};

pub(super) fn spelled(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_spelled_as_in_a_journal() {
        for text in ["2027-01-03T15:00:00Z", "2027-01-03T15:00:00.000001Z"] {
            let at: DateTime<Utc> = text.parse().unwrap();
            assert_eq!(spelled(at), text);
            assert_eq!(serde_json::to_value(at).unwrap(), text, "events stand in the journal as JSON");
        }
    }
}
