//! How long everything may take: settings, checked once and then carried by each booking as instants.

use std::time::Duration;

use domain::{Offer, Timestamp};
use serde::{Deserialize, Serialize};

use crate::booking::Windows;

/// The waiting times of the marketplace. A change touches no booking that is made already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timers {
    /// How long a quoted price stands, in minutes.
    pub quote_minutes: u32,
    /// How long nights are held for a payment, in minutes.
    pub payment_hold_minutes: u32,
    /// How long a guest who makes a request may take over the bank or another card, in hours.
    pub guest_action_hours: u32,
    /// How long a host may take to answer a request, in hours.
    pub host_answer_hours: u32,
    /// How long before a card's reservation ends the host must have answered, in hours.
    pub capture_margin_hours: u32,
    /// How long after check-in the money is the host's, in hours.
    pub host_payout_hours: u32,
    /// How long after check-out a booking is completed, in hours.
    pub completion_hours: u32,
}

/// Waiting times that contradict each other or the outside world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("timers: {0}")]
pub struct TimersError(&'static str);

impl Default for Timers {
    fn default() -> Self {
        Self {
            quote_minutes: 15,
            payment_hold_minutes: 15,
            guest_action_hours: 24,
            host_answer_hours: 24,
            capture_margin_hours: 6,
            host_payout_hours: 24,
            completion_hours: 0,
        }
    }
}

impl Timers {
    /// The shortest time for which a card's reservation may be good, in hours: four and a half days, by the strictest of the schemes.
    const SHORTEST_RESERVATION_HOURS: u32 = 4 * 24 + 18;
    /// The longest time for which a provider keeps a host's money, in hours.
    const LONGEST_KEPT_HOURS: u32 = 90 * 24;

    /// Whether the times fit together.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub const fn check(&self) -> Result<(), TimersError> {
        if self.quote_minutes == 0 || self.payment_hold_minutes == 0 || self.host_answer_hours == 0 {
            return Err(TimersError("quote, payment hold and the host's answer take some time"));
        }
        if self.guest_action_hours * 60 < self.payment_hold_minutes {
            return Err(TimersError("guest_action_hours must not be shorter than the payment hold that it extends"));
        }
        if self.host_answer_hours + self.capture_margin_hours > Self::SHORTEST_RESERVATION_HOURS {
            return Err(TimersError(
                "host_answer_hours and capture_margin_hours must fit into a card's reservation (114 h)",
            ));
        }
        if self.host_payout_hours > Self::LONGEST_KEPT_HOURS {
            return Err(TimersError("host_payout_hours must be within the provider's limit of 90 days"));
        }
        Ok(())
    }

    /// Until when a price quoted now stands.
    #[must_use]
    pub fn quote_until(&self, now: Timestamp) -> Timestamp {
        now + minutes(self.quote_minutes)
    }

    /// The instants of a booking made now; the nights are never held past check-in.
    #[must_use]
    pub fn windows(&self, offer: &Offer, now: Timestamp) -> Windows {
        let check_in_at = offer.house.check_in_at(&offer.stay);
        let check_out_at = offer.house.check_out_at(&offer.stay);
        Windows {
            hold_until: (now + minutes(self.payment_hold_minutes)).min(check_in_at.max(now)),
            guest_action: hours(self.guest_action_hours),
            host_answer: hours(self.host_answer_hours),
            capture_margin: hours(self.capture_margin_hours),
            check_in_at,
            check_out_at,
            release_at: check_in_at + hours(self.host_payout_hours),
            complete_at: check_out_at + hours(self.completion_hours),
        }
    }
}

const fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(minutes as u64 * 60)
}

const fn hours(hours: u32) -> Duration {
    Duration::from_secs(hours as u64 * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_together() {
        assert_eq!(Timers::default().check(), Ok(()));
    }

    #[test]
    fn a_host_never_has_longer_than_the_money_is_reserved() {
        let slow = Timers { host_answer_hours: 109, ..Timers::default() };
        assert!(slow.check().unwrap_err().to_string().contains("114 h"));
        assert_eq!(Timers { host_answer_hours: 108, ..Timers::default() }.check(), Ok(()));
    }

    #[test]
    fn a_hold_is_made_longer_never_shorter() {
        assert!(Timers { guest_action_hours: 0, ..Timers::default() }.check().is_err());
    }
}
