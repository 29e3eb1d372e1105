//! The sandbox's payment methods and host accounts: each does what its name says.
//!
//! | method | what happens |
//! |---|---|
//! | `pm_card_ok` | held, captured and refunded without ado |
//! | `pm_card_declined` | declined with `card_declined` |
//! | `pm_card_insufficient_funds` | declined with `insufficient_funds` |
//! | `pm_card_action` | the guest must confirm first (3-D Secure) |
//! | `pm_card_action_then_declined` | the guest must confirm, and is declined all the same |
//! | `pm_card_capture_declined` | held; taking the money is declined with `capture_declined` |
//! | `pm_card_refund_declined` | held and taken; giving back is declined with `refund_declined` |
//! | `pm_card_timeout_after_commit` | held, but the answer to the first call is lost |
//! | anything else | declined with `unknown_method` |
//!
//! | account | what happens |
//! |---|---|
//! | `acct_declined` | declined with `account_closed` |
//! | `acct_timeout_after_commit` | paid, but the answer to the first call is lost |
//! | any other that begins with `acct_` | paid |
//! | anything else | declined with `unknown_account` |

/// What a payment method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    Good,
    Declined(&'static str),
    NeedsAction { then_declined: bool },
    CaptureDeclined,
    RefundDeclined,
    AnswerLost,
}

impl Card {
    pub(super) fn named(method: &str) -> Self {
        match method {
            "pm_card_ok" => Self::Good,
            "pm_card_declined" => Self::Declined("card_declined"),
            "pm_card_insufficient_funds" => Self::Declined("insufficient_funds"),
            "pm_card_action" => Self::NeedsAction { then_declined: false },
            "pm_card_action_then_declined" => Self::NeedsAction { then_declined: true },
            "pm_card_capture_declined" => Self::CaptureDeclined,
            "pm_card_refund_declined" => Self::RefundDeclined,
            "pm_card_timeout_after_commit" => Self::AnswerLost,
            _ => Self::Declined("unknown_method"),
        }
    }
}

/// What a host's account does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    Good,
    Declined(&'static str),
    AnswerLost,
}

impl Account {
    pub(super) fn named(account: &str) -> Self {
        match account {
            "acct_declined" => Self::Declined("account_closed"),
            "acct_timeout_after_commit" => Self::AnswerLost,
            good if good.starts_with("acct_") => Self::Good,
            _ => Self::Declined("unknown_account"),
        }
    }
}
