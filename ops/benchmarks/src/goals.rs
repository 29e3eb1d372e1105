//! What we are out for, as ratios between medians of one contest, and whether it was reached.

use crate::phase::percentile;
use serde::Serialize;
use std::collections::BTreeMap;

/// What one phase of one contestant came to, in one round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) contestant: String,
    pub(crate) round: usize,
    pub(crate) phase: String,
    /// `per_second`, or `p50` and `p99` in milliseconds; and always `cpu`, in milliseconds per unit of work, servers included.
    pub(crate) figures: BTreeMap<String, f64>,
    /// Processors that everybody else on the machine used meanwhile.
    pub(crate) others_cores: f64,
}

/// Whose figure of which phase.
#[derive(Clone, Copy, Debug)]
struct Figure(&'static str, &'static str, &'static str);

/// What stands on either side of a ratio.
#[derive(Clone, Copy, Debug)]
enum Side {
    One(Figure),
    /// Two phases of one unit's life.
    Sum(Figure, Figure),
    /// The better of two peers, where less is better.
    Least(Figure, Figure),
    /// No peer: an absolute figure.
    Of(f64),
}

#[derive(Clone, Copy, Debug)]
enum Want {
    AtLeast(f64),
    AtMost(f64),
}

/// A goal of the contest.
#[derive(Clone, Copy, Debug)]
struct Goal {
    name: &'static str,
    what: &'static str,
    ours: Side,
    theirs: Side,
    want: Want,
    /// Where better than good would begin.
    stretch: Option<f64>,
}

/// A goal with what was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) goal: &'static str,
    pub(crate) what: &'static str,
    pub(crate) ours: Option<f64>,
    pub(crate) theirs: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) wanted: String,
    /// Nothing when a side was not measured.
    pub(crate) met: Option<bool>,
    pub(crate) stretch_met: Option<bool>,
}

const fn one(contestant: &'static str, phase: &'static str, figure: &'static str) -> Side {
    Side::One(Figure(contestant, phase, figure))
}

const fn goal(name: &'static str, what: &'static str, ours: Side, theirs: Side, want: Want) -> Goal {
    Goal { name, what, ours, theirs, want, stretch: None }
}

/// A job's whole life: begun in this phase, then drained.
const fn life(contestant: &'static str, begun: &'static str) -> Side {
    Side::Sum(Figure(contestant, begun, "cpu"), Figure(contestant, "drain", "cpu"))
}

const fn best_paced(figure: &'static str) -> Side {
    Side::Least(Figure("dbos", "paced", figure), Figure("restate", "paced", figure))
}

use Want::{AtLeast, AtMost};

