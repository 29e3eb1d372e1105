//! Who comes: a party of guests, and how many of each a property takes.
//!
//! Adults and children fill the beds; infants and pets do not, but have limits of their own. A guest's band follows from
//! the age on the day of check-in: an infant until the second birthday, a child until the thirteenth.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// A party of guests with at least one adult.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Party", into = "Party")]
pub struct Guests {
    adults: u8,
    children: u8,
    infants: u8,
    pets: u8,
}

/// Why a party cannot book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuestsError {
    /// Nobody in the party may sign for it.
    #[error("a party needs at least one adult")]
    NoAdult,
}

/// How many guests a property takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Adults and children together.
    pub guests: u8,
    /// Infants beside them; 0 when they are not welcome.
    pub infants: u8,
    /// Pets; 0 when they are not welcome.
    pub pets: u8,
}

/// Why a party does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CapacityError {
    /// More adults and children than beds.
    #[error("at most {most} guests may stay, infants aside")]
    TooManyGuests {
        /// How many may come.
        most: u8,
    },
    /// More infants than the host takes.
    #[error("at most {most} infants may stay")]
    TooManyInfants {
        /// How many may come.
        most: u8,
    },
    /// More pets than the host takes.
    #[error("at most {most} pets may stay")]
    TooManyPets {
        /// How many may come.
        most: u8,
    },
}

/// How a person is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgeBand {
    /// Younger than two.
    Infant,
    /// From two until the thirteenth birthday.
    Child,
    /// Thirteen and older.
    Adult,
}

/// The four numbers as they are written, before they are known to be a party.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Party {
    adults: u8,
    #[serde(default)]
    children: u8,
    #[serde(default)]
    infants: u8,
    #[serde(default)]
    pets: u8,
}

impl Guests {
    /// A party; without an adult it is refused.
    pub const fn parse(adults: u8, children: u8, infants: u8, pets: u8) -> Result<Self, GuestsError> {
        if adults == 0 { Err(GuestsError::NoAdult) } else { Ok(Self { adults, children, infants, pets }) }
    }

    /// How many adults, at least one.
    pub const fn adults(&self) -> u8 {
        self.adults
    }

    /// How many children from two to twelve.
    pub const fn children(&self) -> u8 {
        self.children
    }

    /// How many younger than two.
    pub const fn infants(&self) -> u8 {
        self.infants
    }

    /// How many pets.
    pub const fn pets(&self) -> u8 {
        self.pets
    }

    /// How many sleep in beds: adults and children.
    pub const fn in_beds(&self) -> u16 {
        self.adults as u16 + self.children as u16
    }
}

impl Capacity {
    /// Whether the party may come, or the first reason why not.
    pub const fn admits(&self, party: &Guests) -> Result<(), CapacityError> {
        if party.in_beds() > self.guests as u16 {
            return Err(CapacityError::TooManyGuests { most: self.guests });
        }
        if party.infants > self.infants {
            return Err(CapacityError::TooManyInfants { most: self.infants });
        }
        if party.pets > self.pets {
            return Err(CapacityError::TooManyPets { most: self.pets });
        }
        Ok(())
    }
}

impl AgeBand {
    /// How somebody born on `birth` counts for a stay that begins on `check_in`.
    ///
    /// Somebody born on 29 February is a year older on 1 March of a common year.
    pub fn on(check_in: NaiveDate, birth: NaiveDate) -> Self {
        let had_birthday = (check_in.month(), check_in.day()) >= (birth.month(), birth.day());
        match check_in.year() - birth.year() - i32::from(!had_birthday) {
            ..2 => Self::Infant,
            2..13 => Self::Child,
            13.. => Self::Adult,
        }
    }
}

impl TryFrom<Party> for Guests {
    type Error = GuestsError;

    fn try_from(Party { adults, children, infants, pets }: Party) -> Result<Self, GuestsError> {
        Self::parse(adults, children, infants, pets)
    }
}

impl From<Guests> for Party {
    fn from(Guests { adults, children, infants, pets }: Guests) -> Self {
        Self { adults, children, infants, pets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(adults: u8, children: u8, infants: u8, pets: u8) -> Guests {
        Guests::parse(adults, children, infants, pets).unwrap()
    }

    #[test]
    fn v17_infants_and_pets_take_no_bed() {
        let home = Capacity { guests: 4, infants: 1, pets: 1 };
        assert_eq!(home.admits(&party(4, 0, 1, 1)), Ok(()));
        assert_eq!(home.admits(&party(4, 1, 0, 0)), Err(CapacityError::TooManyGuests { most: 4 }));
        let strict = Capacity { guests: 4, infants: 0, pets: 0 };
        assert_eq!(strict.admits(&party(4, 0, 1, 0)), Err(CapacityError::TooManyInfants { most: 0 }));
        assert_eq!(strict.admits(&party(1, 0, 0, 1)), Err(CapacityError::TooManyPets { most: 0 }));
        assert_eq!(home.admits(&party(255, 255, 0, 0)), Err(CapacityError::TooManyGuests { most: 4 }));
    }

    #[test]
    fn v17_who_turns_two_on_the_day_of_check_in_is_a_child() {
        let band = |check_in: &str, birth: &str| AgeBand::on(check_in.parse().unwrap(), birth.parse().unwrap());
        assert_eq!(band("2027-06-10", "2025-06-10"), AgeBand::Child);
        assert_eq!(band("2027-06-09", "2025-06-10"), AgeBand::Infant);
        assert_eq!(band("2027-06-10", "2014-06-10"), AgeBand::Adult);
        assert_eq!(band("2027-06-10", "2014-06-11"), AgeBand::Child);
        assert_eq!(band("2026-02-28", "2024-02-29"), AgeBand::Infant);
        assert_eq!(band("2026-03-01", "2024-02-29"), AgeBand::Child);
    }

    #[test]
    fn somebody_must_sign_for_the_party() {
        assert_eq!(Guests::parse(0, 2, 0, 0), Err(GuestsError::NoAdult));
        assert!(serde_json::from_str::<Guests>(r#"{"adults":0}"#).is_err());
        assert_eq!(serde_json::from_str::<Guests>(r#"{"adults":2}"#).unwrap(), party(2, 0, 0, 0));
        assert!(serde_json::from_str::<Guests>(r#"{"adults":2,"dogs":1}"#).is_err());
    }
}
