//! The chart of accounts: the places where money can be, each with one name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::currency::Currency;
use crate::ids::{BookingId, PaymentId, PayoutId, UserId};

/// A place where money can be; one balance per currency.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Ours, held by a payment provider.
    Psp(Provider),
    /// Ours, at the bank.
    Bank,
    /// A booking's money, until it is released or promised back.
    Escrow(BookingId),
    /// What a host has earned and not been paid yet.
    HostPayable(UserId),
    /// What a host owes us after a refund of something already paid out.
    HostReceivable(UserId),
    /// On its way to a host.
    Payout(PayoutId),
    /// Promised back from a payment, and not settled yet.
    Refund(PaymentId),
    /// Taken from us while a bank examines a payment.
    Dispute(PaymentId),
    /// What a guest has with us.
    GuestCredit(UserId),
    /// Owed to a tax office.
    Tax(Jurisdiction),
    /// Earned from guests.
    GuestFees,
    /// Earned from hosts.
    HostFees,
    /// Earned on exchange.
    FxMargin,
    /// The pool of a currency, for exchange.
    Fx(Currency),
    /// Won or lost on exchange.
    FxGainLoss,
    /// Paid to payment providers for charges.
    PspFees,
    /// Paid to payment providers for payouts.
    PayoutFees,
    /// Paid to payment providers for disputes.
    DisputeFees,
    /// Lost in disputes.
    DisputeLosses,
    /// Given by us, out of kindness or fault.
    Goodwill,
    /// Beside the balance: what cards hold for us.
    Hold,
    /// The other side of what cards hold for us.
    HoldContra,
    /// A provider's movement that nothing here explains; must return to zero.
    Suspense(Provider),
}

/// Who moves money for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// The gateway that moves no real money.
    Sandbox,
    /// Stripe.
    Stripe,
    /// PayPal.
    Paypal,
}

/// A tax office by its ISO 3166 code: a country such as `FR`, or a part of one such as `US-CA`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jurisdiction(String);

/// The text names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an account")]
pub struct ParseAccountError;

impl Provider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sandbox, Self::Stripe, Self::Paypal];

    /// The name in account names, tables and URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Stripe => "stripe",
            Self::Paypal => "paypal",
        }
    }
}

impl FromStr for Provider {
    type Err = ParseAccountError;

    fn from_str(name: &str) -> Result<Self, ParseAccountError> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name).ok_or(ParseAccountError)
    }
}

