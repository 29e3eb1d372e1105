//! What the binary says of itself: which revision of the sources it is made of, and by which compiler.
//!
//! Neither has a clock or a path of this machine in it, so the same sources make the same binary. Whoever builds without a repository
//! may name the revision by `INNKEEPER_REVISION`; else it is `unknown`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const REVISION: &str = "INNKEEPER_REVISION";

fn main() {
    println!("cargo::rerun-if-env-changed={REVISION}");
    let revision = env::var(REVISION).ok().or_else(checked_out).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env={REVISION}={revision}");
    println!("cargo::rustc-env=INNKEEPER_RUSTC={}", compiler().unwrap_or_else(|| "unknown".to_owned()));
}

/// The commit that is checked out here. Sources that lie unpacked within somebody else's repository are not of that one.
fn checked_out() -> Option<String> {
    let workspace = Path::new(&env::var("CARGO_MANIFEST_DIR").ok()?).parent()?.to_owned();
    let git = |words: &[&str]| said(Command::new("git").arg("-C").arg(&workspace).args(words));
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    if fs::canonicalize(top).ok()? != fs::canonicalize(&workspace).ok()? {
        return None;
    }
    for file in ["HEAD", "logs/HEAD"] {
        let path = workspace.join(git(&["rev-parse", "--git-path", file])?);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(&["rev-parse", "HEAD"])
}

/// `1.95.0` of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn compiler() -> Option<String> {
    let version = said(Command::new(env::var_os("RUSTC")?).arg("--version"))?;
    version.split_whitespace().nth(1).map(str::to_owned)
}

fn said(command: &mut Command) -> Option<String> {
    let done = command.output().ok().filter(|done| done.status.success())?;
    Some(String::from_utf8(done.stdout).ok()?.trim().to_owned()).filter(|said| !said.is_empty())
}
