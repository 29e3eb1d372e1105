//! One value of a body, or what is wrong with it: for forms that a person fills in and wants to hear everything about at once.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use workflows::Flaw;

use super::{flaw, pointer};

/// A field that is read on its own, so that the others are read whatever is wrong with it.
///
/// Give it `#[serde(default)]`: its default is that it is missing.
#[derive(Debug)]
pub(crate) struct Field<T>(Result<T, Wrong>);

/// What is wrong, before the field's name is known.
#[derive(Debug)]
enum Wrong {
    Missing,
    Unfit { beneath: String, complaint: String },
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self(Err(Wrong::Missing))
    }
}

impl<T> Field<T> {
    /// A field that has a value when the body says nothing.
    pub(crate) const fn or(value: T) -> Self {
        Self(Ok(value))
    }

    /// The value; what is wrong with it goes on the list.
    pub(crate) fn read(self, name: &str, flaws: &mut Vec<Flaw>) -> Option<T> {
        let wrong = match self.0 {
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        flaws.push(match wrong {
            Wrong::Missing => flaw(String::new(), &format!("missing field `{name}`")),
            Wrong::Unfit { beneath, complaint } => flaw(format!("/{name}{beneath}"), &complaint),
        });
        None
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let read = serde_path_to_error::deserialize(Value::deserialize(reader)?);
        Ok(Self(read.map_err(|error: serde_path_to_error::Error<serde_json::Error>| Wrong::Unfit {
            beneath: pointer(error.path()),
            complaint: error.inner().to_string(),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        #[serde(default)]
        age: Field<u8>,
        #[serde(default)]
        names: Field<Vec<String>>,
        #[serde(default = "nowhere")]
        place: Field<String>,
    }

    fn nowhere() -> Field<String> {
        Field::or("nowhere".to_owned())
    }

    fn read(body: &str) -> Result<(u8, Vec<String>, String), Vec<String>> {
        let Form { age, names, place } = serde_json::from_str(body).unwrap();
        let mut flaws = vec![];
        let read = (age.read("age", &mut flaws), names.read("names", &mut flaws), place.read("place", &mut flaws));
        match read {
            (Some(age), Some(names), Some(place)) => Ok((age, names, place)),
            _ => Err(flaws.iter().map(|flaw| format!("{} {}", flaw.pointer, flaw.code)).collect()),
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = read(r#"{"age": 300, "names": ["a", 7], "place": null}"#).unwrap_err();
        assert_eq!(wrong, ["/age out_of_range", "/names/1 wrong_type", "/place wrong_type"]);
        assert_eq!(read("{}").unwrap_err(), ["/age missing", "/names missing"]);
    }

    #[test]
    fn what_is_right_is_read_and_what_is_absent_has_its_default() {
        assert_eq!(read(r#"{"age": 3, "names": []}"#), Ok((3, vec![], "nowhere".to_owned())));
    }
}
