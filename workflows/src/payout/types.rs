//! The words of a payout: how much to whom, and what became of it.

use chrono::NaiveDate;
use domain::{Money, PayoutId, Provider, Timestamp, UserId};
use engine::RunId;
use serde::{Deserialize, Serialize};
use store::PayoutStatus;

/// What a host is paid in one currency on one date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payable {
    /// This payout; its id follows from host, currency and date, so there is one of each.
    pub payout: PayoutId,
    /// To whom.
    pub host: UserId,
    /// How much.
    pub amount: Money,
    /// What the host owed us and pays with the same earnings; it is not part of the amount.
    pub netted: Money,
    /// On which date.
    pub date: NaiveDate,
    /// The gateway.
    pub provider: Provider,
    /// The gateway's token for the host's account.
    pub account: String,
    /// When it was started.
    pub made_at: Timestamp,
}

/// Where a payout stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// The gateway is being asked to send the money.
    Sending,
    /// The money is on its way to the host's bank.
    Paid {
        /// The gateway's name for the transfer.
        transfer: String,
    },
    /// The gateway refused; the money is back on the host's balance.
    Failed {
        /// The gateway's word for the reason.
        code: String,
    },
}

/// What happened to a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The gateway sent the money.
    Paid {
        /// The gateway's name for the transfer.
        transfer: String,
    },
    /// The gateway refused.
    Declined {
        /// The gateway's word for the reason.
        code: String,
    },
}

/// What a payout asks of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Send the money.
    Send,
}

/// A payout waits for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {}

impl State {
    /// The word in tables and in the API.
    #[must_use]
    pub const fn status(&self) -> PayoutStatus {
        match self {
            Self::Sending => PayoutStatus::Pending,
            Self::Paid { .. } => PayoutStatus::Paid,
            Self::Failed { .. } => PayoutStatus::Failed,
        }
    }
}

impl Payable {
    /// The unique key: one payout per host, currency and date.
    #[must_use]
    pub fn key(host: UserId, amount: Money, date: NaiveDate) -> String {
        format!("{host}:{}:{date}", amount.currency)
    }

    /// The payout that this host gets in this currency on this date.
    #[must_use]
    pub fn id(host: UserId, amount: Money, date: NaiveDate) -> PayoutId {
        let near = RunId::from_uuid(PayoutId::mint(midnight(date), [0; 10]).uuid());
        PayoutId::from_uuid(RunId::derive("payout", &Self::key(host, amount, date), near).uuid())
    }
}

fn midnight(date: NaiveDate) -> Timestamp {
    date.and_time(chrono::NaiveTime::MIN).and_utc()
}
