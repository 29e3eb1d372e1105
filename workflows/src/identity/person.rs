//! What a person may say about themselves, parsed once at the edge.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident refuses $error:ident $why:literal;)+) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        #[doc = concat!("A text that is ", $why, ".")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error($why)]
        pub struct $error;

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        /// Never the text: it is personal.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+ };
}

texts! {
    /// How to call somebody: any script, no control characters.
    PersonName refuses NotAName "not a name of 1 to 100 characters on one line";
    /// A telephone number as E.164 spells it.
    Phone refuses NotAPhone "not a telephone number such as +43123456789";
    /// A language to write to somebody in.
    Locale refuses NotALocale "not a language tag such as de-AT";
}

impl FromStr for PersonName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let name = text.trim();
        let fits = (1..=100).contains(&name.chars().count());
        // Directional overrides turn a line of text around, and with it a mail or a list of operators.
        let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if fits && !name.chars().any(|c| c.is_control() || turns(c)) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NotAName)
        }
    }
}

impl FromStr for Phone {
    type Err = NotAPhone;

    fn from_str(text: &str) -> Result<Self, NotAPhone> {
        let digits = text.strip_prefix('+').ok_or(NotAPhone)?;
        let number = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if number && !digits.starts_with('0') { Ok(Self(text.to_owned())) } else { Err(NotAPhone) }
    }
}

impl FromStr for Locale {
    type Err = NotALocale;

    fn from_str(text: &str) -> Result<Self, NotALocale> {
        let mut parts = text.split('-');
        let language = parts.next().unwrap_or_default();
        let spoken = (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_lowercase());
        let further = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let fits = text.len() <= 35 && spoken && parts.all(further);
        if fits { Ok(Self(text.to_owned())) } else { Err(NotALocale) }
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self("en".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_called_what_they_say_but_on_one_line() {
        for name in ["Anna", " Anna Huber ", "李小龍", "O'Brien-Łukasz", &"x".repeat(100)] {
            assert_eq!(name.parse::<PersonName>().unwrap().as_str(), name.trim());
        }
        for other in ["", "  ", "Anna\r\nBcc: all", "Anna\u{0}", "Anna\u{202e}nimda", &"x".repeat(101)] {
            assert_eq!(other.parse::<PersonName>(), Err(NotAName), "{other:?}");
        }
    }

    #[test]
    fn numbers_and_languages_have_their_spelling() {
        assert!("+43123456789".parse::<Phone>().is_ok());
        for other in ["43123456789", "+0123456789", "+431234", "+4312345678901234", "+43 123 456 789", "+43x123456", ""]
        {
            assert_eq!(other.parse::<Phone>(), Err(NotAPhone), "{other}");
        }
        for tag in ["de", "de-AT", "zh-Hant-TW", "es-419"] {
            assert!(tag.parse::<Locale>().is_ok(), "{tag}");
        }
        for other in ["", "d", "DE", "de_AT", "de-", "deutsch", "de-a", "x".repeat(40).as_str()] {
            assert_eq!(other.parse::<Locale>(), Err(NotALocale), "{other}");
        }
    }
}
