//! Plain jobs: housekeeping that nobody would miss, made again by a schedule. What somebody would miss is a workflow.
//!
//! A tick of the engine's schedules fires once in the cluster and puts a [`Chore`] into the mailbox of the process that fired it. From
//! there it goes through Redis to whichever worker has time (apalis-redis, with the settings that make it safe), and without Redis it
//! is done here.

mod chore;
mod job;
mod line;
mod push;
mod redis_worker;

use crate::keep::Parts;
use crate::metrics::Metrics;
use crate::wire::Wire;
pub use chore::Chore;
use chrono_tz::Tz;
use engine::{Engine, Registry, Schedule, Timestamp};
use futures::FutureExt;
use line::Line;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Chores on their way from a tick to the dispatcher; more are not worth keeping.
const MAILBOX: usize = 64;

/// A chore that a tick asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) chore: Chore,
    pub(crate) at: Timestamp,
}

/// The plain jobs of one process: their schedules go to the engine's registry, the rest to its worker.
#[derive(Clone)]
pub struct Chores {
    send: mpsc::Sender<Due>,
    receive: Arc<tokio::sync::Mutex<mpsc::Receiver<Due>>>,
}

impl Default for Chores {
    fn default() -> Self {
        Self::new()
    }
}

impl Chores {
    /// An empty mailbox.
    #[must_use]
    pub fn new() -> Self {
        let (send, receive) = mpsc::channel(MAILBOX);
        Self { send, receive: Arc::new(tokio::sync::Mutex::new(receive)) }
    }

    /// How many chores wait in Redis for a worker.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn waiting(wire: &Wire) -> Result<u64, redis::RedisError> {
        Line::new(wire.clone()).waiting().await
    }

    /// Adds the schedules of the chores.
    #[must_use]
    pub fn scheduled(&self, registry: Registry) -> Registry {
        Chore::ALL.into_iter().fold(registry, |registry, chore| {
            let chores = self.clone();
            let fire: engine::Fire = Arc::new(move |_tx, at| {
                chores.ask(chore, at);
                async { Ok(()) }.boxed()
            });
            let schedule = Schedule::parse(chore.schedule_name(), chore.cron(), Tz::UTC, fire)
                .expect("a test reads every chore's schedule");
            registry.schedule(schedule.housekeeping())
        })
    }

    /// Asks for a chore now; a full mailbox means that enough is on its way.
    pub fn ask(&self, chore: Chore, at: Timestamp) {
        if self.send.try_send(Due { chore, at }).is_err() {
            tracing::info!(chore = chore.name(), "the mailbox of chores is full; the next tick asks again");
        }
    }

    async fn next(&self) -> Due {
        // The sending end lives as long as these chores.
        self.receive.lock().await.recv().await.expect("a sender is held here")
    }
}

/// What plain jobs work with.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) wire: Option<Wire>,
    pub(crate) chores: Chores,
    pub(crate) metrics: Option<Arc<Metrics>>,
}

/// Keeps the dispatcher going, and with Redis the worker of the line there.
pub(crate) fn keep(parts: &mut Parts, stop: &CancellationToken, house: House) {
    let here = house.clone();
    parts.keep("chores", stop.clone(), move || dispatch(here.clone()));
    if let Some(wire) = house.wire.clone() {
        let until = stop.clone();
        parts.keep("plain jobs", stop.clone(), move || {
            redis_worker::work(Line::new(wire.clone()), house.clone(), until.clone())
        });
    }
}

/// Sends every chore to the line in Redis, or does it here.
async fn dispatch(house: House) {
    let mut push = house.wire.clone().map(|wire| push::Push::new(Line::new(wire)));
    loop {
        let due = house.chores.next().await;
        let sent = match &mut push {
            Some(push) => push.push(due).await,
            None => false,
        };
        if !sent {
            job::carry_out(&house, due.chore).await;
        }
    }
}
