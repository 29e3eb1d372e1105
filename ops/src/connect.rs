//! Connections for every command: the database that the configuration names, migrated only when asked.

use crate::config::Config;
use anyhow::{Context, Result};
use engine::{Databases, Pools};
use std::time::Duration;

/// The name of the embedded database in the data folder.
pub(crate) const SQLITE_FILE: &str = "innkeeper.db";

/// Connects to the database, making the folder and file of the embedded default.
///
/// # Errors
/// When the server or the folder cannot be reached.
pub(crate) async fn databases(config: &Config) -> Result<Databases> {
    let pools = Pools {
        write: config.database.write_connections,
        read: config.database.read_connections,
        patience: Duration::from_secs(config.database.patience_seconds),
    };
    if config.embedded() {
        let folder = &config.installation.data;
        std::fs::create_dir_all(folder).with_context(|| format!("make the data folder {}", folder.display()))?;
        let file = config.data(SQLITE_FILE);
        return Databases::sqlite(&file, pools).await.with_context(|| format!("open {}", file.display()));
    }
    Databases::postgres(config.database_url(), pools).await.context("connect to the PostgreSQL server of database.url")
}
