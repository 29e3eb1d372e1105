//! Cancellation policies: dated rows of numbers, never code.
//!
//! One rule covers them all. Until each tier's deadline the host keeps what the tier says; after the last, what the row
//! says `then`. "Keeps" is always the same sum: the nights spent, some more nights, and a share of the nights left over.
//! The rows in `presets.json` are the policies a host can choose from; a change is a new row with a later date, and what
//! was agreed under an older row stays as it was, because offers carry a copy.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::money::BasisPoints;
use crate::stay::Stay;

/// Every row ever in force, oldest first within a policy.
static PRESETS: LazyLock<Vec<PolicySnapshot>> =
    LazyLock::new(|| serde_json::from_str(include_str!("presets.json")).expect("the presets are read by a test"));

/// One policy as it was in force on a date; quotes and bookings carry a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySnapshot {
    /// Which policy, such as `flexible`.
    pub code: String,
    /// From which date on this row counts.
    pub effective_from: NaiveDate,
    /// For short or long stays.
    pub regime: Regime,
    /// Times after booking in which calling off costs nothing.
    pub grace: Vec<Grace>,
    /// What the host keeps until when, earliest deadline first; all deadlines are before check-in.
    pub tiers: Vec<Tier>,
    /// What the host keeps after the last deadline.
    pub then: Keep,
    /// What becomes of the cleaning fee.
    pub cleaning: CleaningRule,
    /// What becomes of the guest fee.
    pub guest_fee: GuestFeeRule,
}

/// Which stays a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// Fewer than [`Stay::LONG_FROM`] nights.
    Short,
    /// That many nights or more.
    Long,
}

/// A time after booking in which calling off costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grace {
    /// How long after confirmation.
    pub hours: u16,
    /// How many days before check-in it must be.
    pub days_before: u16,
    /// Which moment must be that many days before check-in.
    pub measured_at: Measured,
}

/// Which moment is compared with check-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// The booking must be made early enough.
    Confirmation,
    /// The cancellation must come early enough.
    Cancellation,
}

/// What the host keeps until a deadline, which counts as before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The deadline.
    pub until: Before,
    /// What the host keeps.
    pub keep: Keep,
}

/// How long before check-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// In absolute time.
    Hours(u16),
    /// On the home's calendar, at the time of check-in.
    Days(u16),
}

/// What the host keeps of the price, beside the nights already spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// That many nights more.
    pub nights: u16,
    /// That share of the nights left over.
    pub rest: BasisPoints,
}

/// What becomes of the cleaning fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleaningRule {
    /// It is part of the price and shares its fate.
    Price,
    /// It goes back whole before check-in, and stays whole with the host after.
    ReturnedBeforeCheckIn,
}

/// What becomes of the guest fee when the guest calls off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestFeeRule {
    /// It goes back only together with the whole price.
    KeptUnlessFullRefund,
    /// It goes back in the same proportion as the price.
    InProportion,
}

impl Keep {
    /// Nothing but the nights spent.
    pub const NOTHING_MORE: Self = Self { nights: 0, rest: BasisPoints::ZERO };
}

impl PolicySnapshot {
    /// Every row that was ever in force, oldest first within a policy.
    pub fn presets() -> &'static [Self] {
        &PRESETS
    }
}

/// The name of a policy that a host can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyCode(&'static str);

/// There is no such policy, or it is for other stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No policy has this name.
    #[error("there is no such cancellation policy")]
    Unknown,
    /// A policy for short stays was chosen for long ones, or the reverse.
    #[error("the cancellation policy {0} is for stays of another length")]
    OtherRegime(PolicyCode),
}

impl PolicyCode {
    /// Every policy that exists, in the order of the presets.
    pub fn all() -> impl Iterator<Item = Self> {
        let mut codes: Vec<_> = PRESETS.iter().map(|row| Self(&row.code)).collect();
        codes.dedup();
        codes.into_iter()
    }

    /// The name in tables, JSON and URLs.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The row in force on that date; `None` while the policy did not exist yet.
    pub fn in_force(self, on: NaiveDate) -> Option<&'static PolicySnapshot> {
        self.rows().filter(|row| row.effective_from <= on).max_by_key(|row| row.effective_from)
    }

    /// For which stays it is.
    pub fn regime(self) -> Regime {
        self.rows().next().expect("a code is only made from a row").regime
    }

    fn rows(self) -> impl Iterator<Item = &'static PolicySnapshot> {
        PRESETS.iter().filter(move |row| row.code == self.0)
    }
}

