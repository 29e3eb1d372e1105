//! The words of a booking: what was agreed, where it stands, what can happen to it and which instants it waits for.

use std::time::Duration;

use domain::cancellation::Party;
use domain::quote::Offer;
use domain::{
    BookingId, BookingStatus, Jurisdiction, Money, PaymentId, Phase, PropertyId, Provider, QuoteId, Timestamp, UnitId,
    UserId,
};
use serde::{Deserialize, Serialize};

/// What was agreed when the booking was made, and by when what must happen; nothing of it changes later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// This booking.
    pub booking: BookingId,
    /// The home.
    pub property: PropertyId,
    /// Which of its units; all of their nights are taken.
    pub units: Vec<UnitId>,
    /// Who comes.
    pub guest: UserId,
    /// Whose home it is.
    pub host: UserId,
    /// The quote that it was made on.
    pub quote: QuoteId,
    /// Stay, price and policy as quoted.
    pub offer: Offer,
    /// Whether the host is asked first.
    pub mode: Mode,
    /// The home's preparation nights at the time of booking.
    pub prep_nights: u16,
    /// Where the stay is taxed.
    pub tax: Jurisdiction,
    /// How it is paid for.
    pub paying: Paying,
    /// By when what must happen.
    pub windows: Windows,
    /// When the booking was made.
    pub made_at: Timestamp,
}

/// Whether the host is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The host answers, then the money is taken.
    Request,
    /// The money is taken as soon as it is reserved.
    Instant,
}

/// The first payment, and where the later ones go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paying {
    /// The first payment.
    pub payment: PaymentId,
    /// The gateway.
    pub provider: Provider,
    /// The gateway's token for the first card.
    pub method: String,
}

/// The timers' settings as they were when the booking was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Until when the nights are held for the first payment.
    pub hold_until: Timestamp,
    /// How long a guest who makes a request may take over the bank or another card.
    pub guest_action: Duration,
    /// How long the host may take to answer.
    pub host_answer: Duration,
    /// How long before the reservation of the money ends the host must have answered.
    pub capture_margin: Duration,
    /// When the guest comes.
    pub check_in_at: Timestamp,
    /// When the guest leaves.
    pub check_out_at: Timestamp,
    /// When the money is the host's.
    pub release_at: Timestamp,
    /// When the booking is over and done.
    pub complete_at: Timestamp,
}

/// The nights held for a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// The payment that is waited for.
    pub payment: PaymentId,
    /// Until when.
    pub until: Timestamp,
    /// A hold is made longer once at most.
    pub extended: bool,
}

/// Where a booking stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// The payment is under way at the gateway.
    AwaitingPayment {
        /// The nights meanwhile.
        hold: Hold,
    },
    /// The guest must do something before the payment can go on.
    AwaitingGuest {
        /// The nights meanwhile.
        hold: Hold,
        /// What must be done.
        needs: Needs,
    },
    /// The money is reserved and the host is asked.
    AwaitingHost {
        /// The payment that reserves the money.
        payment: PaymentId,
        /// Until when the host may answer.
        until: Timestamp,
    },
    /// It is accepted and the money is being taken.
    Capturing {
        /// The payment that takes it.
        payment: PaymentId,
    },
    /// Booked and paid.
    Confirmed {
        /// The payment that holds the money.
        payment: PaymentId,
        /// Since when both sides are bound.
        since: Timestamp,
        /// Whether the money is the host's already.
        released: bool,
    },
    /// The stay is over.
    Completed {
        /// The payment that held the money.
        payment: PaymentId,
        /// Whether the money is the host's already.
        released: bool,
    },
    /// Somebody was silent for too long.
    Expired {
        /// The last payment.
        payment: PaymentId,
        /// What was waited for.
        missing: Missing,
    },
    /// The host said no.
    Declined {
        /// The payment that was given up.
        payment: PaymentId,
    },
    /// It was called off.
    Canceled {
        /// The last payment.
        payment: PaymentId,
        /// By whom.
        by: By,
        /// What goes back, when money had been taken.
        refund: Option<Returned>,
    },
}

/// What a guest must do before the payment can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Confirm with the bank (3-D Secure).
    Challenge,
    /// Offer another card.
    OtherCard,
}

/// What was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The gateway's answer.
    Payment,
    /// The guest's step with the bank, or another card.
    Guest,
    /// The host's answer.
    Host,
}

/// Who called a booking off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The guest.
    Guest,
    /// The host.
    Host,
    /// An operator.
    Operator,
    /// Nobody: the payment failed.
    System,
}

/// The money that goes back to the guest of a booking that was paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Returned {
    /// How much.
    pub amount: Money,
    /// How far it has come.
    pub progress: Progress,
}

/// How far a refund has come; nobody is told that money went back before the gateway says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// There is nothing to send back.
    Nothing,
    /// It is on its way.
    Pending,
    /// It arrived.
    Settled,
    /// The gateway could not send it; an operator finds another way.
    Failed,
}

