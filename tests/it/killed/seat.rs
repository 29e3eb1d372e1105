//! A seat for one process: whoever sits there can be killed or frozen, and the seat is taken again by the same program.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::Port;
use harness::program::{Log, Program, Running};
use harness::proxy::Proxy;
use harness::servers::send_signal;
use serde_json::Value;

/// How long a process may take to serve.
const START: Duration = Duration::from_secs(60);
/// How long a process may take to end when asked.
const STOP: Duration = Duration::from_secs(40);

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Api,
    Worker,
    /// Everything in one process.
    Up,
}

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Up => "up",
        }
    }
}

/// A process's own ways to its servers.
pub(crate) struct Wires {
    pub(crate) database: Proxy,
    pub(crate) redis: Proxy,
}

/// One process's place in the installation.
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Where its API is reached, if it has one.
    pub(crate) site: String,
    /// Where it serves, and where it says how it fares.
    doors: [Port; 2],
    /// What lies between it and its servers, where there are some.
    pub(crate) wires: Option<Wires>,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
    clock: PathBuf,
    running: Option<Running>,
    logs: Vec<Log>,
    /// Processes that ended without having been killed by us.
    pub(crate) crashes: usize,
}

impl Seat {
    pub(crate) fn new(
        name: impl Into<String>,
        role: Role,
        folder: PathBuf,
        shared: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let doors = [Port::free()?, Port::free()?];
        let mut environment = shared.clone();
        environment.insert("INNKEEPER_API__LISTEN".to_owned(), doors[0].address());
        environment.insert("INNKEEPER_API__METRICS_LISTEN".to_owned(), doors[1].address());
        let site = format!("http://{}", doors[0].address());
        let (name, logs) = (name.into(), vec![]);
        let clock = folder.join(format!("the clock of {name}"));
        let faults = environment.entry("INNKEEPER_FAULTS".to_owned()).or_default();
        faults.push_str(&format!(",clock:{}", clock.display()));
        let wires = None;
        Ok(Self { name, role, site, doors, wires, environment, folder, clock, running: None, logs, crashes: 0 })
    }

    /// Sets one more variable, before the first start.
    pub(crate) fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.environment.insert(variable.to_owned(), value.into());
    }

    /// Sets the clock of the machine that its process runs on so many seconds ahead, from now on.
    pub(crate) fn set_clock(&self, seconds: i64) -> Result<()> {
        // Read at any instant: it is there as a whole or not at all.
        let new = self.clock.with_extension("new");
        std::fs::write(&new, seconds.to_string())?;
        Ok(std::fs::rename(new, &self.clock)?)
    }

    /// Starts the program, if nobody sits here.
    pub(crate) fn start(&mut self) -> Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let mut program = Program::innkeeper()?.named(self.name.clone()).args([self.role.word()]);
        for (variable, value) in &self.environment {
            program = program.env(variable, value);
        }
        let running = program.in_folder(&self.folder).start().with_context(|| format!("start {}", self.name))?;
        self.logs.push(running.log().clone());
        self.running = Some(running);
        Ok(())
    }

    /// Waits until it serves, or works.
    pub(crate) async fn serves(&mut self) -> Result<()> {
        let (site, role) = (self.site.clone(), self.role);
        let running = self.running.as_mut().context("nobody sits here")?;
        match role {
            Role::Api | Role::Up => running.answers(START, &format!("{site}/livez")).await,
            Role::Worker => running.says(START, "working").await.map(drop),
        }
    }

    /// `kill -9`; false when nobody sat here.
    pub(crate) fn kill(&mut self) -> bool {
        self.running.take().map(Running::kill).is_some()
    }

    /// Takes the seat again if its process has ended by itself.
    pub(crate) fn mend(&mut self) -> Result<()> {
        if self.running.as_mut().is_some_and(Running::has_ended) {
            self.crashes += 1;
            self.running = None;
            self.start()?;
        }
        Ok(())
    }

    /// The process's number, for a signal.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Running::pid)
    }

    /// How many of its answers came too late and were refused, by its own count.
    pub(crate) async fn refused(&self) -> Result<usize> {
        self.counts("innkeeper_work_tries_total{", "outcome=\"refused\"").await
    }

    /// The sum of its series that begin so and say this, as it shows them itself.
    pub(crate) async fn counts<N: FromStr + Sum>(&self, begins: &str, says: &str) -> Result<N> {
        let http = reqwest::Client::builder().timeout(STOP).no_proxy().build()?;
        let text = http.get(format!("http://{}/metrics", self.doors[1].address())).send().await?.text().await?;
        let series = text.lines().filter(|line| line.starts_with(begins) && line.contains(says));
        Ok(series.filter_map(|line| line.rsplit(' ').next()?.parse::<N>().ok()).sum())
    }

    /// Asks it to end in good order; what it printed is kept.
    pub(crate) async fn stop(&mut self) -> Result<bool> {
        match self.running.take() {
            Some(running) => Ok(running.stop(STOP).await?.success()),
            None => Ok(true),
        }
    }

    /// What all processes that ever sat here have logged, as JSON objects; text is wrapped.
    pub(crate) fn said(&self) -> impl Iterator<Item = Value> + '_ {
        let lines = self.logs.iter().flat_map(Log::lines);
        lines.map(|line| serde_json::from_str(&line).unwrap_or(Value::String(line)))
    }
}

/// Stops every instruction of a process without ending it, or lets it go on: what a long pause of a virtual machine looks like.
pub(crate) fn freeze(pid: u32) {
    send_signal(pid, "STOP");
}

/// Lets a frozen process go on; it does not know how late it is.
pub(crate) fn thaw(pid: u32) {
    send_signal(pid, "CONT");
}
