//! One contest: every contestant in turn, round after round, with the clocks of all processors that took part; then the report.

use crate::cpu;
use crate::goals::{self, Measured, Outcome, median};
use crate::phase::Said;
use crate::setting::{BACKLOG, ENQUEUES, FOLDER, POSTGRES, RATE, REDIS, SECONDS, STEPS, text};
use anyhow::{Context, Result, ensure};
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// No contestant needs longer for a part; one that does has hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// Contestants in the order of a round: each of ours stands next to the peers that it is compared with.
const ORDER: &[(&str, &[&str])] = &[
    ("innkeeper", &["bench", "innkeeper", "jobs"]),
    ("pg-boss", &["node", "pg-boss.mjs"]),
    ("graphile-worker", &["node", "graphile-worker.mjs"]),
    ("bullmq", &["node", "bullmq.mjs"]),
    ("innkeeper", &["bench", "innkeeper", "latency"]),
    ("innkeeper", &["bench", "innkeeper", "across"]),
    ("innkeeper", &["bench", "innkeeper", "workflows"]),
    ("dbos", &["node", "dbos.mjs"]),
    ("restate", &["restate"]),
    ("innkeeper-sqlite", &["bench", "innkeeper", "sqlite"]),
];

/// One part of one contestant in one round.
#[derive(Clone, Copy)]
struct Turn {
    name: &'static str,
    command: &'static [&'static str],
    round: usize,
}

/// How much each does.
struct Size {
    rounds: usize,
    seconds: usize,
    figures: Amounts,
}

/// Ours and the peers' counts differ, so that each has about the same time.
type Amounts = fn(&str) -> [(&'static str, usize); 3];

/// Runs what was asked for: `contest [--quick] [--rounds N] [--only NAME]… [--json FILE]`.
pub(crate) async fn run(words: &[String]) -> Result<()> {
    let asked = Asked::read(words)?;
    let place = Place::found()?;
    let mut measured = Vec::new();
    let mut failed: BTreeMap<&str, String> = BTreeMap::new();
    for round in 1..=asked.size.rounds {
        for (name, command) in ORDER.iter().filter(|(name, _)| asked.wants(name)) {
            if place.missing.contains_key(*name) {
                continue;
            }
            eprintln!("round {round} of {}: {name} ({})", asked.size.rounds, command.join(" "));
            let turn = Turn { name, command, round };
            let ran = place.part(&asked.size, turn, &mut measured).await;
            if let Err(error) = ran {
                eprintln!("  failed: {error:#}");
                failed.insert(name, format!("{error:#}"));
            }
        }
    }
    let outcomes = goals::judge(&measured);
    print!("{}", report(&measured, &outcomes, &place.missing, &failed));
    if let Some(file) = &asked.json {
        let all = json!({
            "revision": text("BENCH_REVISION")?, "versions": place.versions, "skipped": place.missing, "failed": failed,
            "rounds": asked.size.rounds, "goals": outcomes, "measured": measured,
        });
        std::fs::write(file, serde_json::to_string_pretty(&all)?).context("write the figures")?;
    }
    ensure!(failed.keys().all(|name| !name.starts_with("innkeeper")), "our own contestant failed");
    Ok(())
}

/// What the command line says.
struct Asked {
    size: Size,
    only: BTreeSet<String>,
    json: Option<PathBuf>,
}

impl Asked {
    fn read(words: &[String]) -> Result<Self> {
        let (mut quick, mut rounds, mut only, mut json) = (false, None, BTreeSet::new(), None);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--quick" => quick = true,
                "--rounds" => rounds = Some(value()?.parse().context("--rounds takes a number")?),
                "--only" => {
                    only.insert(value()?.clone());
                }
                "--json" => json = Some(PathBuf::from(value()?)),
                other => anyhow::bail!("{other:?} is no option"),
            }
        }
        let strange: Vec<_> = only.iter().filter(|name| ORDER.iter().all(|(known, _)| known != name)).collect();
        ensure!(strange.is_empty(), "no contestant is named {strange:?}");
        let mut size = if quick { Size::quick() } else { Size::full() };
        size.rounds = rounds.unwrap_or(size.rounds);
        Ok(Self { size, only, json })
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.contains(name)
    }
}

