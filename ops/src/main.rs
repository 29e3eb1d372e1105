//! `innkeeper`: the one binary of the product. Every role of a deployment and every door for its operators is a command here.

mod commands;
mod config;
mod connect;
mod demo;
mod logging;
mod product;
mod serve;

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let command = commands::Cli::parse();
    match command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("innkeeper: {error:#}");
            ExitCode::FAILURE
        }
    }
}
