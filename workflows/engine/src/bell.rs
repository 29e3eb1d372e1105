//! The doorbell: "there is work". It may be lost at any time; the poll of the database is the floor.

use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;

/// Tells other processes that a queue has work.
pub trait Ring: Send + Sync + 'static {
    /// Must return at once; losing the ring costs latency, never work.
    fn ring(&self, queues: &BTreeSet<&'static str>);
}

/// The bell of this process, with a wire to the others when there is one.
#[derive(Clone, Default)]
pub(crate) struct Bell {
    here: Arc<Notify>,
    elsewhere: Option<Arc<dyn Ring>>,
}

impl Bell {
    pub(crate) fn with(elsewhere: Option<Arc<dyn Ring>>) -> Self {
        Self { here: Arc::default(), elsewhere }
    }

    /// Rings here and elsewhere.
    pub(crate) fn ring(&self, queues: &BTreeSet<&'static str>) {
        if queues.is_empty() {
            return;
        }
        self.here.notify_one();
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.ring(queues);
        }
    }

    pub(crate) fn ring_here(&self) {
        self.here.notify_one();
    }

    pub(crate) async fn rung(&self) {
        self.here.notified().await;
    }
}