impl Size {
    /// On PostgreSQL everybody drains 33,000 jobs: those of its single enqueues, ours made in two ways, with the backlog.
    fn full() -> Self {
        let figures: Amounts = |name| match name {
            "innkeeper" => [(ENQUEUES, 6000), (BACKLOG, 21_000), (STEPS, 6000)],
            "innkeeper-sqlite" => [(ENQUEUES, 4000), (BACKLOG, 20_000), (STEPS, 5000)],
            "bullmq" => [(ENQUEUES, 20_000), (BACKLOG, 20_000), (STEPS, 0)],
            "dbos" | "restate" => [(ENQUEUES, 0), (BACKLOG, 0), (STEPS, 1500)],
            _ => [(ENQUEUES, 3000), (BACKLOG, 30_000), (STEPS, 0)],
        };
        Self { rounds: 3, seconds: 6, figures }
    }

    /// Enough to see that everything works, not to compare.
    fn quick() -> Self {
        Self { rounds: 1, seconds: 1, figures: |_| [(ENQUEUES, 200), (BACKLOG, 1000), (STEPS, 200)] }
    }
}

/// Where everything is; `./ops/bench` has put it there.
struct Place {
    server: String,
    redis: String,
    /// The processes of the servers, whose work counts as their contestant's.
    pids: Vec<u32>,
    scratch: PathBuf,
    peers: PathBuf,
    node: String,
    /// Peers that could not be installed, and why.
    missing: BTreeMap<String, String>,
    versions: Value,
}

impl Place {
    fn found() -> Result<Self> {
        let pids = text("BENCH_SERVER_PIDS")?;
        Ok(Self {
            server: text(POSTGRES)?,
            redis: text(REDIS)?,
            pids: pids.split_whitespace().map(str::parse).collect::<Result<_, _>>().context("BENCH_SERVER_PIDS")?,
            scratch: PathBuf::from(text("BENCH_SCRATCH")?),
            peers: PathBuf::from(text("BENCH_PEERS")?),
            node: text("BENCH_NODE")?,
            missing: serde_json::from_str(&text("BENCH_MISSING")?).context("BENCH_MISSING")?,
            versions: serde_json::from_str(&text("BENCH_VERSIONS")?).context("BENCH_VERSIONS")?,
        })
    }

    /// Runs one part of one contestant on a database and in a folder of its own.
    async fn part(&self, size: &Size, turn: Turn, measured: &mut Vec<Measured>) -> Result<()> {
        let Turn { name, command, .. } = turn;
        let database = format!("bench_{}", name.replace('-', "_"));
        let folder = self.scratch.join(&database);
        self.clean(&database, &folder).await?;
        let mut command = self.command(command)?;
        command.env(POSTGRES, format!("{}/{database}", self.server)).env(REDIS, &self.redis).env(FOLDER, &folder);
        command.env(SECONDS, size.seconds.to_string()).env(RATE, "20").env("BENCH_CALLERS", "32");
        for (variable, amount) in (size.figures)(name) {
            command.env(variable, amount.to_string());
        }
        let child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().context("start it")?;
        let listening = self.listen(child, turn, measured);
        tokio::time::timeout(PATIENCE, listening).await.context("it took too long")?
    }