/// In the order of the issue that set them.
const GOALS: &[Goal] = &[
    goal(
        "G1",
        "durable enqueue with its business row, its caller's transaction, beside pg-boss",
        one("innkeeper", "enqueue", "per_second"),
        one("pg-boss", "enqueue", "per_second"),
        AtLeast(8.0),
    ),
    goal(
        "G1",
        "the same beside graphile-worker",
        one("innkeeper", "enqueue", "per_second"),
        one("graphile-worker", "enqueue", "per_second"),
        AtLeast(8.0),
    ),
    goal(
        "G1",
        "the same through the writer, its row a projection, beside pg-boss",
        one("innkeeper", "together", "per_second"),
        one("pg-boss", "enqueue", "per_second"),
        AtLeast(8.0),
    ),
    goal(
        "G1",
        "the same through the writer, beside graphile-worker",
        one("innkeeper", "together", "per_second"),
        one("graphile-worker", "enqueue", "per_second"),
        AtLeast(8.0),
    ),
    goal(
        "G1",
        "durable enqueue in its caller's transaction, beside its rows by bare SQL",
        one("innkeeper", "enqueue", "per_second"),
        one("innkeeper", "bare", "per_second"),
        AtLeast(0.5),
    ),
    goal(
        "G2",
        "backlog drained, beside pg-boss",
        one("innkeeper", "drain", "per_second"),
        one("pg-boss", "drain", "per_second"),
        AtLeast(2.0),
    ),
    goal(
        "G2",
        "backlog drained, beside graphile-worker",
        one("innkeeper", "drain", "per_second"),
        one("graphile-worker", "drain", "per_second"),
        AtLeast(1.3),
    ),
    Goal {
        stretch: Some(20.0),
        ..goal(
            "G3",
            "3-step workflows, 32 in flight, beside DBOS",
            one("innkeeper", "steps32", "per_second"),
            one("dbos", "steps32", "per_second"),
            AtLeast(10.0),
        )
    },
    Goal {
        stretch: Some(6.0),
        ..goal(
            "G3",
            "3-step workflows, 32 in flight, beside Restate",
            one("innkeeper", "steps32", "per_second"),
            one("restate", "steps32", "per_second"),
            AtLeast(3.0),
        )
    },
    goal(
        "G4",
        "commit to start, one process, 50/s, p50 beside pg-boss",
        one("innkeeper", "same50", "p50"),
        one("pg-boss", "start50", "p50"),
        AtMost(0.5),
    ),
    goal(
        "G4",
        "commit to start, one process, 50/s, p99 beside graphile-worker",
        one("innkeeper", "same50", "p99"),
        one("graphile-worker", "start50", "p99"),
        AtMost(1.0),
    ),
    goal(
        "G4",
        "commit to start, one process, 200/s, p50 beside pg-boss",
        one("innkeeper", "same200", "p50"),
        one("pg-boss", "start200", "p50"),
        AtMost(0.5),
    ),
    goal(
        "G4",
        "commit to start, one process, 200/s, p99 beside graphile-worker",
        one("innkeeper", "same200", "p99"),
        one("graphile-worker", "start200", "p99"),
        AtMost(1.0),
    ),
    goal(
        "G4",
        "commit to start, two processes, 50/s, p50 beside pg-boss",
        one("innkeeper", "across50", "p50"),
        one("pg-boss", "start50", "p50"),
        AtMost(0.5),
    ),
    goal(
        "G4",
        "commit to start, two processes, 50/s, p99 beside graphile-worker",
        one("innkeeper", "across50", "p99"),
        one("graphile-worker", "start50", "p99"),
        AtMost(1.0),
    ),
    goal(
        "G4",
        "commit to start, two processes, 200/s, p50 beside pg-boss",
        one("innkeeper", "across200", "p50"),
        one("pg-boss", "start200", "p50"),
        AtMost(0.5),
    ),
    goal(
        "G4",
        "commit to start, two processes, 200/s, p99 beside graphile-worker",
        one("innkeeper", "across200", "p99"),
        one("graphile-worker", "start200", "p99"),
        AtMost(1.0),
    ),
    goal(
        "G5",
        "3-step workflow at 20/s, p50 beside the better of DBOS and Restate",
        one("innkeeper", "paced", "p50"),
        best_paced("p50"),
        AtMost(0.5),
    ),
    goal(
        "G5",
        "3-step workflow at 20/s, p99 beside the better of DBOS and Restate",
        one("innkeeper", "paced", "p99"),
        best_paced("p99"),
        AtMost(0.7),
    ),
    goal(
        "G6",
        "CPU of a job drained, beside BullMQ",
        one("innkeeper", "drain", "cpu"),
        one("bullmq", "drain", "cpu"),
        AtMost(0.5),
    ),
    goal(
        "G6",
        "CPU of a job enqueued and drained, beside BullMQ",
        life("innkeeper", "enqueue"),
        life("bullmq", "enqueue"),
        AtMost(0.5),
    ),
    goal(
        "G6",
        "the same, enqueued through the writer",
        life("innkeeper", "together"),
        life("bullmq", "enqueue"),
        AtMost(0.5),
    ),
    goal(
        "G6",
        "CPU of a 3-step workflow, beside Restate",
        one("innkeeper", "steps32", "cpu"),
        one("restate", "steps32", "cpu"),
        AtMost(0.4),
    ),
    goal(
        "G6",
        "CPU of a 3-step workflow, beside DBOS",
        one("innkeeper", "steps32", "cpu"),
        one("dbos", "steps32", "cpu"),
        AtMost(0.15),
    ),
    goal(
        "G10",
        "SQLite: single enqueue, its caller's transaction, beside raw commits",
        one("innkeeper-sqlite", "enqueue", "per_second"),
        one("innkeeper-sqlite", "commits", "per_second"),
        AtLeast(0.5),
    ),
    goal(
        "G10",
        "SQLite: single enqueue through the writer, beside raw commits",
        one("innkeeper-sqlite", "together", "per_second"),
        one("innkeeper-sqlite", "commits", "per_second"),
        AtLeast(0.5),
    ),
    goal(
        "G10",
        "SQLite: backlog drained, a second",
        one("innkeeper-sqlite", "drain", "per_second"),
        Side::Of(1.0),
        AtLeast(30_000.0),
    ),
    Goal {
        stretch: Some(8000.0),
        ..goal(
            "G10",
            "SQLite: 3-step workflows, 32 in flight, a second",
            one("innkeeper-sqlite", "steps32", "per_second"),
            Side::Of(1.0),
            AtLeast(1700.0),
        )
    },
];

