//! The real binary as a child process: started, watched, asked to stop, or killed.
//!
//! A test that only needs the product's behaviour calls it in process. This is for what only a process can show: readiness, a clean
//! end on SIGTERM, and what is left after `kill -9`.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::servers::{Leash, send_signal};
use crate::wait;

/// Names an `innkeeper` that is already built, so that a suite does not ask cargo in every process.
const BINARY_VARIABLE: &str = "INNKEEPER_BIN";

/// A program that is about to be started.
pub struct Program {
    name: String,
    command: Command,
}

impl Program {
    /// Runs it to its end on this thread: for the end of a test, where nothing can be awaited any more.
    pub fn run_here(mut self) -> std::io::Result<std::process::Output> {
        self.command.output()
    }

    /// The product, as the environment names it or as cargo builds it now.
    pub fn innkeeper() -> Result<Self> {
        static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let built = BUILT.get_or_init(|| match env::var_os(BINARY_VARIABLE) {
            Some(path) => Ok(path.into()),
            None => build().map_err(|error| format!("{error:#}")),
        });
        let path = built.as_ref().map_err(|error| anyhow!("{error}"))?;
        Ok(Self::at(path, "innkeeper"))
    }

    /// Any program, with the name that its failures shall carry.
    pub fn at(path: &Path, name: impl Into<String>) -> Self {
        let mut command = Command::new(path);
        // What the caller's shell happens to export is no part of a test.
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
        Self { name: name.into(), command }
    }

    /// The name to tell several apart: `worker 2`.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds command-line words.
    pub fn args(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(words);
        self
    }

    /// Sets one variable of its otherwise empty environment.
    pub fn env(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Where it runs: a folder of the test, so that nothing is written into the sources.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Starts it; from here on it cannot outlive the test.
    pub fn start(self) -> Result<Running> {
        let log = Log::default();
        self.spawn(Stdio::null(), (&log, &log))
    }

    /// Runs it to its end with this on its standard input, and keeps what it prints apart from what it complains of.
    pub async fn run(self, limit: Duration, input: &str) -> Result<Finished> {
        let (printed, complained) = (Log::default(), Log::default());
        let mut running = self.spawn(Stdio::piped(), (&printed, &complained))?;
        if let Some(mut stdin) = running.child.stdin.take() {
            // It may end without having read everything, which is its own affair.
            let _ = stdin.write_all(input.as_bytes());
        }
        let code = running.ended(limit).await?.code();
        let whole = || std::future::ready((printed.is_complete() && complained.is_complete()).then_some(()));
        wait::until(limit, "the end of its output", whole).await?;
        Ok(Finished { code, printed: printed.lines().join("\n"), complained: complained.lines().join("\n") })
    }

    fn spawn(self, input: Stdio, (printed, complained): (&Log, &Log)) -> Result<Running> {
        let Self { name, mut command } = self;
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        if let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) {
            printed.follow(output);
            complained.follow(errors);
        }
        let mut running = Running { name, child, log: complained.clone(), leash: None };
        running.leash = Some(Leash::hold(running.pid(), "KILL", None)?);
        Ok(running)
    }
}

/// What became of a program that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output, without the last line's end.
    pub printed: String,
    /// Its standard error, likewise.
    pub complained: String,
}

/// A child process of the test; dropping it kills it, and shows the end of its log if the test is failing.
pub struct Running {
    name: String,
    child: Child,
    log: Log,
    leash: Option<Leash>,
}

impl Running {
    /// The process's number, the only thing it is ever signalled by.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Waits for the first line that contains this text, and returns it; fails at once when the process ends without it.
    pub async fn says(&mut self, limit: Duration, text: &str) -> Result<String> {
        self.until(limit, &format!("to say {text:?}"), async |log| {
            log.lines().into_iter().find(|line| line.contains(text))
        })
        .await
    }

    /// Waits until this address answers with success; fails at once when the process ends first.
    pub async fn answers(&mut self, limit: Duration, url: &str) -> Result<()> {
        let http = reqwest::Client::builder().timeout(limit).no_proxy().build()?;
        self.until(limit, &format!("to answer at {url}"), async |_| {
            let answer = http.get(url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Asks it to stop in good order (SIGTERM), and waits until it has.
    pub async fn stop(mut self, limit: Duration) -> Result<ExitStatus> {
        send_signal(self.pid(), "TERM");
        self.ended(limit).await
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        let ended = wait::until(limit, &what, || std::future::ready(self.child.try_wait().transpose())).await;
        let status = ended.with_context(|| self.last_words())??;
        self.let_go();
        Ok(status)
    }

    /// Ends it as the worst moment would (SIGKILL): no destructor, no flush, no good-bye.
    pub fn kill(mut self) {
        self.end();
    }

    async fn until<T>(&mut self, limit: Duration, what: &str, look: impl AsyncFn(&Log) -> Option<T>) -> Result<T> {
        let waiting = format!("{} {what}", self.name);
        let (child, log) = (&mut self.child, &self.log);
        // What a process printed before its end counts, so its end is its last line read.
        let ended = |child: &mut Child| child.try_wait().ok().flatten().filter(|_| log.is_complete());
        let seen = wait::until(limit, &waiting, || {
            let end = ended(child);
            let look = look(log);
            async move {
                match (look.await, end) {
                    (Some(seen), _) => Some(Ok(seen)),
                    (None, Some(status)) => Some(Err(status)),
                    (None, None) => None,
                }
            }
        });
        match seen.await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(status)) => bail!("{waiting}: it ended instead ({status})\n{}", self.last_words()),
            Err(error) => Err(error.context(self.last_words())),
        }
    }

    fn last_words(&self) -> String {
        let lines = self.log.lines();
        let last = &lines[lines.len().saturating_sub(40)..];
        format!("last words of {}:\n  {}", self.name, last.join("\n  "))
    }

    fn end(&mut self) {
        // An error means that it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.let_go();
    }

    fn let_go(&mut self) {
        if let Some(leash) = self.leash.take() {
            leash.release();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            eprintln!("{}", self.last_words());
        }
    }
}

/// The lines of a process, from both its outputs, in the order in which they came.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    lines: Vec<String>,
    open: usize,
}

impl Log {
    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.pages().lines.clone()
    }

    fn is_complete(&self) -> bool {
        self.pages().open == 0
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, source: impl Read + Send + 'static) {
        let log = self.clone();
        log.pages().open += 1;
        thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                log.pages().lines.push(line);
            }
            log.pages().open -= 1;
        });
    }
}

/// Builds the binary as `cargo run` would and asks cargo where it is; a no-op of a moment when it is fresh.
fn build() -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["build", "--package", "ops", "--bin", "innkeeper", "--message-format", "json-render-diagnostics"]);
    // The tests' own build of the engine has it too, so nothing is built twice; what is shipped is built without.
    command.args(["--features", "faults"]);
    // What cargo has told this test about the crate `tests` would make build scripts (ring's) think that they must run again.
    for (variable, _) in env::vars_os() {
        let name = variable.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"].iter().any(|start| name.starts_with(start)) {
            command.env_remove(&variable);
        }
    }
    let output = command.stderr(Stdio::inherit()).output().context("run cargo")?;
    if !output.status.success() {
        bail!("the product does not build");
    }
    let mut messages = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let built = messages.find_map(|message: serde_json::Value| Some(message["executable"].as_str()?.into()));
    built.context("cargo named no executable")
}
