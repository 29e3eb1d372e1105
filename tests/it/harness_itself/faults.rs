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

/// The experiments that plant a bug and fail unless it is found: what they stand in, and what a name follows in them.
///
/// The plays are run by the tests or by `./ops/chaos --prove`, the simulation by the tests and by `./ops/simulate mutations`.
const EXPERIMENTS: [(&str, &str, &str); 3] = [
    ("tests/it/killed/planted.rs", "must_find", ");"),
    ("workflows/engine/src/testkit/sim/tests.rs", "must_be_missed(", ";"),
    ("workflows/engine/examples/simulate.rs", "const GUARDS", "];"),
];

/// The words between quotation marks in every call of an experiment, up to where it ends; a play may plant more than one thing.
fn sought() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (file, call, end) in EXPERIMENTS {
        let code = std::fs::read_to_string(root().join(file)).unwrap();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let calls = code.split(call).skip(1).filter_map(|rest| rest.split(end).next());
        let words = calls.flat_map(|call| call.split('"').skip(1).step_by(2)).flat_map(|words| words.split(','));
        names.extend(words.map(str::to_owned));
    }
    names
}

#[test]
fn every_bug_of_the_list_has_an_experiment_that_must_find_it() {
    let sought = sought();
    let overlooked: Vec<_> = PLANTED.iter().filter(|bug| !sought.contains(**bug)).collect();
    assert!(overlooked.is_empty(), "nobody has to find {overlooked:?}");
    assert!(!sought.contains("no_such_bug") && sought.len() >= PLANTED.len());
}

/// A guard that is taken out is missed in every build, not only when somebody asks the simulation for it.
#[test]
fn every_guard_of_the_simulation_is_a_test_too() {
    let code = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let tests = code(EXPERIMENTS[1].0);
    let guards = code(EXPERIMENTS[2].0);
    let guards = guards.split("const GUARDS").nth(1).and_then(|rest| rest.split("];").next()).unwrap();
    let guards: Vec<_> = guards.split('"').skip(1).step_by(2).collect();
    assert!(guards.len() >= 11, "{guards:?}");
    for guard in guards {
        assert!(tests.contains(&format!("must_be_missed(\"{guard}\"")), "no test demands that {guard} is missed");
    }
}
