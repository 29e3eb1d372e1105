//! The configuration: one documented section per part, from defaults, one file and the environment, in this order.
//!
//! `INNKEEPER_DATABASE__URL` sets `url` in `[database]`; `INNKEEPER_DATABASE__URL_FILE` reads the value from a file, for secrets. A key
//! that nobody knows is an error, wherever it stands: a misspelt limit is worse than a missing one.

mod layers;
mod sections;

pub(crate) use layers::{Loaded, Origin};
pub(crate) use sections::Config;

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Where the file is looked for when nobody names one.
pub(crate) const DEFAULT_FILE: &str = "innkeeper.toml";

/// Loads what is in force for this process.
///
/// # Errors
/// When the file cannot be read, a key is unknown, or a value does not fit.
pub(crate) fn load(file: Option<&Path>) -> Result<Loaded> {
    let default = PathBuf::from(DEFAULT_FILE);
    let file = match file {
        Some(named) => Some(named),
        None => default.exists().then_some(default.as_path()),
    };
    let text = file.map(std::fs::read_to_string).transpose();
    let text = text.with_context(|| format!("read the configuration {}", file.unwrap_or(&default).display()))?;
    let loaded = layers::load(text.as_deref(), std::env::vars())?;
    loaded.config.check()?;
    Ok(Loaded { file: file.map(Path::to_path_buf), ..loaded })
}

#[cfg(test)]
mod tests;
