//! Connections for every command: the database that the configuration names, migrated only when asked.

use crate::config::Config;
use anyhow::{Context, Result, anyhow, ensure};
use engine::Databases;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The name of the embedded database in the data folder.
pub(crate) const SQLITE_FILE: &str = "innkeeper.db";

/// Connects to the database, making the folder and file of the embedded default.
///
/// # Errors
/// When the server or the folder cannot be reached.
pub(crate) async fn databases(config: &Config) -> Result<Databases> {
    let pools = config.database.pools();
    let Some(url) = config.database.url() else {
        data_folder(config)?;
        let file = config.data(SQLITE_FILE);
        private_file(&file)?;
        return Databases::sqlite(&file, pools).await.with_context(|| format!("open {}", file.display()));
    };
    let connected = Databases::postgres(url, pools).await;
    connected.map_err(|error| without(url, &error)).context("connect to the PostgreSQL server of database.url")
}

/// The complaint of a driver that repeats the address it was given, without it: a password may be part of it.
fn without(url: &str, error: &impl std::fmt::Display) -> anyhow::Error {
    let complaint = error.to_string().replace(url, "(database.url)");
    let password = reqwest::Url::parse(url).ok().and_then(|url| url.password().map(str::to_owned));
    anyhow!(
        "{}",
        password.iter().fold(complaint, |complaint, password| complaint.replace(password.as_str(), "(hidden)"))
    )
}

/// As [`databases`], for commands that look: an embedded database that does not exist is a misspelt folder, and is not made.
///
/// # Errors
/// As [`databases`], and when there is nothing to look at.
pub(crate) async fn existing(config: &Config) -> Result<Databases> {
    let file = config.data(SQLITE_FILE);
    ensure!(
        !config.embedded() || file.exists(),
        "there is no {}: --data or installation.data names another folder, or it was never started (`innkeeper up`)",
        file.display()
    );
    databases(config).await
}

/// Makes a file, if there is none, that nobody else can read; what SQLite puts beside its file takes over the rights.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn private_file(path: &Path) -> Result<File> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.with_context(|| format!("make {}", path.display()))
}

/// Makes the data folder if need be, for our own eyes: it has letters, keys and the database in it.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn data_folder(config: &Config) -> Result<()> {
    let folder = &config.installation.data;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("make the data folder {}", folder.display()))
}
