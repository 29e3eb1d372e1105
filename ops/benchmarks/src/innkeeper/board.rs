//! What the callers of our contestant wait for. Nobody is woken who has nothing to do yet: the peers' programs count down as quietly.

use super::wall;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

/// What has happened so far.
#[derive(Default)]
pub(super) struct Board {
    /// Runs whose end is committed, and how many of them somebody waits for.
    ended: AtomicU64,
    awaited: AtomicU64,
    enough: Notify,
    /// When jobs began, by their number; kept only while somebody has asked for it.
    began: Mutex<Option<HashMap<u64, f64>>>,
    /// Who waits for which trip.
    callers: Mutex<HashMap<Uuid, oneshot::Sender<()>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// A run's end is committed.
    pub(super) fn ended(&self) {
        if self.ended.fetch_add(1, Ordering::SeqCst) + 1 == self.awaited.load(Ordering::SeqCst) {
            self.enough.notify_one();
        }
    }

    /// Waits until this many runs have ended since the board was made.
    pub(super) async fn have_ended(&self, count: usize) {
        self.awaited.store(count as u64, Ordering::SeqCst);
        if self.ended.load(Ordering::SeqCst) < count as u64 {
            self.enough.notified().await;
        }
    }

    /// From now on the beginnings of jobs are kept.
    pub(super) fn watch_beginnings(&self) {
        *lock(&self.began) = Some(HashMap::new());
    }

    /// A job begins.
    pub(super) fn began(&self, number: u64) {
        if let Some(began) = lock(&self.began).as_mut() {
            began.insert(number, wall());
        }
    }

    /// The beginnings that are not taken yet, in milliseconds of the wall clock.
    pub(super) fn beginnings(&self) -> HashMap<u64, f64> {
        lock(&self.began).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Tells when this trip is over; to be asked before it begins.
    pub(super) fn end_of(&self, run: Uuid) -> oneshot::Receiver<()> {
        let (over, told) = oneshot::channel();
        lock(&self.callers).insert(run, over);
        told
    }

    /// The last leg of this trip is committed.
    pub(super) fn arrived(&self, run: Uuid) {
        if let Some(caller) = lock(&self.callers).remove(&run) {
            let _ = caller.send(());
        }
    }
}
