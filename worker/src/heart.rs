//! The heartbeat: a thread with a runtime and a connection of its own, so that a busy process is not taken for a dead one.

use crate::keep::Complaint;
use engine::{Engine, Fence};
use std::sync::{Arc, Mutex, PoisonError, mpsc as plain};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
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

/// Work that the process is about to die of, and whom to tell that it is written down.
type Confession = (Vec<Fence>, plain::Sender<()>);

/// A way to the heart for a thread that finds the rest of the process stuck.
#[derive(Clone)]
pub(crate) struct Confidant(mpsc::UnboundedSender<Confession>);

impl Confidant {
    /// Has it written down what the process is about to die of; whether it was, within the patience of a beat or two.
    pub(crate) fn confess(&self, works: Vec<Fence>) -> bool {
        let (written, heard) = plain::channel();
        self.0.send((works, written)).is_ok() && heard.recv_timeout(2 * PATIENCE).is_ok()
    }
}

/// A beating heart.
pub(crate) struct Heart {
    confidant: Confidant,
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
        let (confessed, confessions) = mpsc::unbounded_channel();
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
                    () = write_down(&engine, confessions) => {}
                }
                // A connection that was in use goes back to its pool in a task of this runtime.
                for _ in 0..16 {
                    tokio::task::yield_now().await;
                }
            });
        })?;
        Ok(Self { confidant: Confidant(confessed), stop: Some(stop), gone, first: Some(first) })
    }

    /// Whom to tell what the process is about to die of.
    pub(crate) fn confidant(&self) -> Confidant {
        self.confidant.clone()
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

/// Writes down what is confessed. As long as there is a heart, somebody may.
async fn write_down(engine: &Engine, mut confessions: mpsc::UnboundedReceiver<Confession>) {
    while let Some((works, written)) = confessions.recv().await {
        match tokio::time::timeout(PATIENCE, engine.blame(&works)).await {
            Ok(Ok(())) => drop(written.send(())),
            Ok(Err(error)) => tracing::warn!(error = %error, "what the process dies of could not be written down"),
            Err(_) => tracing::warn!("what the process dies of could not be written down within {PATIENCE:?}"),
        }
    }
    std::future::pending::<()>().await;
}
