//! What only the database and the pools know, asked before a scrape and at most once a second.

use super::Metrics;
use crate::wire::Wire;
use engine::{Brake, Circuit, Depth, Engine, ScheduleView, Target, Timestamp, Vitals};
use prometheus::core::{Atomic, Collector, GenericGaugeVec};
use prometheus::proto::MetricFamily;
use std::collections::HashMap;
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

    /// What only the database knows: asked for whole before any of it is shown, so that a scrape does not meet half of an answer.
    async fn ask(&self, engine: &Engine) -> Option<()> {
        let depths = engine.depths().await.ok()?;
        let (brakes, schedules) = (engine.brakes().await.ok()?, engine.schedules().await.ok()?);
        let vitals = engine.vitals().await.ok()?;
        self.set_vitals(&vitals);
        self.set_paused(&brakes, &schedules);
        self.set_circuits(&brakes);
        self.set_ticks(&schedules);
        self.set_depths(&depths);
        Some(())
    }

    fn set_paused(&self, brakes: &[Brake], schedules: &[ScheduleView]) {
        let braked = brakes.iter().map(|brake| (named(&brake.target), brake.paused.is_some()));
        let waiting = schedules.iter().map(|it| (("schedule", it.name), it.paused.is_some()));
        let series = braked
            .chain(waiting)
            .map(|((kind, name), paused)| (labels([("kind", kind), ("name", name)]), paused.into()));
        replace(&self.series.paused, &series.collect::<Vec<_>>());
    }

    fn set_circuits(&self, brakes: &[Brake]) {
        for brake in brakes {
            let Target::Party(name) = &brake.target else { continue };
            let circuit = match brake.circuit {
                Circuit::Closed => 0,
                Circuit::HalfOpen => 1,
                Circuit::Open { .. } => 2,
            };
            self.series.circuit.with_label_values(&[name]).set(circuit);
        }
    }

    fn set_ticks(&self, schedules: &[ScheduleView]) {
        let series = &self.series;
        let seconds = |at: &Timestamp| at.timestamp_micros() as f64 / 1e6;
        for schedule in schedules {
            if let Some(tick) = &schedule.last {
                series.last_tick.with_label_values(&[schedule.name]).set(seconds(&tick.instant));
            }
            if let Some(next) = &schedule.next {
                series.next_tick.with_label_values(&[schedule.name]).set(seconds(next));
            }
        }
    }

    fn set_vitals(&self, vitals: &Vitals) {
        let series = &self.series;
        let alive = vitals.processes.iter().map(|(role, count)| (labels([("role", role)]), *count));
        replace(&series.processes, &alive.collect::<Vec<_>>());
        series.unsealed.set(vitals.unsealed);
        series.oldest_unsealed.set(vitals.oldest_unsealed.as_secs_f64());
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
        series.beat_age.set(self.last_beat.age().unwrap_or_default().as_secs_f64());
        for (queue, size) in engine.hands().queues() {
            series.room.with_label_values(&[queue]).set(whole(size));
            series.held.with_label_values(&[queue]).set(whole(engine.hands().holding_of(queue)));
        }
        series.redis_up.set(i64::from(wire.is_some_and(Wire::is_up)));
        let errors = wire.map_or(0, Wire::errors);
        series.redis_errors.inc_by(errors.saturating_sub(series.redis_errors.get()));
    }

    /// A queue with no work has no row: its last count must not stay.
    fn set_depths(&self, depths: &[Depth]) {
        let age = |it: &Depth| Duration::from_micros(u64::try_from(it.oldest_us).unwrap_or_default()).as_secs_f64();
        let oldest = depths.iter().map(|it| (labels([("queue", &it.queue)]), age(it)));
        replace(&self.series.oldest, &oldest.collect::<Vec<_>>());
        let standings = |it: &Depth| {
            [("ready", it.ready), ("scheduled", it.scheduled), ("leased", it.leased), ("parked", it.parked)]
        };
        let depth = depths.iter().flat_map(|it| {
            standings(it).map(|(standing, count)| (labels([("queue", &it.queue), ("standing", standing)]), count))
        });
        replace(&self.series.depth, &depth.collect::<Vec<_>>());
    }
}

