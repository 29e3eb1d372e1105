//! Carrying leases out: an apalis worker per queue under one monitor, each with the queue's room as its concurrency.
//!
//! No retries, no time limits, no delays of apalis: the engine has them, in the database. A worker that dies is replaced at once; the
//! leases that it dropped are reclaimed. What is busy without awaiting (images) belongs on a blocking thread, which is
//! the performer's business; the queue's room bounds it.

use crate::backend::Lines;
use crate::backlog::Backlog;
use crate::bundle::{Bundle, bundles};
use crate::metrics::Metrics;
use crate::watchdog::Watch;
use apalis::prelude::{Data, Monitor, ParallelizeExt, WorkerBuilder, WorkerBuilderExt};
use engine::{Engine, Lease};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// The most leases that are distributed in one go.
const AT_ONCE: usize = 1024;

/// What every execution needs.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) metrics: Option<Arc<Metrics>>,
}

/// Carries leases out side by side, each watched for code that does not yield.
async fn carry_out(bundle: Bundle, bench: Data<Bench>) {
    let one = async |lease: Lease| {
        let queue = lease.queue().to_owned();
        let who = lease.fence();
        bench.watch.over(who, pin!(bench.engine.execute(lease))).await;
        bench.backlog.finished(&queue, bench.engine.hands().free(&queue));
    };
    bundle.into_iter().map(one).collect::<FuturesUnordered<_>>().collect::<()>().await;
}

/// Sends every lease to its queue's worker, for ever.
pub(crate) async fn distribute(engine: Engine, lines: Arc<Lines<Bundle>>) {
    let threads = Handle::current().metrics().num_workers();
    let mut waiting = vec![];
    while engine.hands().next_few(&mut waiting, AT_ONCE).await > 0 {
        bundles(waiting.drain(..), threads).into_iter().for_each(|bundle| lines.deliver(bundle));
    }
}

/// Runs the workers until `stop`; comes back earlier only if all of them are beyond help.
pub(crate) async fn execute(bench: Bench, lines: Arc<Lines<Bundle>>, stop: impl Future<Output = ()> + Send) {
    let boot = rand::random::<u32>();
    let counts = bench.metrics.clone();
    let queues: Vec<_> = bench.engine.hands().queues().collect();
    let monitor = queues.into_iter().fold(Monitor::new(), |monitor, (queue, room)| {
        let (bench, lines) = (bench.clone(), Arc::clone(&lines));
        monitor.register(move |restarts| {
            let backend = lines.backend(queue).expect("every queue has a line");
            WorkerBuilder::new(format!("{queue}-{boot:08x}-{restarts}"))
                .backend(backend)
                .concurrency(room.max(1))
                .data(bench.clone())
                .enable_tracing()
                .catch_panic()
                .parallelize(tokio::spawn)
                .build(carry_out)
        })
    });
    let stopped = async {
        stop.await;
        Ok(())
    };
    let end = monitor
        .should_restart(move |worker, error| {
            tracing::error!(worker = worker.name(), error = %error, "an executing worker has died; it is replaced");
            if let Some(metrics) = &counts {
                metrics.restarted("queue");
            }
            true
        })
        .shutdown_timeout(Duration::from_secs(1))
        .run_with_signal(stopped)
        .await;
    if let Err(error) = end {
        tracing::error!(error = %error, "the executing workers ended badly");
    }
}
