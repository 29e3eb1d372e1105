//! Bells between processes: "this queue has work", published on Redis after the commit that queued it.
//!
//! Publish and subscribe, not a list or a stream, on purpose. Every worker has to hear, whoever else does (a list wakes one, which
//! may have no room). A ring is worth nothing a moment later, because the poll has found the work by then: so there is nothing to
//! store, to trim, to replay or to lose when Redis is emptied or fails over. What a listener misses while it is away, it finds by
//! claiming once when it is back.

use crate::pause::Pause;
use crate::wire::{CONNECTING, Wire};
use engine::{Engine, Ring, faults};
use futures::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How long one ring may take; later it would be of no use.
const RINGING: Duration = Duration::from_secs(2);
/// After this much silence a listener asks whether the connection still lives: a half-open one is silent for ever.
const SILENCE: Duration = Duration::from_secs(5);

/// Rings the bells of other processes. Rings that come while one is under way travel together in the next.
pub struct RedisBell {
    pending: Arc<Pending>,
    carrier: JoinHandle<()>,
}

/// At most every queue's name once: bounded, however slow Redis is.
#[derive(Default)]
struct Pending {
    queues: Mutex<BTreeSet<&'static str>>,
    some: Notify,
}

impl Pending {
    fn take(&self) -> BTreeSet<&'static str> {
        std::mem::take(&mut *self.queues.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RedisBell {
    /// A bell on this wire. Must be called within a tokio runtime; dropping it silences it.
    #[must_use]
    pub fn new(wire: Wire) -> Self {
        let pending = Arc::<Pending>::default();
        let carrier = tokio::spawn(carry(wire, Arc::clone(&pending)));
        Self { pending, carrier }
    }
}

impl Drop for RedisBell {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Ring for RedisBell {
    fn ring(&self, queues: &BTreeSet<&'static str>) {
        self.pending.queues.lock().unwrap_or_else(PoisonError::into_inner).extend(queues);
        self.pending.some.notify_one();
    }
}

fn channel(wire: &Wire) -> String {
    wire.key("bell")
}

/// What a ring says: who rings, and for which queues.
fn spell(process: Uuid, queues: &BTreeSet<&'static str>) -> String {
    let names: Vec<_> = queues.iter().copied().collect();
    format!("{} {}", process.simple(), names.join(","))
}

/// Whether a ring is for us: somebody else's, for a queue that we work on. What cannot be read is heeded, to be safe.
fn concerns(ring: &str, us: Uuid, ours: &[&str]) -> bool {
    let Some((who, queues)) = ring.split_once(' ') else { return true };
    who != us.simple().to_string() && queues.split(',').any(|queue| ours.contains(&queue))
}

async fn carry(wire: Wire, pending: Arc<Pending>) {
    let mut connection = None;
    let mut pause = Pause::new();
    loop {
        pending.some.notified().await;
        let queues = pending.take();
        if queues.is_empty() {
            continue;
        }
        match wire.note(publish(&wire, &mut connection, &queues).await) {
            Ok(()) => pause.reset(),
            Err(_) => {
                // The rings are dropped: by the time Redis is back, the poll has found the work.
                connection = None;
                pause.wait().await;
            }
        }
    }
}

async fn publish(
    wire: &Wire,
    connection: &mut Option<MultiplexedConnection>,
    queues: &BTreeSet<&'static str>,
) -> Result<(), RedisError> {
    let ringing = async {
        if connection.is_none() {
            *connection = Some(wire.connection().await?);
        }
        let connection = connection.as_mut().expect("it was there or was just made");
        let spelled = spell(wire.process(), queues);
        faults::point("before_publish");
        let rung = redis::cmd("PUBLISH").arg(channel(wire)).arg(spelled).query_async(connection).await;
        faults::point("after_publish");
        rung
    };
    within(RINGING, ringing).await
}

async fn within<T>(limit: Duration, asked: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let late = || RedisError::from((ErrorKind::Io, "no answer in time"));
    tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(late()))
}

/// Listens for ever.
pub(crate) async fn listen(wire: Wire, engine: Engine) {
    let mut pause = Pause::new();
    loop {
        let heard = hear(&wire, &engine, &mut pause).await;
        let _ = wire.note(heard);
        pause.wait().await;
    }
}

/// Listens until the connection is lost.
async fn hear(wire: &Wire, engine: &Engine, pause: &mut Pause) -> Result<(), RedisError> {
    let mut connection = within(CONNECTING, wire.client().get_async_pubsub()).await?;
    within(CONNECTING, connection.subscribe(channel(wire))).await?;
    let _ = wire.note(Ok::<_, RedisError>(()));
    pause.reset();
    // Whatever was rung while nobody listened.
    engine.ring_here();
    let ours: Vec<_> = engine.hands().queues().map(|(queue, _)| queue).collect();
    let (mut ask, mut rings) = connection.split();
    loop {
        match tokio::time::timeout(SILENCE, rings.next()).await {
            Ok(Some(ring)) => {
                let spelled: String = ring.get_payload().unwrap_or_default();
                if concerns(&spelled, wire.process(), &ours) {
                    engine.ring_here();
                }
            }
            Ok(None) => return Err(RedisError::from((ErrorKind::Io, "the connection was closed"))),
            Err(_) => within(CONNECTING, ask.ping::<redis::Value>()).await.map(drop)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_concerns_others_that_work_on_the_queue() {
        let (us, they) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let ring = spell(they, &["images", "mail"].into());
        assert!(concerns(&ring, us, &["mail"]));
        assert!(!concerns(&ring, us, &["payments"]));
        assert!(!concerns(&ring, they, &["mail"]), "one's own ring was heard at home");
        assert!(concerns("unreadable", us, &["mail"]));
    }
}