/// What a brake is on, in a metric's words.
fn named(target: &Target) -> (&'static str, &str) {
    match target {
        Target::Queue(name) => ("queue", name),
        Target::Workflow(name) => ("workflow", name),
        Target::Party(name) => ("party", name),
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

type Labels<'a> = HashMap<&'a str, &'a str>;

fn labels<'a, const N: usize>(pairs: [(&'a str, &'a str); N]) -> Labels<'a> {
    pairs.into()
}

/// Makes these the series of a family. What is no more goes last: a scrape that comes in between misses nothing that is.
fn replace<P: Atomic>(family: &GenericGaugeVec<P>, series: &[(Labels<'_>, P::T)]) {
    for (labels, value) in series {
        family.with(labels).set(*value);
    }
    for there in family.collect().iter().flat_map(MetricFamily::get_metric) {
        let labels: Labels<'_> = there.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
        if !series.iter().any(|(kept, _)| *kept == labels) {
            let _ = family.remove(&labels);
        }
    }
}

/// This machine's clock, in seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "what is measured here is how wrong this very clock is")]
fn here() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Paused;
    use prometheus::{IntGaugeVec, Opts};
    use std::thread;

    fn exposed(family: &IntGaugeVec) -> Vec<(String, f64)> {
        let series = family.collect();
        let each = series.iter().flat_map(MetricFamily::get_metric);
        let mut seen: Vec<_> =
            each.map(|it| (it.get_label()[0].value().to_owned(), it.get_gauge().get_value())).collect();
        seen.sort_by(|one, other| one.0.cmp(&other.0));
        seen
    }

    fn roles<'a>(counts: &[(&'a str, i64)]) -> Vec<(Labels<'a>, i64)> {
        counts.iter().map(|(role, count)| (labels([("role", *role)]), *count)).collect()
    }

    #[test]
    fn what_is_no_more_is_taken_away() {
        let family = IntGaugeVec::new(Opts::new("processes", "By role."), &["role"]).unwrap();
        replace(&family, &roles(&[("api", 2), ("worker", 1)]));
        replace(&family, &roles(&[("worker", 3), ("up", 1)]));
        assert_eq!(exposed(&family), [("up".to_owned(), 1.0), ("worker".to_owned(), 3.0)]);
    }

    #[test]
    fn a_scrape_in_between_misses_nothing() {
        let family = IntGaugeVec::new(Opts::new("processes", "By role."), &["role"]).unwrap();
        replace(&family, &roles(&[("up", 1)]));
        let ours = family.clone();
        let writer = thread::spawn(move || (0..20_000).for_each(|_| replace(&ours, &roles(&[("up", 1)]))));
        while !writer.is_finished() {
            assert_eq!(exposed(&family), [("up".to_owned(), 1.0)]);
        }
        writer.join().unwrap();
    }

    fn shown(set: impl FnOnce(&Metrics)) -> String {
        let registry = prometheus::Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        set(&metrics);
        prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    fn brake(target: Target, circuit: Circuit) -> Brake {
        Brake { target, paused: None, circuit, failures: 0, most: None }
    }

    #[test]
    fn how_parties_are_called_is_a_number_each() {
        let party = |name: &str, circuit| brake(Target::Party(name.to_owned()), circuit);
        let open = Circuit::Open { until: Timestamp::UNIX_EPOCH };
        let brakes = [party("mail", Circuit::Closed), party("gateway", Circuit::HalfOpen), party("objects", open)];
        let text = shown(|metrics| metrics.set_circuits(&brakes));
        for (party, circuit) in [("mail", 0), ("gateway", 1), ("objects", 2)] {
            let line = format!("innkeeper_party_circuit{{party=\"{party}\"}} {circuit}\n");
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn what_is_paused_is_one_and_what_was_is_zero() {
        let paused = Paused { by: "usr_op".to_owned(), why: "a rest".to_owned(), since: Timestamp::UNIX_EPOCH };
        let held = |target| Brake { paused: Some(paused.clone()), ..brake(target, Circuit::Closed) };
        let queue = || Target::Queue("mail".to_owned());
        let brakes = [held(queue()), held(Target::Workflow("payout".to_owned()))];
        let resumed = [brake(queue(), Circuit::Closed)];
        let before = shown(|metrics| metrics.set_paused(&brakes, &[]));
        let after = shown(|metrics| [&brakes[..], &resumed].iter().for_each(|brakes| metrics.set_paused(brakes, &[])));
        assert!(before.contains(r#"innkeeper_paused{kind="queue",name="mail"} 1"#), "{before}");
        assert!(before.contains(r#"innkeeper_paused{kind="workflow",name="payout"} 1"#), "{before}");
        assert!(after.contains(r#"innkeeper_paused{kind="queue",name="mail"} 0"#), "{after}");
        assert!(!after.contains("payout"), "nobody knows of it any more: {after}");
    }

    #[test]
    fn signs_of_life_are_shown_as_they_are() {
        let vitals = Vitals {
            processes: vec![("api".to_owned(), 3)],
            unsealed: 7,
            oldest_unsealed: Duration::from_millis(1500),
            idle_in_transaction: 2,
            real: Timestamp::UNIX_EPOCH,
        };
        let text = shown(|metrics| metrics.set_vitals(&vitals));
        for line in [
            r#"innkeeper_processes{role="api"} 3"#,
            "innkeeper_facts_unsealed 7",
            "innkeeper_facts_unsealed_oldest_age_seconds 1.5",
            "innkeeper_database_idle_in_transaction 2",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
