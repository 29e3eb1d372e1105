//! What operators measure: the engine's reports and the database's depth as Prometheus series, all named `innkeeper_…`.
//!
//! Labels come from fixed lists (queues, workflows, effects, classes of failure), never from ids, so that the number of series is
//! bounded by the code and not by the traffic.

mod described;
mod gather;
mod series;

pub use described::{Described, table};

use crate::heart::LastBeat;
use engine::{Called, Ended, News, Observe, Tried};
use gather::Gathered;
use prometheus::Registry;
use series::Series;
use std::time::Duration;

/// Which build a process is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// The version of the product.
    pub version: &'static str,
    /// The commit that its sources were of; `unknown` where nobody could tell.
    pub revision: &'static str,
    /// The version of the compiler.
    pub rustc: &'static str,
}

/// The engine's and the worker's series in one registry. Give it to the engine as its observer and to the worker's settings, and call
/// [`Metrics::gather`] before every scrape.
pub struct Metrics {
    series: Series,
    last_beat: LastBeat,
    gathered: Gathered,
}

impl Metrics {
    /// Registers every series.
    ///
    /// # Errors
    /// When the registry has series of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self { series: Series::register(registry)?, last_beat: LastBeat::default(), gathered: Gathered::default() })
    }

    /// Says which build this process is of.
    pub fn built(&self, build: Build) {
        let Build { version, revision, rustc } = build;
        self.series.build.with_label_values(&[version, revision, rustc]).set(1);
    }

    /// What the series mean.
    #[must_use]
    pub fn described(&self) -> Vec<Described> {
        self.series.described.clone()
    }

    pub(crate) fn last_beat(&self) -> LastBeat {
        self.last_beat.clone()
    }

    /// A part of the worker was started again.
    pub(crate) fn restarted(&self, part: &str) {
        self.series.restarts.with_label_values(&[part]).inc();
    }

    /// A chore removed this much.
    pub(crate) fn forgot(&self, chore: &str, count: u64) {
        self.series.forgotten.with_label_values(&[chore]).inc_by(count);
    }
}

impl Observe for Metrics {
    fn committed(&self, turns: usize, took: Duration) {
        self.series.commit_turns.observe(turns as f64);
        self.series.commit_duration.observe(took.as_secs_f64());
    }

    fn claimed(&self, count: usize, took: Duration) {
        self.series.claimed.inc_by(count as u64);
        self.series.claim_duration.observe(took.as_secs_f64());
    }

    fn waited(&self, pool: &'static str, took: Duration) {
        self.series.pool_wait.with_label_values(&[pool]).observe(took.as_secs_f64());
    }

    fn news(&self, news: &News) {
        let series = &self.series;
        match news {
            News::Started { workflow } => series.started.with_label_values(&[*workflow]).inc(),
            News::Finished { workflow, state, lasted } => {
                series.finished.with_label_values(&[*workflow, state]).inc();
                series.lifetime.with_label_values(&[*workflow, state]).observe(lasted.as_secs_f64());
            }
            News::Turned { workflow, verdict } => series.turns.with_label_values(&[*workflow, *verdict]).inc(),
            News::Repeated { workflow } => series.repeated.with_label_values(&[*workflow]).inc(),
        }
    }

    fn tried(&self, tried: &Tried<'_>) {
        let Tried { work: _, queue, workflow, effect, ended, waited, took } = *tried;
        let outcome = match ended {
            Ended::Done => "done",
            Ended::Retried(_) => "retried",
            Ended::Parked(_) => "parked",
            Ended::Refused => "refused",
        };
        let series = &self.series;
        series.tries.with_label_values(&[workflow, effect, outcome]).inc();
        series.wait.with_label_values(&[queue]).observe(waited.as_secs_f64());
        series.duration.with_label_values(&[workflow, effect, outcome]).observe(took.as_secs_f64());
        if let Ended::Retried(class) = ended {
            series.retries.with_label_values(&[queue, class]).inc();
        }
    }

    fn called(&self, called: &Called<'_>) {
        let Called { party, effect, failed, took } = *called;
        self.series.calls.with_label_values(&[party, effect, failed.unwrap_or("answered")]).inc();
        self.series.call_duration.with_label_values(&[party]).observe(took.as_secs_f64());
    }

    fn parked(&self, queue: &str, class: &str) {
        self.series.parked.with_label_values(&[queue, class]).inc();
    }

    fn rescued(&self, count: u64) {
        self.series.rescued.inc_by(count);
    }

    fn reclaimed(&self, count: u64) {
        self.series.reclaimed.inc_by(count);
    }

    fn split(&self) {
        self.series.splits.inc();
    }

    fn recalled(&self, same: bool) {
        self.series.recalls.with_label_values(&[if same { "same" } else { "changed" }]).inc();
    }

