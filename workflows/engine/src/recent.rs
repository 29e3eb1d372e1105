//! The runs that this process wrote last, or claimed work of, and that will soon come back to it: their work is in its hands.
//!
//! Nothing here is ever believed: a commit that makes use of it has the database look whether each run still has the head that is
//! remembered. So nobody has to be told when somebody else moves a run, and what is lost here is only time.

use crate::turn::RunRow;
use crate::{RunId, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many bytes of runs are a generation; two of them are remembered.
const GENERATION: usize = 4 << 20;

/// A run as a commit left it, or a claim saw it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) row: RunRow,
    /// None of its timers is due before then, as long as its head is this one.
    pub(crate) quiet_until: Timestamp,
}

impl Kept {
    /// Bytes, give or take its names.
    fn size(&self) -> usize {
        size_of::<Self>() + self.row.input.len() + self.row.state.len() + self.row.key.len() + self.row.head.len()
    }
}

/// The memory of one process.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<RunId, Box<Kept>>,
    old: HashMap<RunId, Box<Kept>>,
    /// Bytes that have come into the young one.
    came: usize,
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers runs whose commit is through, or whose work was claimed.
    pub(crate) fn keep(&self, runs: impl IntoIterator<Item = impl Into<Box<Kept>>>) {
        let mut it = self.lock();
        for run in runs {
            let run: Box<Kept> = run.into();
            it.came += run.size();
            it.old.remove(&run.row.id);
            it.young.insert(run.row.id, run);
            if it.came > GENERATION {
                (it.old, it.came) = (std::mem::take(&mut it.young), 0);
            }
        }
    }

    /// What is remembered of a run. It is forgotten by that: what is written is remembered anew, and anything else is not so any more.
    pub(crate) fn take(&self, run: RunId) -> Option<Box<Kept>> {
        let mut it = self.lock();
        it.young.remove(&run).or_else(|| it.old.remove(&run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn run(n: u128, input: usize) -> Kept {
        let row = RunRow {
            id: RunId::from_uuid(Uuid::from_u128(n)),
            workflow: "stall".to_owned(),
            key: n.to_string(),
            parent: None,
            input: "x".repeat(input),
            state: "\"Open\"".to_owned(),
            state_name: "Open".to_owned(),
            shape: 1,
            seq: 0,
            finished: false,
            unexpected: 0,
            head: vec![7; 32],
            begun: Timestamp::UNIX_EPOCH,
        };
        Kept { row, quiet_until: Timestamp::MAX_UTC }
    }

    #[test]
    fn what_is_remembered_is_given_out_once_and_has_an_end() {
        let (recent, big) = (Recent::default(), GENERATION / 2 + 1);
        recent.keep([run(1, 10), run(2, 10)]);
        assert_eq!(recent.take(run(1, 0).row.id).map(|kept| kept.row.input.len()), Some(10));
        assert!(recent.take(run(1, 0).row.id).is_none(), "it is given out twice");
        recent.keep([run(3, big), run(4, big)]);
        assert!(recent.take(run(2, 0).row.id).is_some(), "the generation before is remembered");
        recent.keep((5..=8).map(|n| run(n, big)));
        assert!((3..=4).all(|n| recent.take(run(n, 0).row.id).is_none()), "memory grows without end");
        let held: usize = (5..=8).filter_map(|n| recent.take(run(n, 0).row.id)).map(|kept| kept.size()).sum();
        assert!((GENERATION..3 * GENERATION).contains(&held), "{held}");
    }
}