/// What happened to a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The money is reserved.
    PaymentAuthorized {
        /// By this payment.
        payment: PaymentId,
        /// When the reservation ends by itself, if it does.
        capture_before: Option<Timestamp>,
    },
    /// The bank wants a word with the guest.
    PaymentNeedsAction {
        /// Over this payment.
        payment: PaymentId,
    },
    /// The bank said no.
    PaymentDeclined {
        /// To this payment.
        payment: PaymentId,
        /// The gateway's word for the reason.
        code: String,
    },
    /// The money was taken.
    PaymentCaptured {
        /// By this payment.
        payment: PaymentId,
    },
    /// The reserved money could not be taken.
    PaymentCaptureFailed {
        /// By this payment.
        payment: PaymentId,
        /// The gateway's word for the reason.
        code: String,
    },
    /// Nothing is reserved any more.
    PaymentVoided {
        /// By this payment.
        payment: PaymentId,
    },
    /// Money went back.
    PaymentRefunded {
        /// From this payment.
        payment: PaymentId,
        /// How much.
        amount: Money,
    },
    /// Money could not be sent back.
    PaymentRefundFailed {
        /// From this payment.
        payment: PaymentId,
        /// How much.
        amount: Money,
        /// The gateway's word for the reason.
        code: String,
    },
    /// The guest offers another card.
    CardOffered {
        /// The payment that will try it.
        payment: PaymentId,
        /// The gateway's token for the card.
        method: String,
    },
    /// The host said yes.
    HostAccepted,
    /// The host said no.
    HostDeclined,
    /// The guest called it off.
    GuestCanceled,
    /// The host called it off.
    HostCanceled,
    /// An operator called it off.
    OperatorCanceled,
    /// A payment came after the hold was over, and the nights had gone to somebody else.
    NightsLost {
        /// This payment.
        payment: PaymentId,
    },
    /// An instant came.
    Elapsed(Timer),
}

/// The instants that a booking waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// The nights are held no longer for a payment.
    HoldExpired,
    /// Half of the host's time has passed.
    RemindHalf,
    /// Nine tenths of the host's time have passed.
    RemindLast,
    /// The host has not answered in time.
    HostDeadline,
    /// The money is the host's.
    Release,
    /// The booking is over and done.
    CheckOut,
}

/// A booking calls nobody outside itself: its payment and its letters do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {}

impl Terms {
    /// What the guest pays, all in all.
    #[must_use]
    pub fn total(&self) -> Money {
        self.offer.priced.total()
    }
}

impl By {
    /// Whose doing it is in the eyes of the policy.
    #[must_use]
    pub const fn party(self) -> Party {
        match self {
            Self::Guest => Party::Guest,
            Self::Host => Party::Host,
            Self::Operator | Self::System => Party::Platform,
        }
    }
}

impl State {
    /// The one table from states to the words that people read; the calendar refines the phase of a confirmed booking.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::AwaitingPayment { .. } | Self::Capturing { .. } => Phase::AwaitingPayment,
            Self::AwaitingGuest { .. } => Phase::AwaitingGuestAction,
            Self::AwaitingHost { .. } => Phase::AwaitingHost,
            Self::Confirmed { .. } => Phase::Confirmed,
            Self::Completed { .. } => Phase::Completed,
            Self::Expired { .. } => Phase::Expired,
            Self::Declined { .. } => Phase::Declined,
            Self::Canceled { by: By::Guest, .. } => Phase::CanceledByGuest,
            Self::Canceled { by: By::Host, .. } => Phase::CanceledByHost,
            Self::Canceled { by: By::Operator, .. } => Phase::CanceledByAdmin,
            Self::Canceled { by: By::System, .. } => Phase::CanceledBySystem,
        }
    }

    /// The public word.
    #[must_use]
    pub const fn status(&self) -> BookingStatus {
        self.phase().status()
    }

    /// The payment that counts in this state.
    #[must_use]
    pub const fn payment(&self) -> PaymentId {
        match self {
            Self::AwaitingPayment { hold } | Self::AwaitingGuest { hold, .. } => hold.payment,
            Self::AwaitingHost { payment, .. }
            | Self::Capturing { payment }
            | Self::Confirmed { payment, .. }
            | Self::Completed { payment, .. }
            | Self::Expired { payment, .. }
            | Self::Declined { payment }
            | Self::Canceled { payment, .. } => *payment,
        }
    }

    /// Until when the nights are only held, by whatever is being waited for.
    #[must_use]
    pub const fn held_until(&self) -> Option<Timestamp> {
        match self {
            Self::AwaitingPayment { hold } | Self::AwaitingGuest { hold, .. } => Some(hold.until),
            Self::AwaitingHost { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Why it came to nothing, as a stable word.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Expired { missing: Missing::Payment, .. } => Some("payment_late"),
            Self::Expired { missing: Missing::Guest, .. } => Some("guest_silent"),
            Self::Expired { missing: Missing::Host, .. } => Some("host_silent"),
            Self::Declined { .. } => Some("host_declined"),
            Self::Canceled { refund: Some(Returned { progress: Progress::Failed, .. }), .. } => Some("refund_failed"),
            Self::Canceled { by: By::System, .. } => Some("payment_failed"),
            _ => None,
        }
    }

    /// What the guest gets back, as it was decided; the payment says how much of it has arrived.
    #[must_use]
    pub const fn refunded(&self) -> Option<Money> {
        match self {
            Self::Canceled { refund: Some(Returned { amount, .. }), .. } => Some(*amount),
            _ => None,
        }
    }
}

impl Event {
    /// The payment that this is news of.
    #[must_use]
    pub const fn news_of(&self) -> Option<PaymentId> {
        match self {
            Self::PaymentAuthorized { payment, .. }
            | Self::PaymentNeedsAction { payment }
            | Self::PaymentDeclined { payment, .. }
            | Self::PaymentCaptured { payment }
            | Self::PaymentCaptureFailed { payment, .. }
            | Self::PaymentVoided { payment }
            | Self::PaymentRefunded { payment, .. }
            | Self::PaymentRefundFailed { payment, .. }
            | Self::NightsLost { payment } => Some(*payment),
            _ => None,
        }
    }
}
