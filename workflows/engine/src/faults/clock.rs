//! A machine whose clock is wrong, or jumps while its processes run: `clock:FILE` names a file with the seconds that it is ahead.

use chrono::TimeDelta;

/// How far the clock of this machine is ahead of the right time, by the file as it is now.
#[cfg(feature = "faults")]
#[must_use]
pub fn astray() -> TimeDelta {
    let file = super::chosen::faults().clock.as_ref();
    let seconds = file.and_then(|file| std::fs::read_to_string(file).ok()).and_then(|text| text.trim().parse().ok());
    TimeDelta::try_seconds(seconds.unwrap_or(0)).unwrap_or_default()
}

/// How far the clock of this machine is ahead of the right time: who knows, in a build without faults.
#[cfg(not(feature = "faults"))]
#[must_use]
pub const fn astray() -> TimeDelta {
    TimeDelta::zero()
}
