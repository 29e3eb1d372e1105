//! A contestant's side: it says when a phase of its work begins and ends, and what came of it.
//!
//! `begin NAME` and `end NAME {figures}`, a line each. `count` is how many units of work the phase did: the contest divides by it.

use serde_json::{Value, json};
use std::io::Write;
use std::time::Instant;

/// A phase that has begun.
pub(crate) struct Phase {
    name: String,
    began: Instant,
}

impl Phase {
    /// Says that it begins.
    pub(crate) fn begin(name: impl Into<String>) -> Self {
        let name = name.into();
        say(&format!("begin {name}"));
        Self { name, began: Instant::now() }
    }

    /// Says that so many units of work are done, in the time since it began.
    pub(crate) fn done(self, count: usize) {
        let per_second = count as f64 / self.began.elapsed().as_secs_f64();
        say(&format!("end {} {}", self.name, json!({ "count": count, "per_second": per_second })));
    }

    /// Says that it ended with these latencies in milliseconds.
    pub(crate) fn latencies(self, milliseconds: Vec<f64>) {
        let count = milliseconds.len();
        let figures = json!({
            "count": count,
            "p50": percentile(&milliseconds, 0.5),
            "p99": percentile(&milliseconds, 0.99),
        });
        say(&format!("end {} {figures}", self.name));
    }
}

fn say(line: &str) {
    // A contest that no longer listens has ended: there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// One line of a contestant's output, for the contest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Begin(String),
    End(String, Value),
}

impl Said {
    /// Reads a line; anything else that a contestant prints is none of ours.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "begin" => Some(Self::Begin(rest.trim().to_owned())),
            "end" => {
                let (name, figures) = rest.split_once(' ')?;
                Some(Self::End(name.to_owned(), serde_json::from_str(figures).ok()?))
            }
            _ => None,
        }
    }
}

/// The value below which this share of them lies; nothing for none.
pub(crate) fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (0..sorted.len()).rev().find(|place| *place as f64 <= sorted.len() as f64 * share)?;
    sorted.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.5), Some(50.0));
        assert_eq!(percentile(&hundred, 0.99), Some(99.0));
        assert_eq!(percentile(&[7.0], 0.99), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn what_a_contestant_says_is_read_and_its_chatter_is_not() {
        assert_eq!(Said::read("begin drain"), Some(Said::Begin("drain".to_owned())));
        let end = Said::read(r#"end drain {"count":3}"#);
        assert_eq!(end, Some(Said::End("drain".to_owned(), json!({ "count": 3 }))));
        assert_eq!(Said::read("end of the story"), None);
        assert_eq!(Said::read("listening on port 1"), None);
    }
}
