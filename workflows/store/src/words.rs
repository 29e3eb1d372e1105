//! Words that tables, JSON and logs share: enums whose spelling stands in one place.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The text is none of the words of its column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of the words for {of}")]
pub struct ParseWordError {
    /// What the word should have described.
    pub of: &'static str,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident of $of:literal { $($(#[$each:meta])* $variant:ident $word:literal,)+ })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$each])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in tables, JSON and logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ParseWordError;

            fn from_str(word: &str) -> Result<Self, ParseWordError> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word).ok_or(ParseWordError { of: $of })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )+ };
}

words! {
    /// What a person may do beyond being guest and host.
    Role of "a role" {
        /// Runs the marketplace.
        Operator "operator",
    }

    /// Whether a person may do anything at all.
    UserStatus of "the status of a person" {
        /// As everybody.
        Active "active",
        /// Shut out by an operator.
        Suspended "suspended",
    }

    /// Whether a home can be found.
    PropertyStatus of "the status of a property" {
        /// Only its host sees it.
        Draft "draft",
        /// Everybody sees it.
        Published "published",
        /// It keeps its bookings but takes no more.
        Paused "paused",
    }

    /// How far a photograph is.
    ImageStatus of "the status of a photograph" {
        /// Its host may send the file.
        AwaitingUpload "awaiting_upload",
        /// The file is there.
        Uploaded "uploaded",
        /// Its sizes are being made.
        Processing "processing",
        /// Everybody can see it.
        Ready "ready",
        /// It is no photograph that we take.
        Failed "failed",
    }

    /// Who takes a night.
    NightKind of "what takes a night" {
        /// A booking, held or confirmed.
        Booking "booking",
        /// The host keeps it off the market.
        Block "block",
    }

    /// Where a payment stands.
    PaymentStatus of "the status of a payment" {
        /// The gateway is being asked.
        Processing "processing",
        /// The guest must confirm with the bank.
        RequiresAction "requires_action",
        /// The money is held on the card.
        Authorized "authorized",
        /// The money is ours to pass on.
        Captured "captured",
        /// Some of it went back.
        PartiallyRefunded "partially_refunded",
        /// All of it went back.
        Refunded "refunded",
        /// The hold was given up, nothing was taken.
        Voided "voided",
        /// The card said no.
        Declined "declined",
    }

    /// Where a payout stands.
    PayoutStatus of "the status of a payout" {
        /// On its way.
        Pending "pending",
        /// It arrived.
        Paid "paid",
        /// It was refused; the host is owed the money again.
        Failed "failed",
    }

    /// Where a message stands.
    NotificationStatus of "the status of a message" {
        /// Waiting to be sent.
        Queued "queued",
        /// Handed to the mail server.
        Sent "sent",
        /// The mail server will not take it.
        Rejected "rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_it_was_written() {
        for status in PaymentStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        assert_eq!(
            "PAID".parse::<PayoutStatus>().unwrap_err().to_string(),
            "not one of the words for the status of a payout"
        );
    }
}
