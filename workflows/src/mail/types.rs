//! The words of a letter: to whom, about what, and what became of it. Never its text: that is rendered when it is sent.

use domain::{BookingId, Money, NotificationId, PaymentId, PayoutId, Timestamp, UserId};
use engine::RunId;
use serde::{Deserialize, Serialize};
use store::NotificationStatus;
use uuid::Uuid;

/// One letter to one person: ids, dates and amounts only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which letter.
    pub letter: Letter,
    /// To whom.
    pub to: UserId,
    /// In which role they read it.
    pub audience: Audience,
    /// What it is about.
    pub about: About,
}

/// Every letter that the product writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// Somebody has an account.
    Welcome,
    /// Prove that the address is yours.
    VerifyEmail,
    /// Somebody wanted an account with an address that has one.
    AddressInUse,
    /// The host is asked.
    BookingRequested,
    /// Half of the host's time has passed.
    AnswerHalf,
    /// The host's time is almost over.
    AnswerLast,
    /// The guest must confirm with the bank.
    PaymentActionNeeded,
    /// The guest must offer another card.
    CardDeclined,
    /// Booked and paid.
    BookingConfirmed,
    /// The host said no.
    Declined,
    /// Somebody was silent for too long.
    Expired,
    /// The payment came too late and went back.
    PaymentReturned,
    /// The booking was called off.
    Canceled,
    /// The host's money is on its way.
    PayoutSent,
}

/// In which role somebody reads a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// As a guest.
    Guest,
    /// As a host.
    Host,
    /// As the owner of an account.
    Account,
}

/// What a letter is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The reader's account.
    Account,
    /// A request, at that instant, to prove an address; a later one is another letter.
    Verification {
        /// When it was asked for.
        asked_at: Timestamp,
    },
    /// A booking.
    Booking {
        /// This one.
        booking: BookingId,
        /// What goes back to the guest, when money had been taken.
        refund: Option<Money>,
    },
    /// One payment for a booking.
    Payment {
        /// The booking.
        booking: BookingId,
        /// The payment.
        payment: PaymentId,
    },
    /// A payout.
    Payout {
        /// This one.
        payout: PayoutId,
    },
}

/// Where a letter stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// It is being delivered.
    Sending,
    /// The post has it.
    Sent,
    /// The post will never take it.
    Rejected {
        /// Why, as far as that holds no personal data.
        why: Refused,
    },
}

/// Why a letter was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// The receiving server refuses the letter or its address.
    ByTheReceiver,
    /// The account or the thing that it was about is gone.
    NothingToSay,
    /// The post could not be reached for too long.
    PostUnavailable,
}

/// What happened to a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The post took it.
    Delivered,
    /// The post will never take it.
    Refused {
        /// Why.
        why: Refused,
    },
}

/// What a letter asks of the outside world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Render it from the rows as they are now, and hand it to the post.
    Deliver,
}

/// A letter waits for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {}

impl About {
    /// A booking of which nothing was paid back.
    #[must_use]
    pub const fn booking(booking: BookingId) -> Self {
        Self::Booking { booking, refund: None }
    }

    /// The booking that a notification links to.
    #[must_use]
    pub const fn booking_id(&self) -> Option<BookingId> {
        match self {
            Self::Booking { booking, .. } | Self::Payment { booking, .. } => Some(*booking),
            Self::Account | Self::Verification { .. } | Self::Payout { .. } => None,
        }
    }
}

impl State {
    /// The word in tables and in the API.
    #[must_use]
    pub const fn status(&self) -> NotificationStatus {
        match self {
            Self::Sending => NotificationStatus::Queued,
            Self::Sent => NotificationStatus::Sent,
            Self::Rejected { .. } => NotificationStatus::Rejected,
        }
    }
}

impl Letter {
    /// The word in tables and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::VerifyEmail => "verify_email",
            Self::AddressInUse => "address_in_use",
            Self::BookingRequested => "booking_requested",
            Self::AnswerHalf => "answer_half",
            Self::AnswerLast => "answer_last",
            Self::PaymentActionNeeded => "payment_action_needed",
            Self::CardDeclined => "card_declined",
            Self::BookingConfirmed => "booking_confirmed",
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::PaymentReturned => "payment_returned",
            Self::Canceled => "canceled",
            Self::PayoutSent => "payout_sent",
        }
    }
}

impl Audience {
    /// The word in the letter's key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Host => "host",
            Self::Account => "account",
        }
    }
}

impl Message {
    /// The unique key: one letter of a kind to one side about one thing.
    #[must_use]
    pub fn key(&self) -> String {
        let subject = match &self.about {
            About::Account => self.to.to_string(),
            About::Verification { asked_at } => format!("{}:{}", self.to, asked_at.timestamp_micros()),
            About::Booking { booking, .. } => booking.to_string(),
            About::Payment { payment, .. } => payment.to_string(),
            About::Payout { payout } => payout.to_string(),
        };
        format!("{subject}:{}:{}", self.letter.as_str(), self.audience.as_str())
    }

    /// The run that delivers it, stored beside what it is about.
    #[must_use]
    pub fn run(&self) -> RunId {
        RunId::derive("mail", &self.key(), RunId::from_uuid(self.subject()))
    }

    /// The notification that the reader sees; it has the run's id.
    #[must_use]
    pub fn notification(&self) -> NotificationId {
        NotificationId::from_uuid(self.run().uuid())
    }

    const fn subject(&self) -> Uuid {
        match &self.about {
            About::Account | About::Verification { .. } => self.to.uuid(),
            About::Booking { booking, .. } => booking.uuid(),
            About::Payment { payment, .. } => payment.uuid(),
            About::Payout { payout } => payout.uuid(),
        }
    }
}
