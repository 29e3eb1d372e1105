//! What only the database and the pools know, asked before a scrape and at most once a second.

use super::Metrics;
use crate::wire::Wire;
use engine::{Depth, Engine};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Scrapes within this time share an answer: counting work is not free.
const FRESH: Duration = Duration::from_secs(1);
/// A scrape does not wait longer than this for the database.
const PATIENCE: Duration = Duration::from_secs(3);

/// When the database was last asked.
#[derive(Default)]
pub(super) struct Gathered(Mutex<Option<Instant>>);

impl Metrics {
    /// Brings the gauges up to date. Never fails: what cannot be asked keeps its last value, and that is counted.
    pub async fn gather(&self, engine: &Engine, wire: Option<&Wire>) {
        let mut last = self.gathered.0.lock().await;
        if last.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        self.look(engine, wire);
        match tokio::time::timeout(PATIENCE, engine.depths()).await {
            Ok(Ok(depths)) => self.set_depths(&depths),
            Ok(Err(_)) | Err(_) => self.series.gather_failures.inc(),
        }
        *last = Some(Instant::now());
    }

    /// What this process knows by itself.
    fn look(&self, engine: &Engine, wire: Option<&Wire>) {
        let series = &self.series;
        for pool in engine.databases().pools() {
            let set = |state, count: u32| series.pool.with_label_values(&[pool.pool, state]).set(count.into());
            set("idle", pool.idle);
            set("in_use", pool.in_use);
            series.pool_limit.with_label_values(&[pool.pool]).set(pool.most.into());
        }
        series.held.set(i64::try_from(engine.hands().holding()).unwrap_or(i64::MAX));
        series.beat_age.set(self.last_beat.age().unwrap_or_default().as_secs_f64());
        series.redis_up.set(i64::from(wire.is_some_and(Wire::is_up)));
    }

    fn set_depths(&self, depths: &[Depth]) {
        let series = &self.series;
        // A queue with no work has no row: its last count must not stay.
        series.depth.reset();
        series.oldest.reset();
        for Depth { queue, ready, scheduled, leased, parked, oldest_us } in depths {
            let set = |standing: &str, count| series.depth.with_label_values(&[queue.as_str(), standing]).set(count);
            set("ready", *ready);
            set("scheduled", *scheduled);
            set("leased", *leased);
            set("parked", *parked);
            let age = Duration::from_micros(u64::try_from(*oldest_us).unwrap_or_default());
            series.oldest.with_label_values(&[queue]).set(age.as_secs_f64());
        }
    }
}
