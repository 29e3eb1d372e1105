//! Keeps the parts of a worker going: a part that ends or panics is started again, and counted.

use crate::metrics::Metrics;
use futures::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Between the end of a part and its new start, so that a part that cannot live does not eat the machine.
const BREATH: Duration = Duration::from_secs(1);

/// The running parts of a worker.
pub(crate) struct Parts {
    tasks: JoinSet<()>,
    metrics: Option<Arc<Metrics>>,
    breath: Duration,
}

impl Parts {
    pub(crate) fn new(metrics: Option<Arc<Metrics>>) -> Self {
        Self { tasks: JoinSet::new(), metrics, breath: BREATH }
    }

    /// Keeps `part` running until `stop`; it is not expected to end by itself.
    pub(crate) fn keep<F>(
        &mut self,
        name: &'static str,
        stop: CancellationToken,
        part: impl Fn() -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (metrics, breath) = (self.metrics.clone(), self.breath);
        self.tasks.spawn(async move {
            let forever = async {
                loop {
                    let end = AssertUnwindSafe(async { part().await }).catch_unwind().await;
                    // It may have heard of the stop before we did: then it has not died.
                    if stop.is_cancelled() {
                        return;
                    }
                    let how = if end.is_err() { "panicked" } else { "ended" };
                    tracing::error!(part = name, how, "a part of the worker has died; it is started again");
                    if let Some(metrics) = &metrics {
                        metrics.restarted(name);
                    }
                    tokio::time::sleep(breath).await;
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = forever => {}
            }
        });
    }

    /// Waits until every part has stopped, at most this long.
    pub(crate) async fn stopped(&mut self, patience: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("a part of the worker did not stop; it is left behind");
            self.tasks.abort_all();
        }
    }
}

/// Complains once when something starts to fail and once when it works again, however often it is tried.
#[derive(Debug)]
pub(crate) struct Complaint {
    what: &'static str,
    failures: u64,
}

impl Complaint {
    pub(crate) const fn about(what: &'static str) -> Self {
        Self { what, failures: 0 }
    }

    /// Passes the outcome of a try on, and says so if it is news.
    pub(crate) fn heed<T, E: std::fmt::Display>(&mut self, outcome: Result<T, E>) -> Option<T> {
        match outcome {
            Ok(value) => {
                if self.failures > 0 {
                    tracing::info!(what = self.what, failures = self.failures, "works again");
                    self.failures = 0;
                }
                Some(value)
            }
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!(what = self.what, error = %error, "fails; it is tried again and again");
                }
                self.failures += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn a_part_that_panics_or_ends_is_started_again_until_it_is_stopped() {
        let (starts, stop) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
        let (counted, enough) = (Arc::clone(&starts), stop.clone());
        let mut parts = Parts { breath: Duration::ZERO, ..Parts::new(None) };
        parts.keep("toy", stop.clone(), move || {
            let (counted, enough) = (Arc::clone(&counted), enough.clone());
            async move {
                match counted.fetch_add(1, Ordering::SeqCst) {
                    0 => panic!("a planted panic"),
                    1 => {}
                    _ => {
                        enough.cancel();
                        std::future::pending::<()>().await;
                    }
                }
            }
        });
        parts.stopped(Duration::from_secs(60)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_part_that_hears_of_the_stop_first_has_not_died() {
        let (registry, stop) = (prometheus::Registry::new(), CancellationToken::new());
        let mut parts = Parts::new(Some(Arc::new(Metrics::new(&registry).unwrap())));
        let heard = stop.clone();
        parts.keep("toy", stop.clone(), move || {
            let heard = heard.clone();
            async move { heard.cancel() }
        });
        parts.stopped(Duration::from_secs(60)).await;
        let restarts = registry.gather().into_iter().find(|family| family.name() == "innkeeper_worker_restarts_total");
        assert!(restarts.is_none_or(|family| family.get_metric().is_empty()), "nobody was started again");
    }
}
