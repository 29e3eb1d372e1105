//! The end of a worker: no new leases, time for the running ones, and everything else given back at once.

use engine::Engine;
use std::time::{Duration, Instant};

/// How often the drain looks whether the hands are empty.
const LOOK: Duration = Duration::from_millis(10);
/// How often giving back is tried, in case the database is away for a moment.
const TRIES: u32 = 5;

/// Waits until nothing is held and no claim is on its way, at most this long; says how much is still in hand.
///
/// A claim that was asked when the hands were closed cannot be called back: what it brings later would be leased to a process that
/// has let go of everything already.
pub(crate) async fn finish_running(engine: &Engine, limit: Duration) -> usize {
    let began = Instant::now();
    while engine.hands().taken() > 0 && began.elapsed() < limit {
        tokio::time::sleep(LOOK).await;
    }
    engine.hands().holding()
}

/// Gives every lease back.
pub(crate) async fn give_back(engine: &Engine) {
    for _ in 0..TRIES {
        match engine.let_go().await {
            Ok(freed) => {
                tracing::info!(leases = freed, "the worker has let go of everything");
                return;
            }
            Err(error) => {
                tracing::warn!(error = %error, "leases could not be given back yet");
                tokio::time::sleep(LOOK * 20).await;
            }
        }
    }
    tracing::warn!("leases are left behind; others rescue them when the heartbeat is too old");
}
