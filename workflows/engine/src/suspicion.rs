//! Work that has seen several processes die, and who of it killed them.
//!
//! A process that dies takes everything along that it had in hand, and a death is held against all of that: alone it tells nobody who
//! brought it about. So whoever has seen some deaths is a suspect, and a process tries few of them at a time and gives the others back. With
//! each death more, half as many: what was in hand with a culprit is halved by every death that it brings about, and what was not is soon
//! done. Who has seen eight is tried alone. A death counts no more for a suspect than for anybody: to hold one in its first two
//! seconds against it sevenfold found culprits after six deaths, and put slow work aside where processes were killed from outside
//! (REL-01, REL-31).

use crate::engine::Engine;
use crate::hands::Lease;
use crate::storage::lease as leases;
use crate::tx::TurnError;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::Semaphore;

/// From so many deaths on, work is a suspect.
const SUSPECT: i32 = 3;
/// Suspects that a process tries at a time, as long as they have seen no death more than that. A power of two.
const AT_ONCE: u32 = 32;
/// Who finds others at its turn comes again within so long for each death it has seen, maybe to another process: what has seen
/// few goes first.
const LATER: Duration = Duration::from_millis(500);
/// Those who were claimed along with a suspect have so long to leave.
const A_MOMENT: Duration = Duration::from_millis(100);
/// How long suspects are watched apart: what kills its process does so soon, or it is seen not to yield.
const APART: Duration = Duration::from_secs(2);

impl Lease {
    /// Whether it may be this work that its holders died of.
    pub(crate) fn is_suspect(&self) -> bool {
        self.is_effect() && self.row.deaths >= SUSPECT
    }

    /// Its share of a process's [`Suspects`]: all of it from the eighth death on.
    fn suspicion(&self) -> u32 {
        let more = (self.row.deaths - SUSPECT).clamp(0, AT_ONCE.ilog2().cast_signed());
        1 << more
    }
}

/// The suspects that a process tries.
#[derive(Debug)]
pub(crate) struct Suspects(Semaphore);

impl Default for Suspects {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE as usize))
    }
}

impl Engine {
    /// Carries a suspect out, apart from most others for its first moments.
    pub(crate) async fn carry_out_apart(&self, lease: &Lease) -> Result<(), TurnError> {
        let Ok(apart) = self.core.hands.suspects.0.try_acquire_many(lease.suspicion()) else {
            let later = lease.now() + (LATER * lease.row.deaths.unsigned_abs()).mul_f32(rand::random());
            return leases::defer(&self.core.db.write, lease.fence(), later).await.map(drop).map_err(Into::into);
        };
        tokio::time::sleep(A_MOMENT).await;
        let mut work = pin!(self.carry_out(lease));
        let done = tokio::time::timeout(APART, work.as_mut()).await;
        drop(apart);
        match done {
            Ok(done) => done,
            Err(_) => work.await,
        }
    }
}
