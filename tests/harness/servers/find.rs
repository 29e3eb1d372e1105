//! Finds the servers' programs where the usual packages put them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// The oldest Postgres that the product supports.
const OLDEST_POSTGRES: u32 = 15;

/// The folder that holds `initdb` and `postgres`, version 15 or newer; the newest wins.
pub(super) fn postgres_folder() -> Result<PathBuf> {
    let packaged = ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];
    let folders =
        on_path("postgres").into_iter().chain(packaged.iter().flat_map(|root| versions_under(Path::new(root))));
    let newest = folders.filter_map(|folder| postgres_version(&folder).map(|version| (version, folder))).max();
    match newest {
        Some((version, folder)) if version >= OLDEST_POSTGRES => Ok(folder),
        Some((version, folder)) => {
            bail!("{} holds Postgres {version}; the tests need {OLDEST_POSTGRES} or newer", folder.display())
        }
        None => bail!("no Postgres server is installed: ./ops/test installs one, or names the command that does"),
    }
}

/// The program `redis-server`.
pub(super) fn redis_program() -> Result<PathBuf> {
    match on_path("redis-server") {
        Some(folder) => Ok(folder.join("redis-server")),
        None => bail!("no Redis server is installed: ./ops/test installs one, or names the command that does"),
    }
}

/// The real folder behind the first match on PATH: packages link single programs from elsewhere.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let found = env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())?;
    Some(found.canonicalize().ok()?.parent()?.to_owned())
}

fn versions_under(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").is_file()).collect()
}

fn postgres_version(folder: &Path) -> Option<u32> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}
