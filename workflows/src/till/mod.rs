//! The till: cards that guests offer, payments and payouts as people see them, and what the gateway tells us by itself.

mod cards;
mod webhooks;

pub use cards::{Offered, another_card, payment, payments_of, payout, payouts_of};
pub use webhooks::{Received, inbox, receive};
