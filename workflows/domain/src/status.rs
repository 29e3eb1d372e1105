//! Where a booking stands, in the words that people and clients read.
//!
//! The status is one of four words and never changes its meaning; the [`Phase`] beside it says more precisely what is
//! being waited for or how it ended. The mapping from phase to status is total, so the two cannot disagree.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The four public words for a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingStatus {
    /// The nights are held, the answer is still out.
    Pending,
    /// Both sides are bound.
    Confirmed,
    /// It came to nothing, or was called off.
    Canceled,
    /// The stay is over.
    Completed,
}

/// What exactly is being waited for, or how the booking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The payment is being authorised.
    AwaitingPayment,
    /// The host has not answered yet.
    AwaitingHost,
    /// The guest must confirm with the bank, or choose another card.
    AwaitingGuestAction,
    /// Booked, before check-in.
    Confirmed,
    /// Between check-in and check-out.
    InStay,
    /// After check-out, before completion.
    CheckedOut,
    /// Over and done.
    Completed,
    /// Nobody answered in time.
    Expired,
    /// The host said no.
    Declined,
    /// The guest called it off.
    CanceledByGuest,
    /// The host called it off.
    CanceledByHost,
    /// An operator called it off.
    CanceledByAdmin,
    /// The system called it off: the payment failed, or the nights were lost.
    CanceledBySystem,
    /// The guest never came.
    NoShow,
}

/// The text is none of the words that this status knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of the words for {of}")]
pub struct ParseStatusError {
    /// What the word should have described.
    pub of: &'static str,
}

impl BookingStatus {
    /// All of them, in the order of a booking's life.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Confirmed, Self::Canceled, Self::Completed];

    /// The word in tables, JSON and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Canceled => "canceled",
            Self::Completed => "completed",
        }
    }

    /// Whether the booking keeps its nights from everybody else.
    pub const fn holds_nights(self) -> bool {
        !matches!(self, Self::Canceled)
    }
}

impl Phase {
    /// All of them, in the order of a booking's life.
    pub const ALL: [Self; 14] = [
        Self::AwaitingPayment,
        Self::AwaitingHost,
        Self::AwaitingGuestAction,
        Self::Confirmed,
        Self::InStay,
        Self::CheckedOut,
        Self::Completed,
        Self::Expired,
        Self::Declined,
        Self::CanceledByGuest,
        Self::CanceledByHost,
        Self::CanceledByAdmin,
        Self::CanceledBySystem,
        Self::NoShow,
    ];

    /// The word in tables, JSON and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "awaiting_payment",
            Self::AwaitingHost => "awaiting_host",
            Self::AwaitingGuestAction => "awaiting_guest_action",
            Self::Confirmed => "confirmed",
            Self::InStay => "in_stay",
            Self::CheckedOut => "checked_out",
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Declined => "declined",
            Self::CanceledByGuest => "canceled_by_guest",
            Self::CanceledByHost => "canceled_by_host",
            Self::CanceledByAdmin => "canceled_by_admin",
            Self::CanceledBySystem => "canceled_by_system",
            Self::NoShow => "no_show",
        }
    }

    /// The public word for a booking in this phase.
    ///
    /// A no-show counts as completed: the nights were kept for the guest and the host is paid by the policy.
    pub const fn status(self) -> BookingStatus {
        match self {
            Self::AwaitingPayment | Self::AwaitingHost | Self::AwaitingGuestAction => BookingStatus::Pending,
            Self::Confirmed | Self::InStay | Self::CheckedOut => BookingStatus::Confirmed,
            Self::Completed | Self::NoShow => BookingStatus::Completed,
            Self::Expired
            | Self::Declined
            | Self::CanceledByGuest
            | Self::CanceledByHost
            | Self::CanceledByAdmin
            | Self::CanceledBySystem => BookingStatus::Canceled,
        }
    }

    /// The phase as the calendar refines it: a confirmed booking is in its stay from check-in on, and checked out from
    /// check-out on, without anything having happened to it.
    pub fn on_dates(self, check_in_at: Timestamp, check_out_at: Timestamp, now: Timestamp) -> Self {
        match self {
            Self::Confirmed if now >= check_out_at => Self::CheckedOut,
            Self::Confirmed if now >= check_in_at => Self::InStay,
            as_recorded => as_recorded,
        }
    }
}

impl fmt::Display for BookingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BookingStatus {
    type Err = ParseStatusError;

    fn from_str(word: &str) -> Result<Self, ParseStatusError> {
        Self::ALL.into_iter().find(|s| s.as_str() == word).ok_or(ParseStatusError { of: "the status of a booking" })
    }
}

impl FromStr for Phase {
    type Err = ParseStatusError;

    fn from_str(word: &str) -> Result<Self, ParseStatusError> {
        Self::ALL.into_iter().find(|p| p.as_str() == word).ok_or(ParseStatusError { of: "the phase of a booking" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_tables_and_in_json() {
        for status in BookingStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse(), Ok(phase));
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
        }
        assert!("cancelled".parse::<BookingStatus>().is_err() && "PENDING".parse::<Phase>().is_err());
    }

    #[test]
    fn only_a_confirmed_booking_moves_with_the_calendar() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (check_in, check_out) = (at("2027-03-27T14:00:00Z"), at("2027-03-29T09:00:00Z"));
        let phase_at = |phase: Phase, now: &str| phase.on_dates(check_in, check_out, at(now));
        assert_eq!(phase_at(Phase::Confirmed, "2027-03-27T13:59:59Z"), Phase::Confirmed);
        assert_eq!(phase_at(Phase::Confirmed, "2027-03-27T14:00:00Z"), Phase::InStay);
        assert_eq!(phase_at(Phase::Confirmed, "2027-03-29T09:00:00Z"), Phase::CheckedOut);
        assert_eq!(phase_at(Phase::CanceledByGuest, "2027-03-28T00:00:00Z"), Phase::CanceledByGuest);
    }

    #[test]
    fn whatever_was_called_off_frees_its_nights() {
        for phase in Phase::ALL {
            let called_off =
                phase.as_str().starts_with("canceled_by_") || matches!(phase, Phase::Expired | Phase::Declined);
            assert_eq!(phase.status().holds_nights(), !called_off, "{phase}");
        }
    }
}
