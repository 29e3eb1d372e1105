//! The folders are those that the product's owner fixed, and the README's map shows them all.

use std::collections::BTreeSet;
use std::fs;

use super::metadata::{METADATA, root};

/// Everything that may stand at the top, apart from dotfiles and what is built.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "api",
    "migrations",
    "ops",
    "search-index",
    "tests",
    "worker",
    "workflows",
];

#[test]
fn nothing_else_stands_at_the_top() {
    let entries = fs::read_dir(root()).expect("the workspace can be listed");
    let found: BTreeSet<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    assert_eq!(found, TOP.iter().copied().map(str::to_owned).collect());
}

#[test]
fn the_readmes_map_shows_every_crate_and_no_other() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README.md");
    let shown: BTreeSet<&str> = readme.lines().filter_map(crate_of_a_map_row).collect();
    let real: BTreeSet<&str> = METADATA.ours().map(|package| package.name.as_str()).collect();
    assert_eq!(shown, real, "a row of the map reads: | `folder/` | `crate` | what it is for |");
}

#[test]
fn a_map_row_leads_to_the_folder_of_its_crate() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README.md");
    for line in readme.lines().filter(|line| crate_of_a_map_row(line).is_some()) {
        let folder = line.split('`').nth(1).expect("a map row names a folder");
        let package = crate_of_a_map_row(line).expect("a map row names a crate");
        let manifest = root().join(folder).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
        assert!(text.contains(&format!("\nname = \"{package}\"\n")), "{folder} is not the folder of {package}");
    }
}

/// ``| `api/` | `api` | … |`` → `api`.
fn crate_of_a_map_row(line: &str) -> Option<&str> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let folder = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
    let package = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
    folder.ends_with('/').then_some(package)
}
