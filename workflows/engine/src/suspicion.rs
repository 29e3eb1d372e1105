//! Work that has seen several processes die, and who of it killed them.
//!
//! A process that dies takes everything along that it had in hand, and a death is held against all of that: alone it tells nobody who
//! brought it about. So whoever has seen some deaths is a suspect, and a process tries one at a time and gives the others back: what was
//! only in hand with the culprit is soon done. A death counts no more for a suspect than for anybody: to hold one in its first two
//! seconds against it sevenfold found culprits after six deaths, and put slow work aside where processes were killed from outside
//! (REL-01, REL-31).

use crate::engine::Engine;
use crate::hands::Lease;
use crate::storage::lease as leases;
use crate::tx::TurnError;
use std::pin::pin;
use std::time::Duration;

/// From so many deaths on, work is a suspect.
const SUSPECT: i32 = 3;
/// Who finds another suspect at its turn comes again within so long for each death it has seen, maybe to another process: what has seen
/// few goes first.
const LATER: Duration = Duration::from_millis(500);
/// Those who were claimed along with a suspect have so long to leave.
const A_MOMENT: Duration = Duration::from_millis(100);
/// How long a suspect is watched alone: what kills its process does so soon, or it is seen not to yield.
const ALONE: Duration = Duration::from_secs(2);

impl Lease {
    /// Whether it may be this work that its holders died of.
    pub(crate) fn is_suspect(&self) -> bool {
        self.is_effect() && self.row.deaths >= SUSPECT
    }
}

impl Engine {
    /// Carries a suspect out, alone for its first moments.
    pub(crate) async fn carry_out_alone(&self, lease: &Lease) -> Result<(), TurnError> {
        let Ok(alone) = self.core.hands.suspects.try_lock() else {
            let later = lease.now() + (LATER * lease.row.deaths.unsigned_abs()).mul_f32(rand::random());
            return leases::defer(&self.core.db.write, lease.fence(), later).await.map(drop).map_err(Into::into);
        };
        tokio::time::sleep(A_MOMENT).await;
        let mut work = pin!(self.carry_out(lease));
        let done = tokio::time::timeout(ALONE, work.as_mut()).await;
        drop(alone);
        match done {
            Ok(done) => done,
            Err(_) => work.await,
        }
    }
}
