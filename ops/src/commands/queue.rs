//! `innkeeper queue`: what waits where, and for how long.

use super::workflow::onlooker;
use crate::config::Config;
use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    /// Every queue with what is ready, scheduled, in hands and parked.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Queue {
    pub(crate) async fn run(self, config: &Config) -> Result<()> {
        let Self::List { json } = self;
        let depths = onlooker(config).await?.depths().await?;
        if json {
            println!("{}", serde_json::to_string_pretty(&depths)?);
            return Ok(());
        }
        println!("{:<12} {:>8} {:>10} {:>8} {:>8} {:>12}", "queue", "ready", "scheduled", "leased", "parked", "oldest");
        for d in depths {
            let oldest = format!("{:.1} s", d.oldest_us as f64 / 1e6);
            println!("{:<12} {:>8} {:>10} {:>8} {:>8} {oldest:>12}", d.queue, d.ready, d.scheduled, d.leased, d.parked);
        }
        Ok(())
    }
}
