//! Currencies: which codes exist and how many decimals their smallest unit has (ISO 4217).

use std::fmt;
use std::str::{self, FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Currencies whose smallest unit is the whole one.
const WITHOUT_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";

/// Currencies counted in thousandths.
const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// Currencies counted in hundredths.
const TWO_DECIMALS: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE \
    CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR \
    KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB \
    PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY \
    TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG";

/// A currency in circulation, by its ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// The text is not the upper-case code of a currency in circulation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 4217 code of a currency in circulation")]
pub struct ParseCurrencyError;

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");
    /// The United States dollar.
    pub const USD: Self = Self(*b"USD");
    /// The Japanese yen, which has no decimals.
    pub const JPY: Self = Self(*b"JPY");
    /// The Kuwaiti dinar, which has three decimals.
    pub const KWD: Self = Self(*b"KWD");
    /// The pound sterling.
    pub const GBP: Self = Self(*b"GBP");

    /// Reads a code such as `EUR`; lower case and unknown codes are refused.
    pub fn parse(code: &str) -> Result<Self, ParseCurrencyError> {
        exponent_of(code).ok_or(ParseCurrencyError)?;
        code.as_bytes().try_into().map(Self).map_err(|_| ParseCurrencyError)
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        str::from_utf8(&self.0).expect("only ASCII codes are ever built")
    }

    /// How many decimals the smallest unit has: 0, 2 or 3.
    pub fn exponent(self) -> u32 {
        exponent_of(self.code()).expect("only listed codes are ever built")
    }
}

fn exponent_of(code: &str) -> Option<u32> {
    let lists = [(TWO_DECIMALS, 2), (WITHOUT_DECIMALS, 0), (THREE_DECIMALS, 3)];
    lists.into_iter().find(|(list, _)| list.split(' ').any(|listed| listed == code)).map(|(_, exponent)| exponent)
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = ParseCurrencyError;

    fn from_str(code: &str) -> Result<Self, ParseCurrencyError> {
        Self::parse(code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// Whoever writes a body or a query may spell the code in any case; there is one spelling from here on.
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?.to_ascii_uppercase()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_unit_follows_the_standard() {
        let decimals = |code| Currency::parse(code).map(Currency::exponent);
        assert_eq!(decimals("EUR"), Ok(2));
        assert_eq!(decimals("JPY"), Ok(0));
        assert_eq!(decimals("KWD"), Ok(3));
        for constant in [Currency::EUR, Currency::USD, Currency::JPY, Currency::KWD, Currency::GBP] {
            assert_eq!(Currency::parse(constant.code()), Ok(constant));
        }
    }

    #[test]
    fn what_nobody_can_be_charged_in_is_refused() {
        for code in ["eur", "EURO", "EU", "", "XXX", "XAU", "EUR USD", " ", "€"] {
            assert_eq!(Currency::parse(code), Err(ParseCurrencyError), "{code:?}");
        }
    }

    #[test]
    fn what_somebody_writes_is_read_in_any_case_and_shown_in_one() {
        let read = |code: &str| serde_json::from_value::<Currency>(code.into()).map(|currency| currency.to_string());
        for code in ["eur", "Eur", "EUR"] {
            assert_eq!(read(code).unwrap(), "EUR");
        }
        assert!(read("euro").is_err());
    }

    #[test]
    fn every_listed_code_is_listed_once() {
        let mut codes: Vec<&str> =
            [TWO_DECIMALS, WITHOUT_DECIMALS, THREE_DECIMALS].iter().flat_map(|list| list.split(' ')).collect();
        assert!(codes.iter().all(|code| Currency::parse(code).is_ok()));
        let listed = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), listed);
    }
}
