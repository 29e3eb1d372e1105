//! What cargo knows about the workspace, asked once.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};

/// The workspace and all that it builds from on this kind of machine, as the lock file has it.
pub(super) static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    let version = Command::new("rustc").arg("-vV").output().expect("rustc runs, as it has built this test");
    let version = String::from_utf8(version.stdout).expect("rustc speaks UTF-8");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    // Only this host's: cargo has fetched those to build the test, so that nothing has to come over the network now.
    let only_here = ["--filter-platform", host, "--locked"].map(str::to_owned).to_vec();
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).features(CargoOpt::AllFeatures).other_options(only_here);
    command.exec().expect("cargo describes the workspace")
});

/// The folder of the workspace.
pub(super) fn root() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the crate `tests` lies in the workspace").to_owned()
}