/// Every goal, judged by the medians over the rounds.
pub(crate) fn judge(measured: &[Measured]) -> Vec<Outcome> {
    GOALS.iter().map(|goal| goal.judge(measured)).collect()
}

/// The median over the rounds.
pub(crate) fn median(measured: &[Measured], contestant: &str, phase: &str, figure: &str) -> Option<f64> {
    let of = |m: &&Measured| m.contestant == contestant && m.phase == phase;
    let mut values: Vec<f64> = measured.iter().filter(of).filter_map(|m| m.figures.get(figure)).copied().collect();
    values.sort_by(f64::total_cmp);
    let upper = percentile(&values, 0.5)?;
    Some(if values.len().is_multiple_of(2) {
        (upper + values[values.len() / 2 - 1]) / 2.0
    } else {
        values[values.len() / 2]
    })
}

impl Side {
    fn value(self, measured: &[Measured]) -> Option<f64> {
        let of = |Figure(contestant, phase, figure)| median(measured, contestant, phase, figure);
        match self {
            Self::One(figure) => of(figure),
            Self::Sum(one, other) => Some(of(one)? + of(other)?),
            Self::Least(one, other) => match (of(one), of(other)) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            },
            Self::Of(value) => Some(value),
        }
    }
}

impl Goal {
    fn judge(&self, measured: &[Measured]) -> Outcome {
        let Self { name, what, ours, theirs, want, stretch } = *self;
        let (ours, theirs) = (ours.value(measured), theirs.value(measured));
        let ratio = ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
        let wanted = match want {
            AtLeast(least) => format!("≥ {least}"),
            AtMost(most) => format!("≤ {most}"),
        };
        let met = ratio.map(|ratio| match want {
            AtLeast(least) => ratio >= least,
            AtMost(most) => ratio <= most,
        });
        let stretch_met = stretch.and_then(|stretch| ratio.map(|ratio| ratio >= stretch));
        Outcome { goal: name, what, ours, theirs, ratio, wanted, met, stretch_met }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(contestant: &str, phase: &str, figure: &str, values: &[f64]) -> Vec<Measured> {
        let one = |(round, value): (usize, &f64)| Measured {
            contestant: contestant.to_owned(),
            round,
            phase: phase.to_owned(),
            figures: [(figure.to_owned(), *value)].into(),
            others_cores: 0.0,
        };
        values.iter().enumerate().map(one).collect()
    }

    fn outcome<'a>(outcomes: &'a [Outcome], what: &str) -> &'a Outcome {
        outcomes.iter().find(|outcome| outcome.what.contains(what)).expect("there is such a goal")
    }

    #[test]
    fn a_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(&measured("a", "b", "c", &[9.0, 1.0, 2.0]), "a", "b", "c"), Some(2.0));
        assert_eq!(median(&measured("a", "b", "c", &[9.0, 1.0, 2.0, 4.0]), "a", "b", "c"), Some(3.0));
        assert_eq!(median(&measured("a", "b", "c", &[9.0]), "a", "b", "else"), None);
    }

    #[test]
    fn more_is_better_for_throughput_and_less_for_time() {
        let mut all = measured("innkeeper", "enqueue", "per_second", &[7000.0, 9000.0, 8000.0]);
        all.extend(measured("pg-boss", "enqueue", "per_second", &[1000.0, 1000.0, 1100.0]));
        all.extend(measured("graphile-worker", "enqueue", "per_second", &[1001.0; 3]));
        all.extend(measured("innkeeper", "same50", "p50", &[0.51]));
        all.extend(measured("pg-boss", "start50", "p50", &[1.0]));
        let outcomes = judge(&all);
        assert_eq!(outcome(&outcomes, "beside pg-boss").met, Some(true));
        assert_eq!(outcome(&outcomes, "the same beside graphile").met, Some(false));
        assert_eq!(outcome(&outcomes, "one process, 50/s, p50").met, Some(false));
    }

    #[test]
    fn the_better_peer_counts_and_a_missing_one_is_no_success() {
        let mut all = measured("innkeeper", "paced", "p50", &[3.9]);
        all.extend(measured("dbos", "paced", "p50", &[8.0]));
        let paced = |all: &[Measured]| outcome(&judge(all), "20/s, p50").met;
        assert_eq!(paced(&all), Some(true));
        all.extend(measured("restate", "paced", "p50", &[7.0]));
        assert_eq!(paced(&all), Some(false));
        assert_eq!(outcome(&judge(&all), "beside Restate").met, None);
    }
}
