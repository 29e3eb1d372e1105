//! Rehearsed trouble: what a client has to cope with, brought about at will in a sandbox.

use std::str::FromStr;

use domain::Money;
use store::properties::Property;

use crate::Error;

/// What is to go wrong with a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// The price is a tenth higher than a moment ago.
    PriceChanged,
    /// Somebody else was faster.
    SoldOut,
    /// The bank says no.
    CardDeclined,
    /// The bank asks the guest first (3-D Secure).
    CardNeedsAction,
    /// The gateway reserves the money, and its answer is lost.
    ProviderTimeoutAfterCommit,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 5] = [
        Self::PriceChanged,
        Self::SoldOut,
        Self::CardDeclined,
        Self::CardNeedsAction,
        Self::ProviderTimeoutAfterCommit,
    ];

    /// The word in the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PriceChanged => "price_changed",
            Self::SoldOut => "sold_out",
            Self::CardDeclined => "card_declined",
            Self::CardNeedsAction => "card_needs_action",
            Self::ProviderTimeoutAfterCommit => "provider_timeout_after_commit",
        }
    }

    /// The card that brings it about, where a card does.
    #[must_use]
    pub const fn card(self) -> Option<&'static str> {
        match self {
            Self::CardDeclined => Some("pm_card_declined"),
            Self::CardNeedsAction => Some("pm_card_action"),
            Self::ProviderTimeoutAfterCommit => Some("pm_card_timeout_after_commit"),
            Self::PriceChanged | Self::SoldOut => None,
        }
    }

    /// The same home, had its host raised the rent by a tenth.
    pub(crate) fn dearer(mut home: Property) -> Property {
        let raised = |rent: Money| Money::new(rent.minor.saturating_add(rent.minor / 10 + 1), rent.currency);
        let asked = &mut home.listing.asked;
        asked.nightly = raised(asked.nightly);
        asked.weekend = asked.weekend.map(raised);
        home
    }

    /// Somebody else was faster.
    pub(crate) fn sold_out() -> Error {
        Error::DatesUnavailable {
            detail: "rehearsed: somebody else has just taken a night of it".into(),
            hold_ends: None,
            own: None,
        }
    }
}

impl FromStr for Scenario {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|scenario| scenario.as_str() == word).ok_or(())
    }
}
