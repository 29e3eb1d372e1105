//! Measures the engine beside the engines that it competes with, and says which goals are met: `./ops/bench engine`.
//!
//! One contestant after the other does the same work on the same private servers, all of them once, then all of them again
//! ([`contest`]): what disturbs one minute disturbs everybody's. A contestant is a program that prints when a phase of its work begins
//! and ends ([`phase`]); whoever runs it reads the clocks of all processors that took part ([`cpu`]), servers included. [`goals`] are
//! ratios between medians of one such run; absolute figures are only true for the machine that they were measured on.
//!
//! Our own contestant ([`innkeeper`]) is the engine and the worker as they are shipped: journal chain, fences, projections, facts,
//! heartbeat, sealer and metrics on.

mod contest;
mod cpu;
mod goals;
mod innkeeper;
mod phase;
mod setting;

use anyhow::{Result, bail};
use mimalloc::MiMalloc;
use std::env;

/// As in the product.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

fn main() -> Result<()> {
    // As in the product too.
    worker::runtime()?.block_on(measure())
}

async fn measure() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["contest", ..] => contest::run(&words[1..]).await,
        // Within the runtime, as everything that it measures is.
        ["innkeeper", _] => tokio::spawn(async move { innkeeper::run(&words[1]).await }).await?,
        _ => bail!("usage: bench contest … | bench innkeeper PART; ./ops/bench calls it"),
    }
}
