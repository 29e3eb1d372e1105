//! The tables of known cases and of the engine's promises: nothing is left out, and every test that they name exists.

use std::path::{Path, PathBuf};

const CASES: usize = 45;

struct Row {
    no: usize,
    cover: String,
}

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn table() -> String {
    std::fs::read_to_string(root().join("tests/cases.md")).unwrap()
}

fn rows() -> Vec<Row> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [no, _, cover] = cells[..] else { return None };
        Some(Row { no: no.parse().ok()?, cover: cover.to_owned() })
    };
    table().lines().filter_map(row).collect()
}

/// Every source file with tests, by its path within the workspace.
pub(super) fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn every_source() -> Vec<(String, String)> {
    let mut found = vec![];
    for folder in ["tests/it", "workflows", "worker/src"] {
        sources(&root().join(folder), &mut found);
    }
    found
}

/// Whether a test of this path is defined: the function, in a file that the rest of the path leads to.
fn exists(path: &str, sources: &[(String, String)]) -> bool {
    let (modules, name) = path.rsplit_once("::").unwrap_or(("", path));
    let last = modules.rsplit("::").find(|module| !matches!(*module, "tests" | "mutations")).unwrap_or("sim");
    let head = format!("fn {name}(");
    sources.iter().any(|(file, text)| {
        let led = file.ends_with(&format!("/{last}.rs")) || file.contains(&format!("/{last}/"));
        led && text.contains(&head)
    })
}

/// The words between back-ticks that are paths.
fn named(cover: &str) -> impl Iterator<Item = &str> {
    cover.split('`').skip(1).step_by(2).filter(|word| word.contains("::"))
}

#[test]
fn every_known_case_is_listed_once() {
    let numbers: Vec<usize> = rows().iter().map(|row| row.no).collect();
    assert_eq!(numbers, (1..=CASES).collect::<Vec<_>>());
}

#[test]
fn every_case_has_a_test_that_exists_or_a_reason() {
    let found = every_source();
    assert!(!exists("engine::fences::no_such_test", &found));
    for Row { no, cover } in rows() {
        // A word is no test: whatever the simulation covers says by which name it is run.
        let reason = cover.contains("n/a:");
        assert!(!cover.contains("open:"), "case {no} has something to be shown");
        assert!(reason || named(&cover).next().is_some(), "case {no} is covered by nothing");
    }
    for path in named(&table()) {
        assert!(exists(path, &found), "the table names {path}, which is not there");
    }
}

/// What the crate doc of the engine promises, and what it says of how that is shown.
fn promises() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("workflows/engine/src/lib.rs")).unwrap();
    let row = |line: &str| {
        let (promise, shown) = line.strip_prefix("//! | ")?.strip_suffix(" |")?.split_once(" | ")?;
        (promise != "promise").then(|| (promise.to_owned(), shown.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn every_promise_of_the_engine_has_a_test_that_exists() {
    let (promises, found) = (promises(), every_source());
    assert!(promises.len() > 30, "{} promises", promises.len());
    for (promise, shown) in promises {
        // `all of x` stands for every test of a file.
        let whole = shown.strip_prefix("all of `").and_then(|rest| rest.split('`').next());
        let whole = whole.map(|file| format!("tests/it/engine/{file}.rs"));
        let is_there = |file: &String| found.iter().any(|(path, text)| path.ends_with(file) && text.contains("fn "));
        let tests: Vec<&str> = named(&shown).filter(|path| *path != "harness::proof").collect();
        assert!(whole.as_ref().is_some_and(is_there) || !tests.is_empty(), "nothing shows that {promise}");
        for path in tests {
            assert!(exists(path, &found), "{promise}: {path} is not there");
        }
    }
}
