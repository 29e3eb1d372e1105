//! Who used the processors: a process with all that it started, and everybody together, from `/proc`.

use std::collections::HashMap;
use std::fs;

/// Clock ticks per second of `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

/// Processor seconds of these processes and of everything that they started, reaped children included.
pub(crate) fn of_trees(roots: &[u32]) -> f64 {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut used: HashMap<u32, f64> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((parent, seconds)) = one(&stat) else { continue };
        children.entry(parent).or_default().push(pid);
        used.insert(pid, seconds);
    }
    let (mut open, mut sum) = (roots.to_vec(), 0.0);
    while let Some(pid) = open.pop() {
        sum += used.get(&pid).copied().unwrap_or_default();
        open.extend(children.remove(&pid).unwrap_or_default());
    }
    sum
}

/// Processor seconds of the whole machine so far, waiting and idling left out.
pub(crate) fn of_the_machine() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    busy(stat.lines().next().unwrap_or_default())
}

/// The parent of a process, and what it and its reaped children have used.
fn one(stat: &str) -> Option<(u32, f64)> {
    // The second field is the program's name in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let parent = fields.get(1)?.parse().ok()?;
    let ticks: f64 = fields.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Some((parent, ticks / TICKS))
}

fn busy(line: &str) -> f64 {
    let fields: Vec<f64> = line.split_whitespace().skip(1).filter_map(|ticks| ticks.parse().ok()).collect();
    // user, nice, system, (idle, iowait,) irq, softirq
    [0, 1, 2, 5, 6].iter().filter_map(|place| fields.get(*place)).sum::<f64>() / TICKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_counts_with_its_reaped_children_whatever_its_name() {
        let stat = "7 (a) b (c) S 3 7 7 0 -1 0 1 2 3 4 100 50 20 30 20 0 1 0 9";
        assert_eq!(one(stat), Some((3, 2.0)));
        assert_eq!(one(""), None);
    }

    #[test]
    fn waiting_is_not_work() {
        assert_eq!(busy("cpu  100 0 100 5000 700 0 100 9 0 0"), 3.0);
    }

    #[test]
    fn our_own_work_is_seen() {
        let before = of_trees(&[std::process::id()]);
        let mut sum = 0u64;
        while of_trees(&[std::process::id()]) <= before {
            sum = (0..10_000_000).fold(sum, |sum: u64, n| std::hint::black_box(sum ^ n));
        }
        assert!(of_the_machine() > 0.0);
    }
}
