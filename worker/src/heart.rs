//! The heartbeat: a thread with a runtime and a connection of its own, so that a busy process is not taken for a dead one.

use crate::keep::Complaint;
use engine::Engine;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// A beat that takes longer has failed; the next one may do better.
const PATIENCE: Duration = Duration::from_secs(3);

/// When the heart last beat.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastBeat(Arc<Mutex<Option<Instant>>>);

impl LastBeat {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How old the last beat is; `None` before the first.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }
}

/// A beating heart.
pub(crate) struct Heart {
    stop: Option<oneshot::Sender<()>>,
    gone: CancellationToken,
    first: Option<oneshot::Receiver<()>>,
}

impl Heart {
    /// Starts beating.
    pub(crate) fn start(engine: Engine, every: Duration, last: LastBeat) -> std::io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let gone = CancellationToken::new();
        let going = gone.clone().drop_guard();
        let (beaten, first) = oneshot::channel();
        thread::Builder::new().name("heart".to_owned()).spawn(move || {
            // Dropped at the thread's end, however it comes.
            let _going = going;
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(error = %error, "the heart has no runtime"),
            };
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = beat(&engine, every, &last, beaten) => {}
                }
                // A connection that was in use goes back to its pool in a task of this runtime.
                for _ in 0..16 {
                    tokio::task::yield_now().await;
                }
            });
        })?;
        Ok(Self { stop: Some(stop), gone, first: Some(first) })
    }

    /// Waits for the first beat, at most this long: before it, others may take our leases for a dead process's.
    pub(crate) async fn first_beat(&mut self, patience: Duration) {
        if let Some(first) = self.first.take() {
            let _ = tokio::time::timeout(patience, first).await;
        }
    }

    /// Comes back when the heart has died by itself.
    pub(crate) async fn died(&self) {
        self.gone.cancelled().await;
    }

    /// Stops it and waits until it has stopped.
    pub(crate) async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = tokio::time::timeout(PATIENCE, self.died()).await;
    }
}

async fn beat(engine: &Engine, every: Duration, last: &LastBeat, first: oneshot::Sender<()>) {
    let mut complaint = Complaint::about("the heartbeat");
    let mut first = Some(first);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let beaten = match tokio::time::timeout(PATIENCE, engine.beat()).await {
            Ok(beaten) => beaten.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        };
        if complaint.heed(beaten).is_some() {
            last.now();
            if let Some(first) = first.take() {
                let _ = first.send(());
            }
        }
    }
}
