//! Until when a guest gets how much back, as instants: what is shown with a quote and later decided by, the same code.

use serde::{Deserialize, Serialize};

use super::policy::{Before, Grace, Keep, Measured};
use super::{Moment, split};
use crate::money::Money;
use crate::quote::Offer;
use crate::time::Timestamp;
use crate::zone::HouseClock;

/// What a guest who calls off gets back, by when it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundSchedule {
    /// In order of time. The last has no end and begins at check-in; from then on every night spent costs its price.
    pub steps: Vec<RefundStep>,
}

/// One stretch of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundStep {
    /// The last instant at which this applies; the deadline itself counts as before it.
    pub until: Option<Timestamp>,
    /// What goes back to the guest, as long as no night is spent.
    pub to_guest: Money,
    /// What the host keeps, beside the nights spent.
    pub keep: Keep,
}

impl RefundSchedule {
    /// The stretch in which that instant lies.
    pub fn step_at(&self, at: Timestamp) -> &RefundStep {
        let step = self.steps.iter().find(|step| step.until.is_none_or(|until| at <= until));
        step.expect("the last step has no end")
    }
}

/// The refund schedule of an offer confirmed at that instant; for a quote, the instant of the quote stands in.
pub fn schedule(offer: &Offer, confirmed_at: Timestamp) -> RefundSchedule {
    let check_in = offer.house.check_in_at(&offer.stay);
    let mut stretches: Vec<(Timestamp, Keep)> = Vec::new();
    for (until, keep) in deadlines(offer, confirmed_at).chain([(check_in, offer.policy.then)]) {
        match stretches.last_mut() {
            // What comes later gives the guest less, so it only counts where what came before has ended.
            Some((covered, _)) if until <= *covered => {}
            Some((covered, same)) if *same == keep => *covered = until,
            _ if until < confirmed_at => {}
            _ => stretches.push((until, keep)),
        }
    }
    let before = stretches.into_iter().map(|(until, keep)| step(offer, Some(until), keep));
    RefundSchedule { steps: before.chain([step(offer, None, offer.policy.then)]).collect() }
}

/// Every deadline of the policy, the kindest to the guest first.
fn deadlines(offer: &Offer, confirmed_at: Timestamp) -> impl Iterator<Item = (Timestamp, Keep)> {
    let Offer { stay, house, policy, .. } = offer;
    let grace = policy.grace.iter().filter_map(move |grace| end_of_grace(*grace, offer, confirmed_at)).max();
    let tiers = policy.tiers.iter().map(move |tier| {
        let until = match tier.until {
            Before::Hours(hours) => house.hours_before(stay, hours),
            Before::Days(days) => house.days_before(stay, days),
        };
        (until, tier.keep)
    });
    grace.map(|until| (until, Keep::NOTHING_MORE)).into_iter().chain(tiers)
}

/// When this time of grace ends, if the booking has it at all.
fn end_of_grace(grace: Grace, Offer { stay, house, .. }: &Offer, confirmed_at: Timestamp) -> Option<Timestamp> {
    let Grace { hours, days_before, measured_at } = grace;
    let latest = HouseClock::days_before(house, stay, days_before);
    let end = confirmed_at + chrono::TimeDelta::hours(hours.into());
    (confirmed_at <= latest).then_some(match measured_at {
        Measured::Confirmation => end,
        Measured::Cancellation => end.min(latest),
    })
}

fn step(offer: &Offer, until: Option<Timestamp>, keep: Keep) -> RefundStep {
    let moment = Moment { spent: 0, in_stay: until.is_none() };
    let to_guest = split(offer, keep, moment).to_guest;
    RefundStep { until, to_guest, keep }
}
