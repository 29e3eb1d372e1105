//! The series, one field each: name, help and labels in one place.

use super::Described;
use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};
use std::cell::RefCell;

/// From a loopback answer to the longest time limit.
const SECONDS: &[f64] = &[0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0];
/// A wait can be long: a queue that stands.
const WAITS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0];
/// What people wait for: from a letter to a stay that was booked a year ahead.
const LIVES: &[f64] =
    &[1.0, 10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0, 7_776_000.0, 31_536_000.0];
const COMMITS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
const TURNS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

pub(super) struct Series {
    pub(super) depth: IntGaugeVec,
    pub(super) oldest: GaugeVec,
    pub(super) wait: HistogramVec,
    pub(super) duration: HistogramVec,
    pub(super) tries: IntCounterVec,
    pub(super) retries: IntCounterVec,
    pub(super) parked: IntCounterVec,
    pub(super) started: IntCounterVec,
    pub(super) finished: IntCounterVec,
    pub(super) lifetime: HistogramVec,
    pub(super) turns: IntCounterVec,
    pub(super) repeated: IntCounterVec,
    pub(super) calls: IntCounterVec,
    pub(super) call_duration: HistogramVec,
    pub(super) circuit: IntGaugeVec,
    pub(super) paused: IntGaugeVec,
    pub(super) last_tick: GaugeVec,
    pub(super) next_tick: GaugeVec,
    pub(super) processes: IntGaugeVec,
    pub(super) unsealed: IntGauge,
    pub(super) oldest_unsealed: Gauge,
    pub(super) idle_in_transaction: IntGauge,
    pub(super) clock_skew: Gauge,
    pub(super) build: IntGaugeVec,
    pub(super) rescued: IntCounter,
    pub(super) reclaimed: IntCounter,
    pub(super) claimed: IntCounter,
    pub(super) claim_duration: Histogram,
    pub(super) commit_turns: Histogram,
    pub(super) commit_duration: Histogram,
    pub(super) splits: IntCounter,
    pub(super) recalls: IntCounterVec,
    pub(super) sealed: IntCounter,
    pub(super) pool: IntGaugeVec,
    pub(super) pool_limit: IntGaugeVec,
    pub(super) pool_wait: HistogramVec,
    pub(super) silences: IntCounterVec,
    pub(super) held: IntGaugeVec,
    pub(super) room: IntGaugeVec,
    pub(super) beat_age: Gauge,
    pub(super) restarts: IntCounterVec,
    pub(super) redis_up: IntGauge,
    pub(super) redis_errors: IntCounter,
    pub(super) forgotten: IntCounterVec,
    pub(super) gather_failures: IntCounter,
    pub(super) described: Vec<Described>,
}

/// Registers what it hands out, and remembers it.
struct Desk<'a> {
    registry: &'a Registry,
    described: RefCell<Vec<Described>>,
}

