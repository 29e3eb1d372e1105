//! The way from a claim to an apalis worker: a channel per queue, whose receiving end outlives the worker that reads from it.
//!
//! apalis' own in-memory storage loses wake-ups under concurrent producers and does not survive a restart of its worker; this one
//! is a few lines and does neither. Nothing in it has to be saved: a lease that is lost here is reclaimed from the database.

use crate::bundle::Bundle;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::layers::Identity;
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::{RandomId, TaskId};
use apalis_core::worker::context::WorkerContext;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

type Receiver<A> = Arc<Mutex<mpsc::UnboundedReceiver<Task<A>>>>;

/// One queue's channel. It is bounded by the queue's room: nobody holds a lease without a place in it.
struct Line<A> {
    send: mpsc::UnboundedSender<Task<A>>,
    receive: Receiver<A>,
}

/// The channels of one process, a line per queue.
pub(crate) struct Lines<A>(BTreeMap<&'static str, Line<A>>);

impl<A: Send + 'static> Lines<A> {
    pub(crate) fn new(queues: impl Iterator<Item = &'static str>) -> Self {
        let line = |queue| {
            let (send, receive) = mpsc::unbounded_channel();
            (queue, Line { send, receive: Arc::new(Mutex::new(receive)) })
        };
        Self(queues.map(line).collect())
    }

    /// A backend for a worker of this queue; the next one goes on where the last one ended.
    pub(crate) fn backend(&self, queue: &str) -> Option<ChannelBackend<A>> {
        self.0.get(queue).map(|line| ChannelBackend { receive: Arc::clone(&line.receive) })
    }

    fn send(&self, queue: &str, id: String, args: A) {
        // Every task needs an id: apalis' tracing asks for it.
        let task = TaskBuilder::new(args).task_id(TaskId::from_string(id)).build();
        if let Some(line) = self.0.get(queue) {
            // The receiving end lives as long as the line.
            let _ = line.send.send(task);
        }
    }
}

impl Lines<Bundle> {
    /// The task is named after the first of its leases.
    pub(crate) fn deliver(&self, bundle: Bundle) {
        let Some(first) = bundle.first() else { return };
        let (queue, id) = (first.queue().to_owned(), first.work().to_string());
        self.send(&queue, id, bundle);
    }
}

/// What an apalis worker reads from.
pub(crate) struct ChannelBackend<A> {
    receive: Receiver<A>,
}

impl<A> Backend for ChannelBackend<A> {
    type Task = Task<A>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        let mut receive = self.receive.lock().unwrap_or_else(PoisonError::into_inner);
        receive.poll_recv(cx).map(|task| task.map(Ok))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        // The channel stays open: it belongs to the next worker.
        Poll::Ready(Ok(()))
    }
}

impl<A> BackendConfig for ChannelBackend<A> {
    type Args = A;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use apalis::prelude::{Data, ParallelizeExt, WorkerBuilder, WorkerBuilderExt};
    use std::collections::BTreeSet;

    const MANY: u32 = 20_000;

    type Seen = Arc<Mutex<BTreeSet<u32>>>;

    async fn note(n: u32, seen: Data<Seen>, worker: WorkerContext) {
        let mut seen = seen.lock().unwrap();
        seen.insert(n);
        // The first worker ends half-way, the second at the end.
        if seen.len() == MANY as usize / 2 || seen.len() == MANY as usize {
            let _ = worker.stop();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_lost_between_many_producers_and_a_worker_that_is_replaced() {
        let lines = Arc::new(Lines::<u32>::new(["q"].into_iter()));
        for producer in 0..4 {
            let lines = Arc::clone(&lines);
            tokio::spawn(async move {
                for n in (producer..MANY).step_by(4) {
                    lines.send("q", n.to_string(), n);
                    tokio::task::yield_now().await;
                }
            });
        }
        let seen = Seen::default();
        while seen.lock().unwrap().len() < MANY as usize {
            let backend = lines.backend("q").expect("the line exists");
            let worker = WorkerBuilder::new("w").backend(backend).concurrency(8).data(Arc::clone(&seen));
            worker.parallelize(tokio::spawn).build(note).run().await.unwrap();
        }
        assert_eq!(seen.lock().unwrap().len(), MANY as usize);
    }
}
