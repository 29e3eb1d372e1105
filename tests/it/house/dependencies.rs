//! What the house may be built from: `.deny.toml`, held without a tool that a newcomer would have to install first.

use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize;

use super::metadata::{METADATA, cargo, root};

/// The part of `cargo deny`'s file that is checked here; the rest is that tool's own.
#[derive(Deserialize)]
struct Rules {
    bans: Bans,
    licenses: Licences,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    spec: String,
    reason: String,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

fn rules() -> Rules {
    let text = fs::read_to_string(root().join(".deny.toml")).expect("there is a .deny.toml");
    toml::from_str(&text).expect(".deny.toml reads as `cargo deny` would have it")
}

/// The lock file rather than today's build: it has every platform in it.
#[test]
fn nothing_that_is_banned_is_in_the_lock_file() {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
    }
    let text = fs::read_to_string(root().join("Cargo.lock")).expect("there is a Cargo.lock");
    let lock: Lock = toml::from_str(&text).expect("Cargo.lock is TOML");
    for Ban { spec, reason } in rules().bans.deny {
        let (name, version) = spec.split_once('@').map_or((spec.as_str(), ""), |(name, version)| (name, version));
        let version = version.trim_start_matches('=').trim_end_matches('*');
        let found = lock.package.iter().find(|package| package.name == name && package.version.starts_with(version));
        assert!(found.is_none(), "{spec} is banned: {reason}. `cargo tree -i {name}` says who brings it");
    }
}

#[test]
fn every_library_comes_under_a_licence_that_we_accept() {
    let Licences { allow } = rules().licenses;
    let mut wrong = Vec::new();
    for package in &METADATA.packages {
        let licence = package.license.as_deref().unwrap_or("none given");
        if !accepts(&allow, licence) {
            wrong.push(format!("{} {}: {licence}", package.name, package.version));
        }
    }
    assert!(wrong.is_empty(), "not among the licences of .deny.toml: {wrong:#?}");
}

/// Whoever has run the demo must not build the libraries again to run the tests: a feature that only a test turns on costs minutes.
#[test]
fn the_tests_build_each_library_as_the_product_does() {
    let features = |selection: &[&str]| {
        let words = ["tree", "--prefix", "none", "--no-dedupe", "--format", "{p} [{f}]", "--edges"];
        let tree = cargo(&[&words, selection].concat());
        tree.lines().map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let product = features(&["normal,build", "--package", "ops"]);
    let tests = features(&["normal,build,dev", "--workspace"]);
    let ours = format!("({}", root().display());
    let differ: Vec<&String> = product
        .difference(&tests)
        // Our own crates are built in moments, some with a kit for tests.
        .filter(|line| !line.contains(&ours))
        // proptest wants all of Unicode in it: a second or two, against a property test without a generator of its own.
        .filter(|line| !line.starts_with("regex-syntax "))
        .collect();
    assert!(differ.is_empty(), "built otherwise for the tests: {differ:#?}");
}

/// Whether what is allowed satisfies a licence expression: `MIT OR Apache-2.0`, `(MIT OR Apache-2.0) AND Unicode-3.0`, `MIT/Apache-2.0`.
fn accepts(allow: &[String], expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").replace(" WITH ", "+WITH+");
    let mut words = spaced.split_whitespace().peekable();
    any_of(allow, &mut words).is_some_and(|fine| fine && words.next().is_none())
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// `None` for what is no expression; the right side is read even when the left one decides.
fn any_of(allow: &[String], words: &mut Words<'_>) -> Option<bool> {
    let mut fine = all_of(allow, words)?;
    while words.next_if_eq(&"OR").is_some() {
        fine |= all_of(allow, words)?;
    }
    Some(fine)
}

fn all_of(allow: &[String], words: &mut Words<'_>) -> Option<bool> {
    let mut fine = one(allow, words)?;
    while words.next_if_eq(&"AND").is_some() {
        fine &= one(allow, words)?;
    }
    Some(fine)
}

fn one(allow: &[String], words: &mut Words<'_>) -> Option<bool> {
    if words.next_if_eq(&"(").is_some() {
        let inner = any_of(allow, words)?;
        return words.next_if_eq(&")").map(|_| inner);
    }
    let name = words.next()?;
    Some(allow.iter().any(|allowed| allowed.replace(" WITH ", "+WITH+") == name))
}

#[test]
fn a_licence_expression_is_read_as_it_is_meant() {
    let allow = ["MIT".to_owned(), "Unicode-3.0".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
    let fine =
        ["MIT", "MIT/GPL-3.0", "GPL-3.0 OR MIT", "(GPL-3.0 OR MIT) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception"];
    let refused =
        ["GPL-3.0", "MIT AND GPL-3.0", "MIT OR", "(MIT", "none given", "", "Apache-2.0", "GPL-3.0 OR MIT AND GPL-3.0"];
    assert_eq!(fine.map(|expression| accepts(&allow, expression)), [true; 5]);
    assert_eq!(refused.map(|expression| accepts(&allow, expression)), [false; 8]);
}
