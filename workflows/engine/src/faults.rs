//! Planted faults and crash points, compiled in only under the feature `faults` and chosen at run time by `INNKEEPER_FAULTS`.
//!
//! A harness that has never been seen to fail proves nothing: `INNKEEPER_FAULTS=no_fencing,crash:after_commit:50` plants a known bug
//! and makes every fiftieth passage of a crash point abort the process. Without the feature both functions are empty.

/// The planted bugs that the harness must catch.
pub const PLANTED: &[&str] = &[
    "no_fencing",
    "new_key_per_attempt",
    "key_violation_ignored",
    "sweeper_off",
    "effect_before_commit",
    "no_night_key",
    "no_skip_locked",
    "no_event_key",
    "no_lease_check",
];

/// Whether this bug is planted.
#[cfg(feature = "faults")]
#[must_use]
pub fn planted(bug: &str) -> bool {
    debug_assert!(PLANTED.contains(&bug), "{bug} is not in the list of planted bugs");
    chosen::here() == Some(bug) || chosen::faults().planted.contains(bug)
}

/// Does something in this thread with this bug planted: for tests that see one bug after the other.
#[cfg(feature = "faults")]
pub fn with_planted<T>(bug: &'static str, then: impl FnOnce() -> T) -> T {
    chosen::HERE.set(Some(bug));
    let done = then();
    chosen::HERE.set(None);
    done
}

/// Whether this bug is planted: never, in a build without faults.
#[cfg(not(feature = "faults"))]
#[must_use]
pub const fn planted(_bug: &str) -> bool {
    false
}

/// A place where the process may be killed.
#[cfg(feature = "faults")]
pub fn point(name: &str) {
    if let Some((every, passed)) = chosen::faults().crashes.get(name) {
        let passage = passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        if passage % every == 0 {
            std::process::abort();
        }
    }
}

/// A place where the process may be killed: not in this build.
#[cfg(not(feature = "faults"))]
pub const fn point(_name: &str) {}

#[cfg(feature = "faults")]
mod chosen {
    use std::cell::Cell;
    use std::collections::{HashMap, HashSet};
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU64;

    #[derive(Default)]
    pub(super) struct Faults {
        pub(super) planted: HashSet<String>,
        pub(super) crashes: HashMap<String, (u64, AtomicU64)>,
    }

    thread_local! {
        pub(super) static HERE: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    pub(super) fn here() -> Option<&'static str> {
        HERE.get()
    }

    pub(super) fn faults() -> &'static Faults {
        static FAULTS: OnceLock<Faults> = OnceLock::new();
        FAULTS.get_or_init(|| parse(&std::env::var("INNKEEPER_FAULTS").unwrap_or_default()))
    }

    fn parse(text: &str) -> Faults {
        let mut faults = Faults::default();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match word.strip_prefix("crash:").and_then(|rest| rest.split_once(':')) {
                Some((point, every)) => {
                    let every = every.parse().unwrap_or(1).max(1);
                    faults.crashes.insert(point.to_owned(), (every, AtomicU64::new(0)));
                }
                None => {
                    faults.planted.insert(word.to_owned());
                }
            }
        }
        faults
    }
}
