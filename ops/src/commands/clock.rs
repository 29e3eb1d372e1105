//! `innkeeper clock`: where the business clock stands, and moving it in a sandbox.

use super::instant::spelled;
use crate::config::Config;
use crate::connect;
use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use engine::{Engine, Registry, Settings, Settling, Timestamp};
use std::time::Duration;

/// How long a step of the clock waits for the workers.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
pub(crate) enum Clock {
    /// Where it stands.
    Show,
    /// Move it forward, step by step: everything that falls due on the way is done by the running workers first.
    Advance {
        /// An instant (RFC 3339) or a span like `90m`, `36h`, `14d`.
        to: String,
        /// Really move it.
        #[arg(long)]
        write: bool,
    },
}

impl Clock {
    pub(crate) async fn run(self, config: &Config) -> Result<()> {
        let db = connect::existing(config).await?;
        let settings = Settings::new(&config.installation.name, super::look::stranger(), "clock");
        let engine = Engine::open(settings, db, Registry::new());
        let now = engine.now().await.context("read the business clock")?;
        match self {
            Self::Show => println!("{}", spelled(now)),
            Self::Advance { to, write } => {
                ensure!(config.installation.sandbox, "only a sandbox's clock can be moved (installation.sandbox)");
                let target =
                    target(&to, now).with_context(|| format!("{to:?} is neither an instant nor a span like 36h"))?;
                if !write {
                    println!("would move the clock from {} to {}; say --write", spelled(now), spelled(target));
                    return Ok(());
                }
                let stands = engine.advance_to(target, Settling::Elsewhere(PATIENCE)).await?;
                println!("{}", spelled(stands));
            }
        }
        Ok(())
    }
}

/// Reads an instant, or a span from now.
fn target(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    super::span::parse(text).map(|span| now + span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_instant_or_a_span() {
        let now: Timestamp = "2027-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(target("36h", now), Some("2027-03-03T00:00:00Z".parse().unwrap()));
        assert_eq!(target("2d", now), Some("2027-03-03T12:00:00Z".parse().unwrap()));
        assert_eq!(target("2027-03-09T10:00:00+01:00", now), Some("2027-03-09T09:00:00Z".parse().unwrap()));
        for wrong in ["", "h", "36", "x", "-5h", "5y", "é"] {
            assert_eq!(target(wrong, now), None, "{wrong}");
        }
    }
}
