//! The list of crash points and bugs, and the code: what is listed stands where the list says, once, and nothing stands there unlisted.

use std::collections::{BTreeMap, BTreeSet};

use engine::faults::{PLANTED, POINTS};

use super::cases::{root, sources};

/// The names in calls like this one, with the files they stand in.
fn called(call: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = vec![];
    for folder in ["workflows", "worker", "api", "ops"] {
        sources(&root().join(folder), &mut found);
    }
    let mut names: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (file, text) in found {
        let file = file.trim_start_matches(&*root().to_string_lossy()).trim_start_matches('/').to_owned();
        for rest in text.split(call).skip(1) {
            let name = rest.split('"').next().unwrap_or_default().to_owned();
            names.entry(name).or_default().insert(file.clone());
        }
    }
    names
}

#[test]
fn every_crash_point_stands_where_the_list_says_and_nowhere_else() {
    let listed: BTreeMap<String, BTreeSet<String>> =
        POINTS.iter().map(|point| (point.name.to_owned(), [point.place.to_owned()].into())).collect();
    assert_eq!(called("faults::point(\""), listed);
    assert_eq!(listed.len(), POINTS.len(), "two points have one name");
    assert!(listed.len() >= 20);
    assert!(POINTS.iter().all(|point| !point.done.is_empty() && !point.open.is_empty()));
}

#[test]
fn every_bug_of_the_list_can_be_planted() {
    let planted: BTreeSet<String> = called("planted(\"").into_keys().collect();
    let listed: BTreeSet<String> = PLANTED.iter().map(|bug| (*bug).to_owned()).collect();
    assert_eq!(planted, listed);
}
