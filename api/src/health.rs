//! Whether this process lives, and whether it should be sent work.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The process's own view of its health; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<State>);

#[derive(Debug, Default)]
struct State {
    draining: AtomicBool,
    degraded: Mutex<BTreeSet<&'static str>>,
}

impl Health {
    /// From now on the process is not ready: balancers stop sending work, running requests end in peace.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Reports a part we can do without for a while (Redis, mail): it is named by `/readyz`, which stays 200.
    pub fn degraded(&self, part: &'static str) {
        self.parts().insert(part);
    }

    /// Reports that the part works again.
    pub fn recovered(&self, part: &'static str) {
        self.parts().remove(part);
    }

    /// The parts we do without at present.
    pub fn missing(&self) -> Vec<&'static str> {
        self.parts().iter().copied().collect()
    }

    fn parts(&self) -> std::sync::MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.degraded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