impl Jurisdiction {
    /// A country's two letters, with or without a part's one to three letters and digits.
    pub fn parse(code: &str) -> Result<Self, ParseAccountError> {
        let (country, part) = code.split_once('-').map_or((code, None), |(country, part)| (country, Some(part)));
        let is_country = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
        let is_part = |part: &str| {
            (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        if is_country && part.is_none_or(is_part) { Ok(Self(code.to_owned())) } else { Err(ParseAccountError) }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Psp(provider) => write!(f, "psp:{}", provider.as_str()),
            Self::Bank => f.write_str("bank:operating"),
            Self::Escrow(booking) => write!(f, "booking:{booking}:escrow"),
            Self::HostPayable(host) => write!(f, "host:{host}:payable"),
            Self::HostReceivable(host) => write!(f, "host:{host}:receivable"),
            Self::Payout(payout) => write!(f, "payout:{payout}"),
            Self::Refund(payment) => write!(f, "refund:{payment}"),
            Self::Dispute(payment) => write!(f, "dispute:{payment}"),
            Self::GuestCredit(guest) => write!(f, "guest:{guest}:credit"),
            Self::Tax(jurisdiction) => write!(f, "tax:{}:payable", jurisdiction.0),
            Self::GuestFees => f.write_str("rev:guest_fee"),
            Self::HostFees => f.write_str("rev:host_fee"),
            Self::FxMargin => f.write_str("rev:fx_margin"),
            Self::Fx(currency) => write!(f, "fx:{currency}"),
            Self::FxGainLoss => f.write_str("fx:gain_loss"),
            Self::PspFees => f.write_str("exp:psp_fee"),
            Self::PayoutFees => f.write_str("exp:payout_fee"),
            Self::DisputeFees => f.write_str("exp:dispute_fee"),
            Self::DisputeLosses => f.write_str("exp:dispute_loss"),
            Self::Goodwill => f.write_str("exp:goodwill"),
            Self::Hold => f.write_str("memo:hold"),
            Self::HoldContra => f.write_str("memo:hold_contra"),
            Self::Suspense(provider) => write!(f, "suspense:{}", provider.as_str()),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Account {
    type Err = ParseAccountError;

    fn from_str(name: &str) -> Result<Self, ParseAccountError> {
        let parts: Vec<&str> = name.split(':').collect();
        Ok(match parts[..] {
            ["psp", provider] => Self::Psp(provider.parse()?),
            ["bank", "operating"] => Self::Bank,
            ["booking", booking, "escrow"] => Self::Escrow(read(booking)?),
            ["host", host, "payable"] => Self::HostPayable(read(host)?),
            ["host", host, "receivable"] => Self::HostReceivable(read(host)?),
            ["payout", payout] => Self::Payout(read(payout)?),
            ["refund", payment] => Self::Refund(read(payment)?),
            ["dispute", payment] => Self::Dispute(read(payment)?),
            ["guest", guest, "credit"] => Self::GuestCredit(read(guest)?),
            ["tax", jurisdiction, "payable"] => Self::Tax(Jurisdiction::parse(jurisdiction)?),
            ["rev", "guest_fee"] => Self::GuestFees,
            ["rev", "host_fee"] => Self::HostFees,
            ["rev", "fx_margin"] => Self::FxMargin,
            ["fx", "gain_loss"] => Self::FxGainLoss,
            ["fx", currency] => Self::Fx(read(currency)?),
            ["exp", "psp_fee"] => Self::PspFees,
            ["exp", "payout_fee"] => Self::PayoutFees,
            ["exp", "dispute_fee"] => Self::DisputeFees,
            ["exp", "dispute_loss"] => Self::DisputeLosses,
            ["exp", "goodwill"] => Self::Goodwill,
            ["memo", "hold"] => Self::Hold,
            ["memo", "hold_contra"] => Self::HoldContra,
            ["suspense", provider] => Self::Suspense(provider.parse()?),
            _ => return Err(ParseAccountError),
        })
    }
}

fn read<T: FromStr>(part: &str) -> Result<T, ParseAccountError> {
    part.parse().map_err(|_| ParseAccountError)
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Jurisdiction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Jurisdiction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_has_one_name_and_is_found_by_it() {
        let id = "0192f0c1a2b37c4d8e5f60718293a4b5";
        let names = [
            "psp:sandbox psp:stripe psp:paypal bank:operating booking:bkg_ID:escrow host:usr_ID:payable",
            "host:usr_ID:receivable payout:pot_ID refund:pay_ID dispute:pay_ID guest:usr_ID:credit tax:US-CA:payable",
            "rev:guest_fee rev:host_fee rev:fx_margin fx:EUR fx:gain_loss exp:psp_fee exp:payout_fee exp:dispute_fee",
            "exp:dispute_loss exp:goodwill memo:hold memo:hold_contra suspense:stripe",
        ];
        let names = names.join(" ").replace("ID", id);
        for name in names.split(' ') {
            let account: Account = name.parse().unwrap();
            assert_eq!(account.to_string(), name);
            assert_eq!(serde_json::to_value(&account).unwrap(), name);
            assert_eq!(serde_json::from_value::<Account>(name.into()).unwrap(), account);
        }
    }

    #[test]
    fn what_is_not_on_the_chart_is_no_account() {
        for name in ["", "psp", "psp:visa", "fx:eur", "tax:fr:payable", "tax:FR-:payable", "payout:pay_1", "memo:hold:"]
        {
            assert_eq!(name.parse::<Account>(), Err(ParseAccountError), "{name:?}");
        }
    }
}
