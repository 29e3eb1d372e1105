//! The far end of the line: an apalis-redis worker, begun anew with a new name whenever it dies.
//!
//! Any error of Redis ends it (that is how apalis-redis 1.0 is), and a name that it had may not be used again for a while. So every
//! life has a name of its own, and between two lives there is a growing pause.

use super::House;
use super::job::carry_out;
use super::line::{Job, Lenient, Line};
use crate::pause::Pause;
use apalis::prelude::{
    BackendExt, Data, Monitor, ParallelizeExt, PollSnapshot, PollStrategy, WorkerBuilder, WorkerBuilderExt,
};
use apalis_redis::{ConnectionManager, RedisStorage};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Between two looks into the line.
const LOOK: Duration = Duration::from_millis(500);
/// A life that lasted this long was a good one.
const GOOD_LIFE: Duration = Duration::from_secs(60);
/// Short lives in a row, with Redis answering, before the line itself is suspected.
const SUSPICIOUS: u32 = 3;

async fn handle(job: Job, house: Data<House>) {
    match job.0 {
        Some(chore) => carry_out(&house, chore).await,
        None => tracing::info!("a plain job that this build does not know is passed over"),
    }
}

/// Works for ever, or until `stop`.
pub(crate) async fn work(line: Line, house: House, stop: CancellationToken) {
    let mut pause = Pause::new();
    let mut short = 0;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let answers = match line.wire.note(line.wire.managed().await) {
            Ok(connection) => {
                live(&line, &house, connection, stop.clone()).await;
                true
            }
            Err(_) => false,
        };
        if began.elapsed() > GOOD_LIFE {
            pause.reset();
            short = 0;
        } else if answers {
            short += 1;
        }
        if short >= SUSPICIOUS && !stop.is_cancelled() {
            short = 0;
            tracing::warn!("the line of plain jobs kills its workers; it is thrown away");
            let _ = line.wire.note(line.clear().await);
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = pause.wait() => {}
        }
    }
}

/// One life of the worker.
async fn live(line: &Line, house: &House, connection: ConnectionManager, stop: CancellationToken) {
    let storage = RedisStorage::<Job>::new(connection).with_config(line.config());
    let name = format!("chores-{}-{:016x}", line.wire.process().simple(), rand::random::<u64>());
    let house = house.clone();
    let monitor = Monitor::new().register(move |_| {
        WorkerBuilder::new(name.as_str())
            .backend(storage.clone().with_codec(Lenient).poll_with_strategy(SafeInterval::new(LOOK)))
            .concurrency(1)
            .data(house.clone())
            .enable_tracing()
            .catch_panic()
            .parallelize(tokio::spawn)
            .build(handle)
    });
    let stopped = async {
        stop.cancelled().await;
        Ok(())
    };
    let _ = monitor.shutdown_timeout(Duration::from_secs(2)).run_with_signal(stopped).await;
}

/// Looks at fixed intervals. apalis' own strategy makes a new timer without polling it when a look ends within one poll: nothing is
/// armed then, and the worker sleeps until its next heartbeat.
struct SafeInterval {
    period: Duration,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl SafeInterval {
    fn new(period: Duration) -> Self {
        Self { period, sleep: Box::pin(tokio::time::sleep(period)) }
    }
}

impl PollStrategy for SafeInterval {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut fired = false;
        while self.sleep.as_mut().poll(cx).is_ready() {
            fired = true;
            self.sleep.as_mut().reset(tokio::time::Instant::now() + self.period);
        }
        if fired { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}
