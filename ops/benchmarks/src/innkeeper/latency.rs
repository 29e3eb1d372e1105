//! From the caller's commit to the start of the first step, at 50 and 200 a second: in one process, and from one to another.

use super::enqueue::one;
use super::house::{Home, House};
use super::{count, setting, wall};
use crate::phase::Phase;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const RATES: [usize; 2] = [50, 200];
/// How often somebody looks which jobs have begun; when they did is noted at once.
const LOOK: Duration = Duration::from_millis(100);
/// Numbers of jobs that were only to warm up.
const WARM: u64 = 1_000_000;

/// One process that takes requests and executes work, as `innkeeper up` does.
pub(super) async fn same_process(house: House) -> Result<()> {
    let home = house.home_with_room(true).await?;
    let shift = home.work();
    warm(&home).await?;
    home.board.watch_beginnings();
    for rate in RATES {
        let seconds = count(setting::SECONDS)?;
        let phase = Phase::begin(format!("same{rate}"));
        let acked = at_a_pace(&home, rate, seconds).await?;
        let mut began = HashMap::new();
        while began.len() < acked.len() {
            tokio::time::sleep(LOOK).await;
            began.extend(home.board.beginnings().into_iter().filter(|(number, _)| *number < WARM));
        }
        phase.latencies(from_ack_to_start(&acked, &began));
    }
    shift.end().await
}

/// `innkeeper api` here and `innkeeper worker` in another process: Redis carries the bell.
pub(super) async fn across_processes(house: House) -> Result<()> {
    let home = house.desk(true).await?;
    let mut worker = OtherProcess::start().await?;
    warm(&home).await?;
    for rate in RATES {
        let seconds = count(setting::SECONDS)?;
        let phase = Phase::begin(format!("across{rate}"));
        let acked = at_a_pace(&home, rate, seconds).await?;
        let began = worker.began(acked.len()).await?;
        phase.latencies(from_ack_to_start(&acked, &began));
    }
    worker.end().await
}

/// The other process: it says when it began what, until its input ends.
pub(super) async fn work(house: House) -> Result<()> {
    let home = house.home_with_room(true).await?;
    home.board.watch_beginnings();
    let shift = home.work();
    println!("ready");
    let (over, mut told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = over.send(());
    });
    while told.try_recv().is_err() {
        for (number, at) in home.board.beginnings() {
            println!("{number} {at}");
        }
        tokio::time::sleep(LOOK).await;
    }
    shift.end().await
}

async fn warm(home: &Home) -> Result<()> {
    for number in WARM..WARM + 50 {
        one(home.engine.clone(), number).await?;
    }
    Ok(())
}

/// Enqueues at a steady pace; when each commit was acknowledged, by number.
async fn at_a_pace(home: &Home, rate: usize, seconds: usize) -> Result<HashMap<u64, f64>> {
    // Of 50 and 200 a second, each has its own numbers.
    let first = rate as u64 * 1000;
    let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / rate as f64));
    let mut calls = Vec::new();
    for number in first..first + (rate * seconds) as u64 {
        clock.tick().await;
        let engine = home.engine.clone();
        calls.push(tokio::spawn(async move { one(engine, number).await.map(|()| (number, wall())) }));
    }
    let mut acked = HashMap::new();
    for call in calls {
        let (number, at) = call.await??;
        acked.insert(number, at);
    }
    Ok(acked)
}

/// Milliseconds; below zero where the step began before the caller was answered.
fn from_ack_to_start(acked: &HashMap<u64, f64>, began: &HashMap<u64, f64>) -> Vec<f64> {
    acked.iter().filter_map(|(number, acked)| began.get(number).map(|began| began - acked)).collect()
}

struct OtherProcess {
    child: Child,
    tell: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
}

impl OtherProcess {
    async fn start() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["innkeeper", "worker"]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("start the other process")?;
        let tell = child.stdin.take().context("its input is a pipe")?;
        let says = BufReader::new(child.stdout.take().context("its output is a pipe")?).lines();
        let mut this = Self { child, tell, says };
        this.says.next_line().await?.context("the other process ended at its start")?;
        Ok(this)
    }

    async fn began(&mut self, count: usize) -> Result<HashMap<u64, f64>> {
        let mut began = HashMap::new();
        while began.len() < count {
            let line = self.says.next_line().await?.context("the other process has ended")?;
            let (number, at) = line.split_once(' ').context("a number and an instant")?;
            let number = number.parse()?;
            if number < WARM {
                began.insert(number, at.parse()?);
            }
        }
        Ok(began)
    }

    async fn end(mut self) -> Result<()> {
        self.tell.shutdown().await?;
        drop(self.tell);
        anyhow::ensure!(self.child.wait().await?.success(), "the other process ended badly");
        Ok(())
    }
}
