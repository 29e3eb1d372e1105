//! Names for things: one newtype per kind of thing, each with a public prefix, so that no two kinds can be confused.
//!
//! A public id is the prefix, an underscore and the 32 lower-case hexadecimal digits of the UUID. Parsing is strict: one
//! thing has one spelling. New ids are UUIDv7, so they sort by birth; time and randomness come from the caller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::time::Timestamp;

/// Why a text is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 32 lower-case hexadecimal digits")]
pub struct ParseIdError {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

/// A UUIDv7: the millisecond of `at`, then `entropy`. Instants before 1970 count as 1970.
fn uuid_v7(at: Timestamp, entropy: [u8; 10]) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid()
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, ParseIdError> {
    let wrong = ParseIdError { prefix };
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(wrong.clone())?;
    // Of the UUID's spellings that the parser knows, only the plain one has no other characters than these.
    let plain = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    Uuid::parse_str(digits).ok().filter(|_| plain).ok_or(wrong)
}

/// The one list of ids: a kind of thing is named in one line, and its prefix stands nowhere else.
macro_rules! ids {
    ($($name:ident $prefix:literal $of:literal;)+) => {
        $(
            #[doc = concat!("Names ", $of, ": `", $prefix, "_…`.")]
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(Uuid);

            impl $name {
                /// What stands before the underscore in public.
                pub const PREFIX: &'static str = $prefix;

                /// The id as a table stores it.
                pub const fn from_uuid(uuid: Uuid) -> Self {
                    Self(uuid)
                }

                /// The form of this id in tables.
                pub const fn uuid(self) -> Uuid {
                    self.0
                }

                /// A new id that sorts by `at`; `entropy` makes it unique.
                pub fn mint(at: Timestamp, entropy: [u8; 10]) -> Self {
                    Self(uuid_v7(at, entropy))
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}_{}", Self::PREFIX, self.0.as_simple())
                }
            }

            /// As in public: logs and assertions show what a person can look up.
            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = ParseIdError;

                fn from_str(text: &str) -> Result<Self, ParseIdError> {
                    parse(Self::PREFIX, text).map(Self)
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
                }
            }
        )+

        /// Every prefix in use, in the order of the list.
        pub const PREFIXES: &[&str] = &[$($prefix),+];
    };
}

ids! {
    UserId "usr" "a person, whether guest, host or operator";
    SessionId "ses" "a login on one device";
    PropertyId "prp" "a home that is offered";
    ImageId "img" "a photograph";
    QuoteId "quo" "a price that was promised";
    BookingId "bkg" "a booking";
    PaymentId "pay" "what a guest pays for one booking";
    PayoutId "pot" "what a host is paid on one date";
    ReviewId "rvw" "what one party wrote about the other";
    NotificationId "ntf" "a message to a person";
    EventId "evt" "one entry of the event feed";
}

/// Names one bookable unit of a property: what the key of a night is made of, hence a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitId(pub i64);

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const TEXT: &str = "bkg_0192f0c1a2b37c4d8e5f60718293a4b5";

    #[test]
    fn an_id_has_one_spelling() {
        let id: BookingId = TEXT.parse().unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(BookingId::from_uuid(id.uuid()), id);
        let hyphens = "bkg_0192f0c1-a2b3-7c4d-8e5f-60718293a4b5";
        for other in [&TEXT.to_uppercase(), &TEXT.replace("0192f", "0192F"), &TEXT[4..], hyphens, "bkg_", "bkg", ""] {
            assert!(other.parse::<BookingId>().is_err(), "{other:?} is another spelling");
        }
    }

    #[test]
    fn a_booking_is_not_a_quote() {
        let refused = TEXT.replace("bkg", "quo").parse::<BookingId>().unwrap_err();
        assert_eq!(refused.to_string(), "not an id of the form bkg_ and 32 lower-case hexadecimal digits");
    }

    #[test]
    fn json_carries_the_public_form() {
        let id: BookingId = TEXT.parse().unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<BookingId>(&format!("\"{TEXT}\"")).unwrap(), id);
        assert!(serde_json::from_str::<UserId>(&format!("\"{TEXT}\"")).is_err());
        assert_eq!(serde_json::to_string(&UnitId(7)).unwrap(), "7");
    }

    #[test]
    fn minted_ids_sort_by_birth() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let older = UserId::mint(at("2026-11-22T10:00:00Z"), [0xff; 10]);
        let newer = UserId::mint(at("2026-11-22T10:00:00.001Z"), [0; 10]);
        assert!(older < newer && older.to_string() < newer.to_string());
        assert_eq!(older.uuid().get_version_num(), 7);
    }

    #[test]
    fn no_prefix_is_used_twice() {
        assert_eq!(PREFIXES.iter().collect::<BTreeSet<_>>().len(), PREFIXES.len());
    }
}