    /// Nobody finds what another left behind, nor pays for the checkpoint that it caused.
    async fn clean(&self, database: &str, folder: &Path) -> Result<()> {
        let admin = Database::connect(format!("{}/postgres", self.server)).await.context("reach Postgres")?;
        admin.execute_unprepared(&format!("drop database if exists {database} with (force)")).await?;
        admin.execute_unprepared(&format!("create database {database}")).await?;
        admin.execute_unprepared("checkpoint").await?;
        admin.close().await?;
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder).context("make its folder")
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = match words {
            ["bench", rest @ ..] => {
                let mut ours = Command::new(std::env::current_exe()?);
                ours.args(rest);
                ours
            }
            ["node", script] => {
                let mut node = Command::new(&self.node);
                node.arg(self.peers.join(script));
                node
            }
            [script, ..] => Command::new(self.peers.join(script)),
            [] => anyhow::bail!("no command"),
        };
        command.current_dir(&self.scratch);
        Ok(command)
    }

    async fn listen(&self, mut child: Child, turn: Turn, measured: &mut Vec<Measured>) -> Result<()> {
        let roots: Vec<u32> = self.pids.iter().copied().chain(child.id()).collect();
        let mut lines = BufReader::new(child.stdout.take().context("its output is a pipe")?).lines();
        let mut open: Option<Watch> = None;
        while let Some(line) = lines.next_line().await? {
            match Said::read(&line) {
                Some(Said::Begin(_)) => open = Some(Watch::start(&roots, turn)),
                Some(Said::End(phase, figures)) => {
                    let watch = open.take().context("a phase ended that had not begun")?;
                    let one = watch.stop(&roots, phase, &figures);
                    eprintln!("  {}", line_of(&one));
                    measured.push(one);
                }
                None => eprintln!("  {line}"),
            }
        }
        let status = child.wait().await?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

/// The clocks at the beginning of a phase.
struct Watch {
    turn: Turn,
    began: Instant,
    used: f64,
    machine: f64,
}

impl Watch {
    fn start(roots: &[u32], turn: Turn) -> Self {
        Self { turn, began: Instant::now(), used: cpu::of_trees(roots), machine: cpu::of_the_machine() }
    }

    fn stop(self, roots: &[u32], phase: String, said: &Value) -> Measured {
        let (used, machine) = (cpu::of_trees(roots) - self.used, cpu::of_the_machine() - self.machine);
        let numbers = said.as_object().into_iter().flatten();
        let mut figures: BTreeMap<String, f64> =
            numbers.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect();
        let count = figures.get("count").copied().unwrap_or(1.0).max(1.0);
        figures.insert("cpu".to_owned(), used * 1e3 / count);
        let others_cores = ((machine - used) / self.began.elapsed().as_secs_f64()).max(0.0);
        Measured { contestant: self.turn.name.to_owned(), round: self.turn.round, phase, figures, others_cores }
    }
}

fn line_of(one: &Measured) -> String {
    let figures: Vec<String> = one.figures.iter().map(|(name, value)| format!("{name} {}", short(*value))).collect();
    format!("{:<10} {}, others {:.2} cores", one.phase, figures.join(", "), one.others_cores)
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        middle if middle >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn report(
    measured: &[Measured],
    outcomes: &[Outcome],
    missing: &BTreeMap<String, String>,
    failed: &BTreeMap<&str, String>,
) -> String {
    use std::fmt::Write;
    let mut text = String::from("\nMedians (milliseconds; cpu: milliseconds per unit, servers included)\n");
    let phases: BTreeSet<_> = measured.iter().map(|m| (m.contestant.as_str(), m.phase.as_str())).collect();
    for (contestant, phase) in phases {
        let figures = ["per_second", "p50", "p99", "cpu"].iter().filter_map(|figure| {
            median(measured, contestant, phase, figure).map(|value| format!("{figure} {}", short(value)))
        });
        let _ = writeln!(text, "  {contestant:<17} {phase:<10} {}", figures.collect::<Vec<_>>().join(", "));
    }
    let _ = writeln!(text, "\n{:<5}{:<70}{:>9}{:>9}{:>9}  {:<9}", "goal", "", "ours", "theirs", "ratio", "wanted");
    for outcome in outcomes {
        let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), short);
        let met = match (outcome.met, outcome.stretch_met) {
            (None, _) => "not measured",
            (Some(true), Some(true)) => "met, and the stretch",
            (Some(true), _) => "met",
            (Some(false), _) => "NOT MET",
        };
        let Outcome { goal, what, ours, theirs, ratio, wanted, .. } = outcome;
        let (ours, theirs, ratio) = (shown(*ours), shown(*theirs), shown(*ratio));
        let _ = writeln!(text, "{goal:<5}{what:<70}{ours:>9}{theirs:>9}{ratio:>9}  {wanted:<9} {met}");
    }
    for (name, why) in missing {
        let _ = writeln!(text, "skipped: {name}: {why}");
    }
    for (name, why) in failed {
        let _ = writeln!(text, "failed: {name}: {why}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &str) -> Result<Asked> {
        Asked::read(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_strangers_refused() {
        let some = asked("--quick --only dbos --only innkeeper --rounds 2").unwrap();
        assert_eq!((some.size.rounds, some.size.seconds), (2, 1));
        assert!(some.wants("dbos") && !some.wants("bullmq"));
        assert!(asked("").unwrap().wants("bullmq"));
        assert!(asked("--only temporal").is_err());
        assert!(asked("--rounds").is_err());
    }

    #[test]
    fn the_report_says_what_is_missing() {
        let missing = [("dbos".to_owned(), "no network".to_owned())].into();
        let text = report(&[], &goals::judge(&[]), &missing, &BTreeMap::new());
        assert!(text.contains("skipped: dbos: no network"));
        assert!(!text.contains(" met\n") && text.contains("not measured"));
    }
}
