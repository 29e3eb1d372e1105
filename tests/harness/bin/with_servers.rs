//! Runs a command with private Postgres and Redis servers, and ends them with it: `with-servers cargo nextest run`.
//!
//! Servers that the environment already names are used as they are. Without this program every test process starts its own, which is
//! right for one test and slow for a suite.

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result};
use harness::servers::{Leash, Named, POSTGRES_VARIABLE, REDIS_VARIABLE, send_signal};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let mut words = env::args_os().skip(1);
    let program = words.next().context("usage: with-servers COMMAND [ARGUMENT…]")?;
    // From here on a signal ends the command, and we end after it: nothing is left running.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut command = Command::new(&program);
    let (postgres, redis) = (Named::postgres()?, Named::redis()?);
    command.args(words).env(POSTGRES_VARIABLE, &postgres.url).env(REDIS_VARIABLE, &redis.url);
    let mut child = command.kill_on_drop(true).spawn().with_context(|| format!("start {}", program.display()))?;
    let leash = child.id().map(|pid| Leash::hold(pid, "TERM", None)).transpose()?;
    let status = tokio::select! {
        status = child.wait() => status?,
        // The terminal has told the command too: let it end in its own way.
        _ = interrupted.recv() => child.wait().await?,
        _ = terminated.recv() => {
            if let Some(pid) = child.id() {
                send_signal(pid, "TERM");
            }
            child.wait().await?
        }
    };
    if let Some(leash) = leash {
        leash.release();
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
