//! `innkeeper backup`: the embedded database, consistent at one instant, and the list of objects that belong to it.
//!
//! PostgreSQL has its own tools for this (`pg_basebackup`, WAL archiving); the command says so instead of doing half of it.

use crate::config::Config;
use crate::connect;
use anyhow::{Context, Result, ensure};
use clap::Args;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where the copy goes.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// A folder that does not exist yet.
    to: PathBuf,
}

impl Backup {
    pub(crate) async fn run(self, config: &Config) -> Result<()> {
        ensure!(
            config.embedded(),
            "for PostgreSQL use pg_basebackup with WAL archiving; this command copies the embedded database"
        );
        ensure!(!self.to.exists(), "{} exists already: a backup never overwrites another", self.to.display());
        let db = connect::existing(config).await?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.to);
        made.with_context(|| format!("make {}", self.to.display()))?;
        let copy = self.to.join(connect::SQLITE_FILE);
        // SQLite copies into an empty file as into none.
        connect::private_file(&copy)?;
        let name = copy.to_str().context("the folder's name must be readable text")?;
        let vacuum = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", [name.into()]);
        db.write().execute_raw(vacuum).await.context("copy the database")?;
        let objects = list(&config.data("objects"))?;
        let mut names = connect::private_file(&self.to.join("objects.txt"))?;
        names.write_all(objects.iter().map(|o| format!("{o}\n")).collect::<String>().as_bytes())?;
        println!("{} and the names of {} objects in {}", connect::SQLITE_FILE, objects.len(), self.to.display());
        Ok(())
    }
}

/// The objects' keys, sorted. The database is copied first, so every object it names is in the list.
fn list(root: &Path) -> Result<Vec<String>> {
    let mut keys = vec![];
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(key) = path.strip_prefix(root) {
                keys.push(key.display().to_string());
            }
        }
    }
    keys.sort();
    Ok(keys)
}
