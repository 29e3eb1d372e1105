//! Planted faults and crash points, compiled in only under the feature `faults` and chosen at run time by `INNKEEPER_FAULTS`.
//!
//! A harness that has never been seen to fail proves nothing, and one that never passes a place proves nothing about it. So:
//! - `no_fencing` plants a known bug of [`PLANTED`];
//! - `crash:after_commit:50` makes every fiftieth passage of a crash point of [`POINTS`] abort the process;
//! - `mishap:outcome_turn:40` makes every fortieth try at something of [`MISHAPS`] fail, as a bug of a release would;
//! - `passages:FILE` counts how often each point was passed.
//!
//! Without the feature every function here is empty.

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
    "ack_before_work",
    "call_within_transaction",
    "no_signature_check",
];

/// The places where a process may be killed: on both sides of every commit, of every call to the outside and of every hand-over
/// between the two.
pub const POINTS: &[&str] = &[
    // The writer, from its BEGIN to the answers of its callers.
    "writer_before_begin",
    "writer_after_begin",
    "writer_applied",
    "writer_before_answer",
    // A caller's own transaction, from its BEGIN to its last turn.
    "caller_before_begin",
    "caller_after_begin",
    "caller_after_turn",
    // Every commit of either.
    "before_commit",
    "after_commit",
    "before_bell",
    "after_bell",
    // A lease, from its claim to its end.
    "before_claim",
    "after_claim",
    "before_perform",
    "after_perform",
    "before_submit",
    "after_submit",
    "before_put_back",
    "after_put_back",
    "before_save_outcome",
    "after_save_outcome",
    "before_park",
    "after_park",
    // What looks after the work.
    "after_beat",
    "after_rescue",
    "before_let_go",
    "after_let_go",
    "before_stamp",
    "after_stamp",
    "after_seal",
    "before_tick",
    "after_tick",
    "before_archive_commit",
    // The product's own boundaries.
    "booking_claimed",
    "booking_started",
    "booking_committed",
    "webhook_believed",
    "webhook_accepted",
    "webhook_committed",
    "inbox_looked",
    "photo_developed",
    "photo_file_kept",
    "letter_written",
    "letter_sent",
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
    debug_assert!(POINTS.contains(&name), "{name} is not in the list of crash points");
    let faults = chosen::faults();
    faults.count(name);
    if faults.crashes.get(name).is_some_and(chosen::Every::is_it) {
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
    use std::fs::File;
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::sync::{Mutex, OnceLock, PoisonError};

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
        passages: Option<Mutex<Passages>>,
    }

    /// How often each point was passed, in a file that outlives the process: a line whenever the number of a point has doubled.
    struct Passages {
        file: File,
        counts: HashMap<&'static str, u64>,
    }

    impl Faults {
        pub(super) fn count(&self, point: &'static str) {
            let Some(passages) = &self.passages else { return };
            let mut passages = passages.lock().unwrap_or_else(PoisonError::into_inner);
            let count = passages.counts.entry(point).or_default();
            *count += 1;
            if count.is_power_of_two() {
                // One line is one write, and whoever counts can do without one of them.
                let line = format!("{} {point} {count}\n", std::process::id());
                let _ = passages.file.write_all(line.as_bytes());
            }
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
                ("passages", _) => {
                    let file = File::options().create(true).append(true).open(rest).ok();
                    faults.passages = file.map(|file| Mutex::new(Passages { file, counts: HashMap::new() }));
                }
                _ => {
                    faults.planted.insert(word.to_owned());
                }
            }
        }
        faults
    }
}
