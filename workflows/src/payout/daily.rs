//! The daily tick that pays every host what has been earned, in one transaction with the tick: it cannot pay twice.

use std::sync::Arc;

use chrono_tz::Tz;
use domain::{Money, Provider, Timestamp, zone};
use engine::{Fire, Origin, Schedule, TurnError, Tx};
use futures::FutureExt;
use sea_orm::DbErr;
use store::ledger::{Owed, owed_to_hosts};

use super::{Payable, Payout, run_of};

/// Every day at six in the morning.
const DAILY: &str = "0 0 6 * * *";
/// Whose morning.
const ZONE: Tz = Tz::UTC;
/// Less than this, in the currency's smallest unit, waits for the next day: a transfer costs something too.
const LEAST_MINOR: i64 = 100;

/// The schedule of payouts through this provider.
#[must_use]
pub fn daily(provider: Provider) -> Schedule {
    let fire: Fire = Arc::new(move |tx, at| pay_everybody(tx, at, provider).boxed());
    Schedule::parse("payouts", DAILY, ZONE, fire).expect("a test reads this schedule")
}

/// Starts a payout for every host and currency with something left; one of this date that exists already is left alone.
async fn pay_everybody(tx: &Tx, at: Timestamp, provider: Provider) -> Result<(), TurnError> {
    let origin = Origin { actor: Some("schedule:payouts".to_owned()), ..Origin::default() };
    let owed = owed_to_hosts(&**tx).await.map_err(DbErr::from)?;
    for payable in owed.iter().filter_map(|owed| payable(owed, at, provider)) {
        let key = Payable::key(payable.host, payable.amount, payable.date);
        match tx.start::<Payout>(run_of(payable.payout), &key, &payable, &origin).await {
            Ok(_) | Err(TurnError::Duplicate) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a host is paid after what the host owes is taken off; `None` when too little is left.
fn payable(owed: &Owed, at: Timestamp, provider: Provider) -> Option<Payable> {
    let Owed { host, payable, receivable } = *owed;
    let netted = Money::new(receivable.minor.clamp(0, payable.minor.max(0)), payable.currency);
    let amount = payable.checked_sub(netted).ok().filter(|amount| amount.minor >= LEAST_MINOR)?;
    let date = zone::date_at(ZONE, at);
    Some(Payable {
        payout: Payable::id(host, amount, date),
        host,
        amount,
        netted,
        date,
        provider,
        // Until hosts name accounts of their own, each has one at the gateway under the host's id.
        account: format!("acct_{}", host.uuid().simple()),
        made_at: at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{HOST, euros, noon};

    fn paid(payable_minor: i64, receivable: i64) -> Option<(i64, i64)> {
        let owed = Owed { host: HOST, payable: euros(payable_minor), receivable: euros(receivable) };
        payable(&owed, noon(), Provider::Sandbox).map(|payable| (payable.amount.minor, payable.netted.minor))
    }

    #[test]
    fn what_a_host_owes_is_taken_off_what_the_host_is_paid() {
        assert_eq!(paid(20_000, 0), Some((20_000, 0)));
        assert_eq!(paid(20_000, 5_000), Some((15_000, 5_000)));
    }

    #[test]
    fn who_owes_more_than_was_earned_is_not_paid_and_small_change_waits() {
        assert_eq!(paid(20_000, 20_000), None);
        assert_eq!(paid(20_000, 30_000), None);
        assert_eq!(paid(99, 0), None);
        assert_eq!(paid(100, 0), Some((100, 0)));
        assert_eq!(paid(-100, 0), None);
    }

    #[test]
    fn the_schedule_can_be_read() {
        assert_eq!(daily(Provider::Sandbox).name, "payouts");
    }
}
