//! What the process writes about itself: sentences for people, or a JSON object per line for machines.

use crate::config::Loaded;
use anyhow::{Context, Result};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error, so that a command's output stays its own.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(loaded: &Loaded) -> Result<()> {
    let log = &loaded.config.log;
    let filter = EnvFilter::try_new(&log.filter).context("read log.filter")?;
    let colours = std::io::stderr().is_terminal();
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first.
    let _ = if log.json { logger.json().flatten_event(true).try_init() } else { logger.with_target(false).try_init() };
    Ok(())
}
