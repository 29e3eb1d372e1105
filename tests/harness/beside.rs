//! A process that runs beside a test in a runtime of its own, and is killed at whatever it waits for.
//!
//! For what needs no binary: all that it holds goes at once, in no order, and nothing of its own gets to say goodbye.

use std::future::Future;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

use crate::TestDatabase;

/// What was started and not yet killed.
pub struct Beside(Runtime);

impl Beside {
    /// Starts it, with connections of its own: one that it opened in the test's pool would die with it, and the test find it there.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start<F: Future<Output: Send> + Send>(
        db: &TestDatabase,
        body: impl FnOnce(TestDatabase) -> F + Send + 'static,
    ) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let theirs = db.clone();
        runtime.spawn(async move {
            let theirs = theirs.with_its_own_connections().await.expect("another process can connect");
            body(theirs).await;
        });
        Ok(Self(runtime))
    }

    /// Ends it where it stands.
    pub fn kill(self) {
        self.0.shutdown_background();
    }
}