    fn sealed(&self, count: u64) {
        self.series.sealed.inc_by(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::TextEncoder;

    fn exposed(report: impl FnOnce(&Metrics)) -> String {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        report(&metrics);
        TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    fn tried(ended: Ended) -> Tried<'static> {
        let (waited, took) = (Duration::from_millis(3), Duration::from_millis(20));
        let work = engine::WorkId { run: engine::RunId::from_uuid(uuid::Uuid::nil()), seq: 0, n: 0 };
        Tried { work, queue: "mail", workflow: "mail", effect: "Deliver", ended, waited, took }
    }

    fn called(failed: Option<&'static str>) -> Called<'static> {
        Called { party: "smtp", effect: "Deliver", failed, took: Duration::from_millis(20) }
    }

    #[test]
    fn every_way_a_try_can_end_is_counted() {
        let text = exposed(|metrics| {
            metrics.tried(&tried(Ended::Done));
            metrics.tried(&tried(Ended::Retried("transient")));
            metrics.tried(&tried(Ended::Parked("poison")));
            metrics.tried(&tried(Ended::Refused));
            metrics.called(&called(None));
            metrics.called(&called(Some("transient")));
            metrics.parked("mail", "poison");
            metrics.committed(12, Duration::from_millis(2));
            metrics.claimed(7, Duration::from_millis(2));
            metrics.news(&News::Started { workflow: "payment" });
            metrics.news(&News::Turned { workflow: "payment", verdict: "unexpected" });
            let (state, lasted) = ("Voided".to_owned(), Duration::from_secs(5400));
            metrics.news(&News::Finished { workflow: "payment", state, lasted });
            metrics.news(&News::Repeated { workflow: "payment" });
            metrics.waited("write", Duration::from_millis(250));
            metrics.rescued(3);
            metrics.reclaimed(2);
            metrics.split();
            metrics.sealed(9);
            metrics.recalled(true);
            metrics.recalled(false);
            metrics.restarted("bell");
            metrics.forgot("sessions", 4);
        });
        for line in [
            r#"innkeeper_work_tries_total{effect="Deliver",outcome="done",workflow="mail"} 1"#,
            r#"innkeeper_work_tries_total{effect="Deliver",outcome="refused",workflow="mail"} 1"#,
            r#"innkeeper_work_retries_total{class="transient",queue="mail"} 1"#,
            r#"innkeeper_work_parked_total{class="poison",queue="mail"} 1"#,
            r#"innkeeper_work_wait_seconds_count{queue="mail"} 4"#,
            r#"innkeeper_work_duration_seconds_count{effect="Deliver",outcome="done",workflow="mail"} 1"#,
            r#"innkeeper_work_duration_seconds_sum{effect="Deliver",outcome="parked",workflow="mail"} 0.02"#,
            "innkeeper_commit_turns_sum 12",
            "innkeeper_claimed_total 7",
            "innkeeper_claim_duration_seconds_count 1",
            r#"innkeeper_workflow_turns_total{verdict="unexpected",workflow="payment"} 1"#,
            r#"innkeeper_workflow_started_total{workflow="payment"} 1"#,
            r#"innkeeper_workflow_finished_total{state="Voided",workflow="payment"} 1"#,
            r#"innkeeper_workflow_duration_seconds_sum{state="Voided",workflow="payment"} 5400"#,
            r#"innkeeper_workflow_duration_seconds_bucket{state="Voided",workflow="payment",le="3600"} 0"#,
            r#"innkeeper_workflow_duration_seconds_bucket{state="Voided",workflow="payment",le="21600"} 1"#,
            r#"innkeeper_workflow_repeats_total{workflow="payment"} 1"#,
            r#"innkeeper_database_wait_seconds_sum{pool="write"} 0.25"#,
            "innkeeper_leases_rescued_total 3",
            "innkeeper_leases_reclaimed_total 2",
            "innkeeper_commit_splits_total 1",
            "innkeeper_facts_sealed_total 9",
            r#"innkeeper_commit_recalls_total{found="same"} 1"#,
            r#"innkeeper_commit_recalls_total{found="changed"} 1"#,
            r#"innkeeper_worker_restarts_total{part="bell"} 1"#,
            r#"innkeeper_housekeeping_removed_total{chore="sessions"} 4"#,
            r#"innkeeper_party_calls_total{effect="Deliver",outcome="transient",party="smtp"} 1"#,
            r#"innkeeper_party_calls_total{effect="Deliver",outcome="answered",party="smtp"} 1"#,
            r#"innkeeper_party_call_duration_seconds_count{party="smtp"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    /// The rules of `promtool check metrics` that a name can break.
    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        metrics.series.touch();
        let families = registry.gather();
        assert!(families.len() >= 20, "{}", families.len());
        for family in families {
            let (name, kind) = (family.name(), family.get_field_type());
            assert!(name.starts_with("innkeeper_"), "{name}");
            assert!(!family.help().is_empty(), "{name} has no help");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            let counter = kind == prometheus::proto::MetricType::COUNTER;
            assert_eq!(name.ends_with("_total"), counter, "{name}: only counters end in _total, and all of them do");
            for bad in
                ["_milliseconds", "_ms", "_minutes", "_count", "_sum", "_bucket", "counter", "gauge", "histogram"]
            {
                assert!(!name.ends_with(bad), "{name}: not a base unit, or a reserved ending");
            }
        }
    }
}
