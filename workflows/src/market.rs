//! The `[market]` section of the configuration: what the platform takes, and how long everything may take.

use domain::{BasisPoints, BasisPointsError};
use serde::{Deserialize, Serialize};
use store::properties::PlatformShares;

use crate::timers::{Timers, TimersError};

/// The platform's terms. A change touches no quote and no booking that is made already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// On top of the host's price, paid by the guest, in hundredths of a percent.
    pub guest_fee_bp: u16,
    /// Off the host's price, in hundredths of a percent.
    pub host_fee_bp: u16,
    /// On top of the host's price, for the tax office, in hundredths of a percent.
    pub tax_bp: u16,
    /// The waiting times.
    pub timers: Timers,
}

/// Terms that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A share is more than the whole.
    #[error("market: a share is more than the whole")]
    Share(#[from] BasisPointsError),
    /// The waiting times contradict each other.
    #[error(transparent)]
    Timers(#[from] TimersError),
}

/// Terms that were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Market {
    /// What the platform adds to a host's rates.
    pub shares: PlatformShares,
    /// The waiting times.
    pub timers: Timers,
}

impl Default for Settings {
    fn default() -> Self {
        Self { guest_fee_bp: 1_200, host_fee_bp: 300, tax_bp: 700, timers: Timers::default() }
    }
}

impl TryFrom<Settings> for Market {
    type Error = SettingsError;

    fn try_from(settings: Settings) -> Result<Self, SettingsError> {
        let Settings { guest_fee_bp, host_fee_bp, tax_bp, timers } = settings;
        timers.check()?;
        let share = BasisPoints::try_new;
        let shares =
            PlatformShares { guest_fee: share(guest_fee_bp)?, host_fee: share(host_fee_bp)?, tax: share(tax_bp)? };
        Ok(Self { shares, timers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_terms_that_can_be() {
        let market = Market::try_from(Settings::default()).unwrap();
        assert_eq!(market.shares.host_fee.get(), 300);
    }

    #[test]
    fn nobody_takes_more_than_everything() {
        let greedy = Settings { host_fee_bp: 10_001, ..Settings::default() };
        assert!(matches!(Market::try_from(greedy), Err(SettingsError::Share(_))));
    }
}
