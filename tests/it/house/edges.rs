//! Who may import whom: of our own crates, and of the libraries that only some of them may know.

use std::collections::{BTreeMap, BTreeSet};

use super::metadata::{METADATA, Package};

/// Our crates, lowest first, each with those that it may import; what it needs beyond these in its own unit tests comes after the bar.
///
/// A test that needs more of the house belongs into the crate `tests`.
const OURS: &[(&str, &str)] = &[
    ("domain", "|"),
    ("engine", "|"),
    ("store", "domain |"),
    ("integrations", "domain |"),
    ("search_index", "domain |"),
    // The engine's tables are frozen constants there, so that its statements and its schema cannot part.
    ("migrations", "engine |"),
    ("workflows", "domain engine store integrations |"),
    ("worker", "domain engine store integrations workflows search_index |"),
    ("api", "domain store workflows search_index |"),
    ("ops", "domain engine store integrations search_index migrations workflows worker api |"),
    // What is measured is what is shipped: the runtime and its worker, without the tests' features.
    ("bench", "engine migrations worker |"),
    ("tests", "domain engine store integrations search_index migrations workflows worker api |"),
];

/// Libraries that are an inner matter of some crates, and why. A name that ends in `*` stands for all that begin so.
const LIBRARIES: &[(&str, &str, &str)] = &[
    ("apalis*", "worker", "who executes work is one crate's secret; all others see rows"),
    ("axum*", "api integrations", "HTTP is spoken in api, and by the stand-ins of outside parties"),
    ("tower*", "api tests", "HTTP layers belong to api; the tests knock at its router without a socket"),
    ("utoipa*", "api", "the API's description comes from its handlers"),
    ("sea-orm-migration", "migrations", "the schema changes in one place"),
    (
        "sea-orm",
        "engine store migrations workflows ops bench tests",
        "SQL is in store, migrations and engine::storage; the others pass on handles of connections and transactions",
    ),
    (
        "sqlx*",
        "engine store integrations tests",
        "raw SQL is for the engine's storage, the pools and the sandbox's own file",
    ),
    ("redis", "worker integrations tests", "Redis carries bells, plain jobs and counters, never the truth"),
    ("reqwest", "integrations ops tests", "outside parties are called through ports"),
    ("lettre", "integrations", "mail leaves through its port"),
    ("image", "integrations ops tests", "photographs are processed in one place; the demo and the tests draw theirs"),
    ("tantivy", "search_index", "the index is one crate's secret"),
    ("jsonwebtoken", "workflows", "identity is a use case, not a matter of HTTP"),
    ("argon2", "workflows", "identity is a use case, not a matter of HTTP"),
    ("clap", "ops", "only the binary has a command line"),
    ("anyhow", "ops bench tests", "a library's errors have names"),
];

#[test]
fn each_crate_imports_only_what_lies_below_it() {
    let mut wrong = Vec::new();
    for (package, allowed, allowed_in_tests) in rows() {
        for (kind, import) in imports(package) {
            let fine = allowed.contains(import) || (kind == "dev" && allowed_in_tests.contains(import));
            if names().contains(import) && !fine {
                wrong.push(format!("{} must not import {import} ({kind})", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_has_a_row_and_every_row_a_crate() {
    let crates: BTreeSet<&str> = METADATA.ours().map(|package| package.name.as_str()).collect();
    assert_eq!(names(), crates);
}

#[test]
fn a_row_allows_only_what_comes_before_it() {
    let mut below = BTreeSet::new();
    for (name, imports) in OURS {
        let above: Vec<&str> =
            imports.split([' ', '|']).filter(|word| !word.is_empty() && !below.contains(word)).collect();
        assert!(above.is_empty(), "{name} stands below {above:?}, and would import them");
        below.insert(*name);
    }
}

#[test]
fn a_library_stays_with_those_who_may_know_it() {
    let mut wrong = Vec::new();
    for package in METADATA.ours() {
        for (_, import) in imports(package) {
            for (_, allowed, why) in LIBRARIES.iter().filter(|(library, ..)| is_named(import, library)) {
                if !words(allowed).contains(package.name.as_str()) {
                    wrong.push(format!("{} must not import {import}: {why}", package.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_library_is_declared_once_for_the_whole_house() {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in METADATA.ours() {
        for dependency in &package.dependencies {
            versions.entry(&dependency.name).or_default().insert(&dependency.req);
        }
    }
    versions.retain(|_, requirements| requirements.len() > 1);
    assert!(versions.is_empty(), "asked for in several versions, so not from the workspace's table: {versions:?}");
}

fn rows() -> impl Iterator<Item = (&'static Package, BTreeSet<&'static str>, BTreeSet<&'static str>)> {
    OURS.iter().filter_map(|(name, row)| {
        let package = METADATA.ours().find(|package| package.name == *name)?;
        let (allowed, in_tests) = row.split_once('|').expect("a row has a bar");
        Some((package, words(allowed), words(in_tests)))
    })
}

fn imports(package: &Package) -> impl Iterator<Item = (&str, &str)> {
    package
        .dependencies
        .iter()
        .map(|dependency| (dependency.kind.as_deref().unwrap_or("normal"), dependency.name.as_str()))
}

fn names() -> BTreeSet<&'static str> {
    OURS.iter().map(|(name, _)| *name).collect()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

fn is_named(import: &str, library: &str) -> bool {
    library.strip_suffix('*').map_or(import == library, |start| import.starts_with(start))
}
