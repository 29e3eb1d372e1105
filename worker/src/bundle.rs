//! Leases that one task carries out together: what a job costs on its way through apalis is paid once for several.
//!
//! A bundle's executions wait side by side, but on one thread at a time. So bundles are only made of what would wait for a thread
//! anyway, and there are enough of them for every thread; a lease that comes alone is carried out alone. So is one whose holder has
//! died: if it never yields, nothing else is to wait in its task.

use engine::Lease;
use std::collections::BTreeMap;

/// Leases of one queue.
pub(crate) type Bundle = Vec<Lease>;

/// The most that one task carries out.
const MOST: usize = 16;
/// How many bundles there are for each thread, if there is enough for them: one that takes its time leaves the thread's other ones to
/// other threads.
const EACH: usize = 2;

/// Sorts what waits by queue, in its order, into bundles for so many threads.
pub(crate) fn bundles(waiting: impl Iterator<Item = Lease>, threads: usize) -> Vec<Bundle> {
    apart(waiting, Lease::has_seen_a_death, |rest| gathered(rest, Lease::queue, size_for(threads)))
}

/// Whoever has to be by itself is; the rest is bundled.
fn apart<T>(
    waiting: impl Iterator<Item = T>,
    alone: fn(&T) -> bool,
    bundled: impl FnOnce(std::vec::IntoIter<T>) -> Vec<Vec<T>>,
) -> Vec<Vec<T>> {
    let (alone, rest): (Vec<T>, Vec<T>) = waiting.partition(alone);
    let mut bundles = bundled(rest.into_iter());
    bundles.extend(alone.into_iter().map(|one| vec![one]));
    bundles
}

/// How much goes into a bundle when so many are waiting.
fn size_for(threads: usize) -> impl Fn(usize) -> usize {
    move |waiting| (waiting / (EACH * threads.max(1))).clamp(1, MOST)
}

fn gathered<T>(waiting: impl Iterator<Item = T>, queue: fn(&T) -> &str, size: impl Fn(usize) -> usize) -> Vec<Vec<T>> {
    let mut queues: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for one in waiting {
        match queues.get_mut(queue(&one)) {
            Some(line) => line.push(one),
            None => drop(queues.insert(queue(&one).to_owned(), vec![one])),
        }
    }
    let mut gathered = vec![];
    for line in queues.into_values() {
        let (size, mut line) = (size(line.len()), line.into_iter().peekable());
        while line.peek().is_some() {
            gathered.push(line.by_ref().take(size).collect());
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_bundles_for_every_thread_before_any_of_them_grows() {
        let sizes = |threads| [1, 3, 4, 8, 64, 256].map(size_for(threads));
        assert_eq!(sizes(1), [1, 1, 2, 4, 16, 16]);
        assert_eq!(sizes(2), [1, 1, 1, 2, 16, 16]);
        assert_eq!(sizes(16), [1, 1, 1, 1, 2, 8]);
    }

    #[test]
    fn whoever_has_seen_a_death_is_in_a_bundle_by_itself() {
        let apart = apart(1..=6, |n| n % 3 == 0, |rest| vec![rest.collect()]);
        assert_eq!(apart, [vec![1, 2, 4, 5], vec![3], vec![6]]);
    }

    #[test]
    fn bundles_are_of_one_queue_and_keep_its_order() {
        let waiting = ["mail 1", "engine 1", "engine 2", "mail 2", "engine 3"];
        let queue = |work: &&'static str| work.split(' ').next().unwrap_or_default();
        let gathered = gathered(waiting.into_iter(), queue, |_| 2);
        assert_eq!(gathered, [vec!["engine 1", "engine 2"], vec!["engine 3"], vec!["mail 1", "mail 2"]]);
    }
}
