//! Groups of which nothing need be asked: completions of runs that this process wrote last or claimed work of, and starts of runs that
//! nobody has heard of.
//!
//! Such a group is decided from memory, and written if the database is found as it was remembered; else nothing of it holds, and it is
//! decided anew from what is loaded. All of it or nothing: who asks for one run locks it, and must not wait for others after that.

use crate::decide::Decided;
use crate::event::{Input, What};
use crate::recent::{Kept, Recent};
use crate::storage::{FenceRow, Foreseen, Loaded};
use crate::{Fence, RunId, Verdict};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What a commit takes for granted of rows that it has not loaded, besides that what begins is not there yet, and that what is completed
/// was claimed once and has never failed.
#[derive(Debug)]
pub(crate) struct Granted {
    /// The clocks and the brakes.
    pub(crate) clock: Foreseen,
    /// The head of each run that is remembered.
    pub(crate) heads: HashMap<RunId, Vec<u8>>,
}

/// What is remembered of a group.
pub(crate) struct Recall {
    kept: HashMap<RunId, Box<Kept>>,
    fences: Vec<Fence>,
}

impl Recall {
    /// What is remembered of these inputs; `None` when anything has to be asked.
    pub(crate) fn of(inputs: &[Input], recent: &Recent) -> Option<Self> {
        if !inputs.iter().all(is_foreseeable) {
            return None;
        }
        let mut kept = HashMap::with_capacity(inputs.len());
        for input in inputs.iter().filter(|input| !input.begins()) {
            if let Entry::Vacant(unknown) = kept.entry(input.run) {
                unknown.insert(recent.take(input.run)?);
            }
        }
        Some(Self { kept, fences: inputs.iter().filter_map(|input| input.fence).collect() })
    }

    /// What a load would have brought, and what has to be so for that. `None` when a timer may be due by now.
    pub(crate) fn loaded(self, clock: Foreseen) -> Option<(Loaded, Granted)> {
        let mut loaded = clock.loaded();
        let mut granted = Granted { clock, heads: HashMap::with_capacity(self.kept.len()) };
        loaded.expect(self.kept.len());
        for (run, kept) in self.kept {
            let Kept { row, quiet_until } = *kept;
            if quiet_until <= clock.at_most() {
                return None;
            }
            granted.heads.insert(run, row.head.clone());
            loaded.quiet.insert(run, quiet_until);
            loaded.runs.insert(run, row);
        }
        let first = |fence: Fence| (fence.work, FenceRow { attempt: fence.attempt, last_error: None });
        loaded.fences.extend(self.fences.into_iter().map(first));
        Some((loaded, granted))
    }
}

impl Decided {
    /// Whether all inputs are written: only of what is written the database looks whether it is as it was remembered.
    pub(crate) fn is_all_written(&self) -> bool {
        self.verdicts.iter().all(|verdict| matches!(verdict, Verdict::Moved(_)))
    }
}

/// Whether an input asks nothing but what may be remembered: no event's key, no timer, no work that was tried before.
fn is_foreseeable(input: &Input) -> bool {
    let first = |fence: Fence| fence.attempt == 1;
    match input.what {
        What::Start { .. } => input.fence.is_none(),
        What::Event { .. } => input.fence.is_some_and(first) && input.conflict.is_none(),
        What::Due => false,
    }
}
