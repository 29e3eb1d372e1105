//! Planted faults and crash points, compiled in only under the feature `faults` and chosen at run time by `INNKEEPER_FAULTS`.
//!
//! A harness that has never been seen to fail proves nothing, and one that never passes a place proves nothing about it. So:
//! - `no_fencing` plants a known bug of [`PLANTED`];
//! - `crash:after_commit:50` makes every fiftieth passage of a crash point of [`POINTS`] abort the process;
//! - `mishap:outcome_turn:40` makes every fortieth try at something of [`MISHAPS`] fail, as a bug of a release would;
//! - `deaths:FOLDER` makes whoever passes a crash point first die there, if a file of its name lies in the folder, and takes the file away;
//! - `clock:FILE` sets this machine's clock wrong ([`astray`]), and `poison` makes some work harmful ([`Poison`]).
//!
//! Without the feature every function here is empty.

mod clock;
mod points;
mod poison;

pub use clock::astray;
pub use points::{POINTS, Point};
pub use poison::{Poison, taste};

/// The bugs that can be planted, and the guards that can be taken out. `tests/it/killed` and `./ops/simulate mutations` must see each.
pub const PLANTED: &[&str] = &[
    // A night is looked at and then taken, without its key; or the key says no and nobody heeds it.
    "no_night_key",
    "key_violation_ignored",
    // Every try at a call is a new call to whoever is called.
    "new_key_per_attempt",
    // Work is struck off before it is done; or exists in memory only, beside what was committed; or is done before the commit.
    "ack_before_work",
    "no_outbox",
    "effect_before_commit",
    // Whoever signs is believed.
    "no_signature_check",
    // A completion is taken whoever holds the work by now.
    "no_fencing",
    // A transaction stays open across a call to the outside.
    "call_within_transaction",
    // Nobody frees the leases of the dead; or those of the living are freed.
    "sweeper_off",
    "no_lease_check",
    // Nobody counts the deaths of those who hold a piece of work; or every claim that left no failure behind counts as one.
    "no_death_count",
    "claims_are_deaths",
    // What a process remembers of a run is believed.
    "no_recall_check",
    // Two claims take the same work; one event is taken in twice.
    "no_skip_locked",
    "no_event_key",
    // Nobody counts who is under way in a lane, or how fast a party is called; or what is held back is claimed all the same.
    "no_lane_limit",
    "no_rate_limit",
    "no_brakes",
];

/// What may be made to fail now and then.
pub const MISHAPS: &[&str] = &["outcome_turn"];

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
pub fn point(name: &'static str) {
    debug_assert!(POINTS.iter().any(|point| point.name == name), "{name} is not in the list of crash points");
    let faults = chosen::faults();
    if faults.crashes.get(name).is_some_and(chosen::Every::is_it) || faults.is_sentenced(name) {
        std::process::abort();
    }
}

/// A place where the process may be killed: not in this build.
#[cfg(not(feature = "faults"))]
pub const fn point(_name: &'static str) {}

/// Whether this goes wrong this time.
#[cfg(feature = "faults")]
#[must_use]
pub fn mishap(name: &str) -> bool {
    debug_assert!(MISHAPS.contains(&name), "{name} is not in the list of mishaps");
    chosen::faults().mishaps.get(name).is_some_and(chosen::Every::is_it)
}

/// Whether this goes wrong this time: never, in a build without faults.
#[cfg(not(feature = "faults"))]
#[must_use]
pub const fn mishap(_name: &str) -> bool {
    false
}

#[cfg(feature = "faults")]
mod chosen {
    use std::cell::Cell;
    use std::collections::{HashMap, HashSet};
    use std::fs;
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// One time in so many.
    #[derive(Default)]
    pub(super) struct Every {
        most: u64,
        passed: AtomicU64,
    }

    impl Every {
        fn parse(most: &str) -> Self {
            Self { most: most.parse().unwrap_or(1).max(1), ..Self::default() }
        }

        pub(super) fn is_it(&self) -> bool {
            (self.passed.fetch_add(1, Relaxed) + 1).is_multiple_of(self.most)
        }
    }

    #[derive(Default)]
    pub(super) struct Faults {
        pub(super) planted: HashSet<String>,
        pub(super) crashes: HashMap<String, Every>,
        pub(super) mishaps: HashMap<String, Every>,
        deaths: Option<PathBuf>,
        pub(super) clock: Option<PathBuf>,
        pub(super) poison: bool,
    }

    impl Faults {
        /// Whether somebody wants one process to die here; two that pass at once are not both taken.
        pub(super) fn is_sentenced(&self, point: &str) -> bool {
            self.deaths.as_ref().is_some_and(|folder| fs::remove_file(folder.join(point)).is_ok())
        }
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
            let (what, rest) = word.split_once(':').unwrap_or((word, ""));
            match (what, rest.split_once(':')) {
                ("crash", Some((point, every))) => {
                    faults.crashes.insert(point.to_owned(), Every::parse(every));
                }
                ("mishap", Some((name, every))) => {
                    faults.mishaps.insert(name.to_owned(), Every::parse(every));
                }
                ("deaths", _) => faults.deaths = Some(rest.into()),
                ("clock", _) => faults.clock = Some(rest.into()),
                ("poison", _) => faults.poison = true,
                _ => {
                    faults.planted.insert(word.to_owned());
                }
            }
        }
        faults
    }
}