impl fmt::Display for PolicyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl FromStr for PolicyCode {
    type Err = PolicyError;

    fn from_str(code: &str) -> Result<Self, PolicyError> {
        Self::all().find(|known| known.0 == code).ok_or(PolicyError::Unknown)
    }
}

impl Serialize for PolicyCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for PolicyCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The two policies of a home: one for short stays, one for long ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPolicies {
    short: PolicyCode,
    long: PolicyCode,
}

impl HostPolicies {
    /// What the host chose; each policy must be for stays of its length.
    pub fn try_new(short: PolicyCode, long: PolicyCode) -> Result<Self, PolicyError> {
        for (code, regime) in [(short, Regime::Short), (long, Regime::Long)] {
            if code.regime() != regime {
                return Err(PolicyError::OtherRegime(code));
            }
        }
        Ok(Self { short, long })
    }

    /// What a host has who chose a policy for short stays only: the firm one for long stays beside it.
    pub fn with_firm_long_stays(short: PolicyCode) -> Result<Self, PolicyError> {
        Self::try_new(short, "long_term_firm".parse()?)
    }

    /// The row that applies to this stay when it is quoted on that date; the regime switches at exactly 28 nights.
    pub fn in_force(&self, stay: &Stay, on: NaiveDate) -> Option<&'static PolicySnapshot> {
        let code = if stay.is_long() { self.long } else { self.short };
        code.in_force(on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::tests::stay;

    fn code(text: &str) -> PolicyCode {
        text.parse().unwrap()
    }

    #[test]
    fn the_presets_are_in_order_and_end_with_less_for_the_guest() {
        let names: Vec<_> = PolicyCode::all().map(PolicyCode::as_str).collect();
        insta::assert_snapshot!(names.join(" "), @"flexible moderate limited firm strict super_strict_30 super_strict_60 non_refundable long_term_firm long_term_strict");
        for rows in PolicySnapshot::presets().windows(2) {
            assert!(rows[0].code != rows[1].code || rows[0].effective_from < rows[1].effective_from, "{rows:?}");
        }
        for row in PolicySnapshot::presets() {
            let keeps: Vec<Keep> = row.tiers.iter().map(|tier| tier.keep).chain([row.then]).collect();
            assert!(keeps.is_sorted_by_key(|keep| (keep.rest, keep.nights)), "{row:?}");
        }
    }

    #[test]
    fn a_policy_is_the_one_of_its_day() {
        let on = |day: &str| code("firm").in_force(day.parse().unwrap()).unwrap();
        assert_eq!(on("2025-04-20").cleaning, CleaningRule::ReturnedBeforeCheckIn);
        assert_eq!((on("2025-04-21").cleaning, on("2025-04-21").grace.len()), (CleaningRule::Price, 0));
        assert_eq!(on("2025-10-01").grace, on("2030-01-01").grace);
        assert_eq!(on("2025-10-01").grace.len(), 1);
        assert_eq!(code("limited").in_force("2025-09-30".parse().unwrap()), None);
    }

    #[test]
    fn v10_the_policy_switches_at_exactly_28_nights() {
        let policies = HostPolicies::with_firm_long_stays(code("flexible")).unwrap();
        let applied = |nights| policies.in_force(&stay("2027-01-01", nights), "2026-12-01".parse().unwrap());
        assert_eq!(applied(27).unwrap().code, "flexible");
        assert_eq!(applied(28).unwrap().code, "long_term_firm");
        let reversed = HostPolicies::try_new(code("long_term_firm"), code("flexible"));
        assert_eq!(reversed, Err(PolicyError::OtherRegime(code("long_term_firm"))));
    }

    #[test]
    fn a_policy_that_nobody_wrote_does_not_exist() {
        assert_eq!("lenient".parse::<PolicyCode>(), Err(PolicyError::Unknown));
        assert_eq!(serde_json::from_str::<PolicyCode>("\"firm\"").unwrap(), code("firm"));
        let row = serde_json::to_string(code("firm").in_force("2026-01-01".parse().unwrap()).unwrap()).unwrap();
        assert!(include_str!("presets.json").replace(' ', "").contains(&row));
    }
}
