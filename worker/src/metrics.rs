//! What operators measure: the engine's reports and the database's depth as Prometheus series, all named `innkeeper_…`.
//!
//! Labels come from fixed lists (queues, workflows, effects, classes of failure), never from ids, so that the number of series is
//! bounded by the code and not by the traffic.

mod gather;
mod series;

use crate::heart::LastBeat;
use engine::{Ended, Observe, Tried};
use gather::Gathered;
use prometheus::Registry;
use series::Series;
use std::time::Duration;

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

    fn unexpected(&self, workflow: &str) {
        self.series.unexpected.with_label_values(&[workflow]).inc();
    }

    fn tried(&self, tried: &Tried<'_>) {
        let Tried { queue, workflow, effect, ended, waited, took } = *tried;
        let outcome = match ended {
            Ended::Done => "done",
            Ended::Retried(_) => "retried",
            Ended::Parked(_) => "parked",
            Ended::Refused => "refused",
        };
        let series = &self.series;
        series.tries.with_label_values(&[workflow, effect, outcome]).inc();
        series.wait.with_label_values(&[queue]).observe(waited.as_secs_f64());
        series.duration.with_label_values(&[workflow, effect]).observe(took.as_secs_f64());
        match ended {
            Ended::Retried(class) => series.retries.with_label_values(&[queue, class]).inc(),
            Ended::Parked(class) => series.parked.with_label_values(&[queue, class]).inc(),
            Ended::Done | Ended::Refused => {}
        }
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
        Tried { queue: "mail", workflow: "mail", effect: "Deliver", ended, waited, took }
    }

    #[test]
    fn every_way_a_try_can_end_is_counted() {
        let text = exposed(|metrics| {
            metrics.tried(&tried(Ended::Done));
            metrics.tried(&tried(Ended::Retried("transient")));
            metrics.tried(&tried(Ended::Parked("poison")));
            metrics.tried(&tried(Ended::Refused));
            metrics.committed(12, Duration::from_millis(2));
            metrics.unexpected("payment");
        });
        for line in [
            r#"innkeeper_work_tries_total{effect="Deliver",outcome="done",workflow="mail"} 1"#,
            r#"innkeeper_work_tries_total{effect="Deliver",outcome="refused",workflow="mail"} 1"#,
            r#"innkeeper_work_retries_total{class="transient",queue="mail"} 1"#,
            r#"innkeeper_work_parked_total{class="poison",queue="mail"} 1"#,
            r#"innkeeper_work_wait_seconds_count{queue="mail"} 4"#,
            r#"innkeeper_work_duration_seconds_count{effect="Deliver",workflow="mail"} 4"#,
            "innkeeper_commit_turns_sum 12",
            r#"innkeeper_facts_unexpected_total{workflow="payment"} 1"#,
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
