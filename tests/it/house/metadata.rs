//! What cargo knows about the workspace, asked once.
//!
//! Read by our own few structs: the crate `cargo_metadata` turns on a feature of `serde_json`, and with it everything above that
//! would be built a second time for the tests.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use serde::Deserialize;

/// The workspace and all that it builds from on this kind of machine, as the lock file has it.
pub(super) static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    let version = output(Command::new("rustc").arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    // Only this host's: cargo has fetched those to build the test, so that nothing has to come over the network now.
    let described = cargo(&["metadata", "--format-version", "1", "--all-features", "--filter-platform", host]);
    serde_json::from_str(&described).expect("cargo describes the workspace in JSON")
});

#[derive(Deserialize)]
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Package {
    id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// The version that is asked for.
    pub(super) req: String,
    /// `None` for what the crate itself needs, else `dev` or `build`.
    pub(super) kind: Option<String>,
}

impl Metadata {
    /// Our own crates.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

/// What cargo answers about this workspace; it must not change the lock file.
pub(super) fn cargo(words: &[&str]) -> String {
    output(Command::new(env!("CARGO")).args(words).arg("--locked").current_dir(root()))
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the Rust tools speak UTF-8")
}

/// The folder of the workspace.
pub(super) fn root() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the crate `tests` lies in the workspace").to_owned()
}
