//! `innkeeper metrics`: what `/metrics` shows. `ops/metrics.md` is what this prints, and a test keeps it so.

use anyhow::Result;
use worker::metrics::{Described, Metrics, table};

/// The page.
pub(crate) fn page() -> Result<String> {
    let worker = Metrics::new(&prometheus::Registry::new())?;
    let api = api::metrics::families().into_iter().flat_map(Described::of);
    let all = worker.described().into_iter().chain(api).collect();
    Ok(format!(
        "# What `/metrics` shows\n\nBy the rules of Prometheus, in base units, and with labels from fixed lists: never an id, never a path. Gauges of the\n\
         whole cluster (depths, brakes, schedules, processes) are the same from every process: take `max`, not `sum`.\n\
         `innkeeper metrics` prints this page from the code.\n\n{}",
        table(all)
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_in_the_repository_is_what_is_printed() {
        let kept = include_str!("../../metrics.md");
        assert_eq!(super::page().unwrap(), kept, "renew it: cargo run -- metrics > ops/metrics.md");
    }
}
