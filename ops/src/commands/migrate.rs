//! `innkeeper migrate`: the schema of this build, in one locked transaction per change.

use crate::config::Config;
use crate::connect;
use anyhow::{Context, Result};

pub(crate) async fn run(config: &Config) -> Result<()> {
    let db = connect::databases(config).await?;
    let pending = migrations::pending(db.write().pool()).await.context("ask which changes are missing")?;
    if pending.is_empty() {
        println!("The schema is this build's.");
        return Ok(());
    }
    migrations::up(db.write().pool()).await.context("apply the changes")?;
    for change in pending {
        println!("applied {change}");
    }
    Ok(())
}
