//! What only the database and the pools know, asked before a scrape and at most once a second.

use super::Metrics;
use crate::wire::Wire;
use engine::{Brake, Circuit, Depth, Engine, ScheduleView, Target, Timestamp, Vitals};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
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
        if !matches!(tokio::time::timeout(PATIENCE, self.ask(engine)).await, Ok(Some(()))) {
            self.series.gather_failures.inc();
        }
        *last = Some(Instant::now());
    }

    /// What only the database knows.
    async fn ask(&self, engine: &Engine) -> Option<()> {
        self.set_depths(&engine.depths().await.ok()?);
        self.set_brakes(&engine.brakes().await.ok()?);
        self.set_schedules(&engine.schedules().await.ok()?);
        self.set_vitals(&engine.vitals().await.ok()?);
        Some(())
    }

    fn set_brakes(&self, brakes: &[Brake]) {
        let series = &self.series;
        series.paused.reset();
        for brake in brakes {
            let (kind, name) = match &brake.target {
                Target::Queue(name) => ("queue", name),
                Target::Workflow(name) => ("workflow", name),
                Target::Party(name) => ("party", name),
            };
            series.paused.with_label_values(&[kind, name]).set(brake.paused.is_some().into());
            if kind == "party" {
                let circuit = match brake.circuit {
                    Circuit::Closed => 0,
                    Circuit::HalfOpen => 1,
                    Circuit::Open { .. } => 2,
                };
                series.circuit.with_label_values(&[name]).set(circuit);
            }
        }
    }

    fn set_schedules(&self, schedules: &[ScheduleView]) {
        let series = &self.series;
        let seconds = |at: &Timestamp| at.timestamp_micros() as f64 / 1e6;
        for schedule in schedules {
            if let Some(tick) = &schedule.last {
                series.last_tick.with_label_values(&[schedule.name]).set(seconds(&tick.instant));
            }
            if let Some(next) = &schedule.next {
                series.next_tick.with_label_values(&[schedule.name]).set(seconds(next));
            }
            series.paused.with_label_values(&["schedule", schedule.name]).set(schedule.paused.is_some().into());
        }
    }

    fn set_vitals(&self, vitals: &Vitals) {
        let series = &self.series;
        series.processes.reset();
        for (role, count) in &vitals.processes {
            series.processes.with_label_values(&[role]).set(*count);
        }
        series.unsealed.set(vitals.unsealed);
        series.idle_in_transaction.set(vitals.idle_in_transaction);
        series.clock_skew.set(here() - vitals.real.timestamp_micros() as f64 / 1e6);
    }

    /// What this process knows by itself.
    fn look(&self, engine: &Engine, wire: Option<&Wire>) {
        let series = &self.series;
        for pool in engine.databases().pools() {
            let set = |state, count: u32| series.pool.with_label_values(&[pool.pool, state]).set(count.into());
            set("idle", pool.idle);
            set("in_use", pool.in_use);
            series.pool_limit.with_label_values(&[pool.pool]).set(pool.most.into());
            let silences = series.silences.with_label_values(&[pool.pool]);
            silences.inc_by(pool.silences.saturating_sub(silences.get()));
        }
        series.held.set(i64::try_from(engine.hands().holding()).unwrap_or(i64::MAX));
        series.beat_age.set(self.last_beat.age().unwrap_or_default().as_secs_f64());
        series.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
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

/// This machine's clock, in seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "what is measured here is how wrong this very clock is")]
fn here() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
