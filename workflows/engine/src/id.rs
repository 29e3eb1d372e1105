//! Identity in the engine: everything that a turn creates is named by where it came from, so a turn that is run again names it alike.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// One run of a workflow, from its first turn to long after its last.
///
/// A business object that *is* a process lends the run its own id (a booking's run has the booking's id); everything else derives
/// one from the workflow's name and the run's unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// Takes the id of the business object that the run stands for.
    #[must_use]
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// Derives the id of the one run of `workflow` with this unique key.
    ///
    /// `near` lends its leading 48 bits, the milliseconds of a UUIDv7, so that children are stored beside their parents.
    #[must_use]
    pub fn derive(workflow: &str, key: &str, near: RunId) -> Self {
        let digest = Sha256::new().chain_update(workflow).chain_update([0]).chain_update(key).finalize();
        let mut bytes = *near.0.as_bytes();
        bytes[6..].copy_from_slice(&digest[..10]);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(Uuid::from_bytes(bytes))
    }

    /// The bare UUID, for a column or a foreign key.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run_{}", self.0.simple())
    }
}

impl std::str::FromStr for RunId {
    type Err = uuid::Error;

    /// Accepts `run_…` and a bare UUID: operators paste both.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text.strip_prefix("run_").unwrap_or(text)).map(Self)
    }
}

/// One piece of work that a turn left behind: the run, the turn's number in it, and the place within that turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkId {
    /// The run whose turn queued the work.
    pub run: RunId,
    /// The number of that turn.
    pub seq: i32,
    /// The place within that turn.
    pub n: i32,
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.run.0.simple(), self.seq, self.n)
    }
}

impl std::str::FromStr for WorkId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(':');
        let (Some(run), Some(seq), Some(n), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(format!("work is named run:seq:n, not {text:?}"));
        };
        let bad = |what: &str| format!("{what} of work {text:?} cannot be read");
        Ok(Self {
            run: run.parse().map_err(|_| bad("the run"))?,
            seq: seq.parse().map_err(|_| bad("the turn"))?,
            n: n.parse().map_err(|_| bad("the place"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_is_the_same_run_and_stays_beside_its_parent() {
        let parent = RunId::from_uuid(Uuid::from_u128(0x0192_3456_789a_7bcd_8123_4567_89ab_cdef));
        let child = RunId::derive("mail", "welcome", parent);
        assert_eq!(child, RunId::derive("mail", "welcome", parent));
        assert_ne!(child, RunId::derive("mail", "farewell", parent));
        assert_ne!(child, RunId::derive("photo", "welcome", parent));
        assert_eq!(child.uuid().get_version_num(), 7);
        assert_eq!(child.uuid().as_bytes()[..6], parent.uuid().as_bytes()[..6]);
    }

    #[test]
    fn a_work_name_reads_back() {
        let work = WorkId { run: RunId::from_uuid(Uuid::from_u128(7)), seq: 3, n: 1 };
        assert_eq!(work.to_string().parse(), Ok(work));
        assert!("a:b".parse::<WorkId>().is_err());
    }
}