impl Desk<'_> {
    fn with<C: Collector + Clone + 'static>(&self, made: Result<C, Error>) -> Result<C, Error> {
        let collector = made?;
        self.registry.register(Box::new(collector.clone()))?;
        self.described.borrow_mut().extend(Described::of(&collector));
        Ok(collector)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.with(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.with(IntCounter::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.with(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, Error> {
        self.with(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }

    fn histograms(&self, options: HistogramOpts, labels: &[&str]) -> Result<HistogramVec, Error> {
        self.with(HistogramVec::new(options, labels))
    }
}

impl Series {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let desk = Desk { registry, described: RefCell::default() };
        let wait =
            HistogramOpts::new("innkeeper_work_wait_seconds", "From the instant an effect was due to its claim.");
        let took = HistogramOpts::new(
            "innkeeper_work_duration_seconds",
            "From an effect's claim to its conclusion, by how it ended: done, retried, parked or refused.",
        );
        let lived = HistogramOpts::new(
            "innkeeper_workflow_duration_seconds",
            "From the first turn of a run to the one that ended it, on the business clock, by the state in which it ended.",
        );
        let pool_wait = HistogramOpts::new(
            "innkeeper_database_wait_seconds",
            "The wait for a connection and its first answer: of every transaction, and in the pool that only reads of a look before each scrape.",
        );
        let called = HistogramOpts::new(
            "innkeeper_party_call_duration_seconds",
            "From a call to its answer, or to its failure, with the look-up before it if there was one.",
        );
        let last_tick = Opts::new(
            "innkeeper_schedule_last_tick_timestamp_seconds",
            "The latest instant at which a schedule fired, on the business clock.",
        );
        let next_tick = Opts::new(
            "innkeeper_schedule_next_tick_timestamp_seconds",
            "The next instant at which a schedule fires, on the business clock.",
        );
        let oldest = Opts::new("innkeeper_work_oldest_age_seconds", "Age of the oldest piece of work that is due.");
        let mut series = Self {
            depth: desk.gauges(
                "innkeeper_work_depth",
                "Work by queue and standing: ready, scheduled, leased or parked.",
                &["queue", "standing"],
            )?,
            oldest: desk.with(GaugeVec::new(oldest, &["queue"]))?,
            wait: desk.histograms(wait.buckets(WAITS.to_vec()), &["queue"])?,
            duration: desk.histograms(took.buckets(SECONDS.to_vec()), &["workflow", "effect", "outcome"])?,
            tries: desk.counters(
                "innkeeper_work_tries_total",
                "Tries at effects by how they ended: done, retried, parked or refused.",
                &["workflow", "effect", "outcome"],
            )?,
            retries: desk.counters(
                "innkeeper_work_retries_total",
                "Tries that failed and are made again, by class of failure.",
                &["queue", "class"],
            )?,
            parked: desk.counters(
                "innkeeper_work_parked_total",
                "Work that was put aside for a person, by class of failure.",
                &["queue", "class"],
            )?,
            started: desk.counters("innkeeper_workflow_started_total", "Runs that began.", &["workflow"])?,
            finished: desk.counters(
                "innkeeper_workflow_finished_total",
                "Runs that came to their end, by the state in which they did.",
                &["workflow", "state"],
            )?,
            lifetime: desk.histograms(lived.buckets(LIVES.to_vec()), &["workflow", "state"])?,
            turns: desk.counters(
                "innkeeper_workflow_turns_total",
                "Turns by verdict: moved, ignored, or unexpected for a fact that found no place.",
                &["workflow", "verdict"],
            )?,
            repeated: desk.counters(
                "innkeeper_workflow_repeats_total",
                "Events and starts that came again under their key and changed nothing.",
                &["workflow"],
            )?,
            calls: desk.counters(
                "innkeeper_party_calls_total",
                "Calls to outside parties by what they were for and came to: answered, or the class of failure.",
                &["party", "effect", "outcome"],
            )?,
            call_duration: desk.histograms(called.buckets(SECONDS.to_vec()), &["party"])?,
            circuit: desk.gauges(
                "innkeeper_party_circuit",
                "How an outside party is called: 0 as always, 1 on trial, 2 not at all for a while.",
                &["party"],
            )?,
            paused: desk.gauges(
                "innkeeper_paused",
                "1 for every queue, workflow, outside party and schedule that is paused, 0 for one that was.",
                &["kind", "name"],
            )?,
            last_tick: desk.with(GaugeVec::new(last_tick, &["schedule"]))?,
            next_tick: desk.with(GaugeVec::new(next_tick, &["schedule"]))?,
            processes: desk.gauges("innkeeper_processes", "Processes whose heartbeat is young, by role.", &["role"])?,
            unsealed: desk.with(IntGauge::new("innkeeper_facts_unsealed", "Facts that wait for the sealer."))?,
            oldest_unsealed: desk.with(Gauge::new(
                "innkeeper_facts_unsealed_oldest_age_seconds",
                "Age of the oldest of them on the business clock; of what a timer posted, since the timer was due.",
            ))?,
            idle_in_transaction: desk.with(IntGauge::new(
                "innkeeper_database_idle_in_transaction",
                "Connections to this database that have stood idle in a transaction for over 5 seconds.",
            ))?,
            clock_skew: desk
                .with(Gauge::new("innkeeper_clock_skew_seconds", "This machine's clock ahead of the database's."))?,
            build: desk.gauges(
                "innkeeper_build_info",
                "Always 1; which build this is: of what revision of the sources, if that is known, and by which compiler.",
                &["version", "revision", "rustc"],
            )?,
            rescued: desk
                .counter("innkeeper_leases_rescued_total", "Leases of dead processes that were freed here.")?,
            reclaimed: desk.counter("innkeeper_leases_reclaimed_total", "Own leases that were lost on the way.")?,
            claimed: desk.counter("innkeeper_claimed_total", "Work that was claimed here.")?,
            claim_duration: desk.histogram(
                "innkeeper_claim_duration_seconds",
                "How long a claim that brought something took in the database.",
                COMMITS,
            )?,
            commit_turns: desk.histogram(
                "innkeeper_commit_turns",
                "Turns that share a commit of the writer.",
                TURNS,
            )?,
            commit_duration: desk.histogram(
                "innkeeper_commit_duration_seconds",
                "From the begin to the end of a commit of the writer.",
                COMMITS,
            )?,
            splits: desk.counter("innkeeper_commit_splits_total", "Groups that were split: one turn failed, or some take something scarce.")?,
            recalls: desk.counters(
                "innkeeper_commit_recalls_total",
                "Groups with runs that were decided from memory: found the same in the database, or changed and decided again.",
                &["found"],
            )?,
            sealed: desk.counter("innkeeper_facts_sealed_total", "Facts that got their place in the log here.")?,
            pool: desk.gauges(
                "innkeeper_database_connections",
                "Connections of this process by pool and state: idle or in_use.",
                &["pool", "state"],
            )?,
            pool_limit: desk.gauges(
                "innkeeper_database_connections_max",
                "Connections that a pool may open.",
                &["pool"],
            )?,
            pool_wait: desk.histograms(pool_wait.buckets(COMMITS.to_vec()), &["pool"])?,
            silences: desk.counters(
                "innkeeper_database_silences_total",
                "Answers of the database that did not come in time; each cost its connection.",
                &["pool"],
            )?,
            held: desk.gauges(
                "innkeeper_leases_held",
                "Leases in the hands of this process: of its room, what is busy.",
                &["queue"],
            )?,
            room: desk.gauges("innkeeper_worker_room", "Work of a queue that this process carries out at once.", &["queue"])?,
            beat_age: desk
                .with(Gauge::new("innkeeper_heartbeat_age_seconds", "Since the last heartbeat was stored."))?,
            restarts: desk.counters(
                "innkeeper_worker_restarts_total",
                "Parts of the worker that died and were started again.",
                &["part"],
            )?,
            redis_up: desk.with(IntGauge::new("innkeeper_redis_up", "Whether Redis answered when last asked."))?,
            redis_errors: desk.counter(
                "innkeeper_redis_errors_total",
                "Times that Redis could not be reached, said no or did not answer in time.",
            )?,
            forgotten: desk.counters(
                "innkeeper_housekeeping_removed_total",
                "Rows and records that housekeeping removed.",
                &["chore"],
            )?,
            gather_failures: desk
                .counter("innkeeper_gather_failures_total", "Scrapes for which the database could not be asked.")?,
            described: vec![],
        };
        series.described = desk.described.into_inner();
        Ok(series)
    }

    /// Gives every family a series, so that a test sees all of them.
    #[cfg(test)]
    pub(super) fn touch(&self) {
        self.build.with_label_values(&["v", "r", "c"]).set(1);
        self.depth.with_label_values(&["q", "ready"]).set(1);
        self.oldest.with_label_values(&["q"]).set(1.0);
        self.wait.with_label_values(&["q"]).observe(1.0);
        self.duration.with_label_values(&["w", "e", "done"]).observe(1.0);
        self.lifetime.with_label_values(&["w", "s"]).observe(1.0);
        self.pool_wait.with_label_values(&["read"]).observe(1.0);
        self.room.with_label_values(&["q"]).set(1);
        self.held.with_label_values(&["q"]).set(1);
        self.tries.with_label_values(&["w", "e", "done"]).inc();
        self.pool.with_label_values(&["read", "idle"]).set(1);
        self.pool_limit.with_label_values(&["read"]).set(1);
        self.silences.with_label_values(&["read"]).inc();
        for pairs in [&self.retries, &self.parked] {
            pairs.with_label_values(&["q", "c"]).inc();
        }
        for pairs in [&self.finished, &self.turns] {
            pairs.with_label_values(&["w", "x"]).inc();
        }
        self.calls.with_label_values(&["p", "e", "answered"]).inc();
        self.call_duration.with_label_values(&["p"]).observe(1.0);
        self.circuit.with_label_values(&["p"]).set(1);
        self.paused.with_label_values(&["queue", "q"]).set(1);
        self.last_tick.with_label_values(&["s"]).set(1.0);
        self.next_tick.with_label_values(&["s"]).set(1.0);
        self.processes.with_label_values(&["api"]).set(1);
        for single in [&self.started, &self.repeated, &self.restarts, &self.forgotten] {
            single.with_label_values(&["x"]).inc();
        }
    }
}
