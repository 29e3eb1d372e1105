//! The words of a payment: what it is for, where it stands, what can happen to it and what it asks of the gateway.

use domain::{BookingId, Money, PaymentId, Provider, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::PaymentStatus;

/// What is to be paid: one card for one booking. Another card is another payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// This payment.
    pub payment: PaymentId,
    /// The booking that it pays for.
    pub booking: BookingId,
    /// Who pays.
    pub guest: UserId,
    /// The whole price.
    pub amount: Money,
    /// The gateway.
    pub provider: Provider,
    /// The gateway's token for the card; the number of the card never reaches us.
    pub method: String,
    /// When the booking stops waiting for this payment.
    pub hold_until: Timestamp,
    /// When the payment was made.
    pub made_at: Timestamp,
}

/// Where the payment stands. There is one row of state per payment, so a capture and a void can never both win.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// The gateway is being asked to reserve the money.
    Authorizing {
        /// What the booking has asked for meanwhile.
        wish: Wish,
    },
    /// The guest's bank wants a word with the guest (3-D Secure).
    AwaitingAction {
        /// The gateway's name for the attempt.
        intent: String,
        /// Where the guest meets the bank.
        url: String,
        /// The booking waits no longer; what the gateway says next decides.
        lapsed: bool,
    },
    /// The money is reserved on the card.
    Authorized {
        /// The gateway's name for the reservation.
        intent: String,
        /// When the reservation ends by itself.
        capture_before: Timestamp,
    },
    /// The reserved money is being taken.
    Capturing {
        /// The gateway's name for the reservation.
        intent: String,
        /// What the booking has asked for meanwhile.
        wish: Wish,
    },
    /// The money is ours to keep for the host, less what went back.
    Captured {
        /// The gateway's name for the payment.
        intent: String,
        /// What went back to the card.
        refunded: Money,
    },
    /// Money is on its way back to the card.
    Refunding {
        /// The gateway's name for the payment.
        intent: String,
        /// What went back before.
        refunded: Money,
        /// What is on its way.
        asking: Money,
        /// What goes next.
        owed: Money,
    },
    /// The reservation is being given up.
    Voiding {
        /// The gateway's name for the reservation.
        intent: String,
        /// Whether money is reserved, and so stands in the ledger.
        held: bool,
    },
    /// Nothing was taken and nothing is reserved.
    Voided {
        /// The gateway's name for what was given up.
        intent: String,
    },
    /// The bank said no.
    Declined {
        /// The gateway's name for the attempt, when it got that far.
        intent: Option<String>,
        /// The gateway's word for the reason.
        code: String,
    },
}

/// What the booking wants of a payment whose call to the gateway is still under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Wish {
    /// Go on.
    Keep,
    /// The hold is over: no more waiting for the guest, but money that did arrive is offered to the booking.
    Lapse,
    /// Give everything back, whatever happens.
    Void,
}

/// What happened to a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The gateway reserved the money.
    Authorized {
        /// The gateway's name for the reservation.
        intent: String,
        /// When the reservation ends by itself.
        capture_before: Timestamp,
    },
    /// The bank wants the guest to confirm.
    ActionRequired {
        /// The gateway's name for the attempt.
        intent: String,
        /// Where the guest does it.
        url: String,
    },
    /// The bank said no.
    Declined {
        /// The gateway's name for the attempt, when it got that far.
        intent: Option<String>,
        /// The gateway's word for the reason.
        code: String,
    },
    /// The gateway took the money.
    Captured {
        /// The gateway's name for the charge.
        charge: String,
    },
    /// The reserved money could not be taken.
    CaptureDeclined {
        /// The gateway's word for the reason.
        code: String,
    },
    /// The gateway gave the reservation up.
    Voided,
    /// The reservation could not be given up because the money was taken already.
    AlreadyCaptured,
    /// The gateway sent money back.
    Refunded {
        /// The gateway's name for the refund.
        refund: String,
    },
    /// The gateway refused to send money back.
    RefundDeclined {
        /// The gateway's word for the reason.
        code: String,
    },
    /// We looked, and this is how it stands at the gateway.
    Seen(Sight),
    /// The gateway says that something changed; what it is, we look up.
    Nudged,
    /// The reservation has come to its end by the clock.
    WindowClosed,
    /// The booking is accepted: take the money.
    CaptureAsked,
    /// The booking came to nothing: give everything back.
    VoidAsked,
    /// The booking waits no longer for the guest to pay.
    Lapsed,
    /// The booking was called off: this much goes back.
    RefundAsked {
        /// How much of what was taken.
        amount: Money,
    },
}

/// How a payment stands at the gateway, however the change came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sight {
    /// The guest has still to confirm.
    RequiresAction,
    /// The money is reserved.
    Authorized {
        /// When the reservation ends by itself.
        capture_before: Timestamp,
    },
    /// The money was taken.
    Captured {
        /// How much of it went back.
        refunded: Money,
    },
    /// Nothing is reserved.
    Voided,
    /// The bank said no.
    Declined {
        /// The gateway's word for the reason.
        code: String,
    },
}

/// One call to the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Reserve the whole price on the card.
    Authorize,
    /// Take what is reserved.
    Capture {
        /// Of this reservation.
        intent: String,
    },
    /// Give the reservation up.
    Void {
        /// This one.
        intent: String,
    },
    /// Send money back.
    Refund {
        /// Of this payment.
        intent: String,
        /// How much.
        amount: Money,
    },
    /// Look how it stands.
    Inspect {
        /// This payment.
        intent: String,
    },
}

/// The instants that a payment waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {
    /// The reservation ends by itself.
    WindowClosed,
}

impl State {
    /// The word in tables and in the API.
    #[must_use]
    pub fn status(&self, due: &Due) -> PaymentStatus {
        match self {
            Self::Authorizing { .. } | Self::Capturing { .. } | Self::Voiding { .. } => PaymentStatus::Processing,
            Self::AwaitingAction { .. } => PaymentStatus::RequiresAction,
            Self::Authorized { .. } => PaymentStatus::Authorized,
            Self::Captured { refunded, .. } | Self::Refunding { refunded, .. } if refunded.is_zero() => {
                PaymentStatus::Captured
            }
            Self::Captured { refunded, .. } if *refunded == due.amount => PaymentStatus::Refunded,
            Self::Captured { .. } | Self::Refunding { .. } => PaymentStatus::PartiallyRefunded,
            Self::Voided { .. } => PaymentStatus::Voided,
            Self::Declined { .. } => PaymentStatus::Declined,
        }
    }

    /// What went back to the card, when anything was taken.
    #[must_use]
    pub const fn refunded(&self) -> Option<Money> {
        match self {
            Self::Captured { refunded, .. } | Self::Refunding { refunded, .. } => Some(*refunded),
            _ => None,
        }
    }

    /// The gateway's name for the payment, once it has one.
    #[must_use]
    pub fn intent(&self) -> Option<&str> {
        match self {
            Self::Authorizing { .. } => None,
            Self::AwaitingAction { intent, .. }
            | Self::Authorized { intent, .. }
            | Self::Capturing { intent, .. }
            | Self::Captured { intent, .. }
            | Self::Refunding { intent, .. }
            | Self::Voiding { intent, .. }
            | Self::Voided { intent } => Some(intent),
            Self::Declined { intent, .. } => intent.as_deref(),
        }
    }
}
