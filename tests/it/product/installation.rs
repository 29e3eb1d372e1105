//! An installation of the product in a folder and on ports of its own: its settings, its commands, its processes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::Port;
use harness::program::{Finished, Program, Running};
use tempfile::TempDir;

use super::visitors::Site;

/// Longer than anything takes on a busy machine; a test that waits so long fails.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// A folder, two ports, and what its environment says.
pub(super) struct Installation {
    folder: TempDir,
    doors: Doors,
    settings: Vec<(String, String)>,
    forged: AtomicBool,
}

/// Where a process listens.
#[derive(Clone)]
struct Doors {
    public: Port,
    metrics: Port,
}

/// A process that serves.
pub(super) struct Served {
    /// The process.
    pub process: Running,
    /// From its start to its first readiness.
    pub took: Duration,
    /// Where it serves the API; an address that nobody serves for a worker.
    pub site: Site,
    doors: Doors,
}

impl Installation {
    /// The embedded default.
    pub(super) fn embedded() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("innkeeper-product-").tempdir()?;
        Ok(Self { folder, doors: Doors::free()?, settings: Vec::new(), forged: AtomicBool::new(false) })
    }

    /// Sets a variable for everything that is started from now on.
    pub(super) fn with(mut self, variable: &str, value: &str) -> Self {
        self.settings.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Says that this test spoils what the database holds on purpose.
    pub(super) fn is_forged(&self) {
        self.forged.store(true, Ordering::Relaxed);
    }

    /// A place beside the data folder.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A place in the data folder.
    pub(super) fn data(&self, name: &str) -> PathBuf {
        self.place("data").join(name)
    }

    /// A command that is not started yet.
    pub(super) fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Result<Program> {
        self.at(&self.doors, words)
    }

    fn at<'a>(&self, doors: &Doors, words: impl IntoIterator<Item = &'a str>) -> Result<Program> {
        let words: Vec<&str> = words.into_iter().collect();
        let program = Program::innkeeper()?
            .named(words.join(" "))
            .in_folder(self.folder.path())
            .env("INNKEEPER_API__LISTEN", doors.public.address())
            .env("INNKEEPER_API__METRICS_LISTEN", doors.metrics.address())
            .env("INNKEEPER_IDENTITY__PUBLIC_URL", format!("http://{}", self.doors.public.address()));
        let program = self.settings.iter().fold(program, |program, (name, value)| program.env(name, value));
        Ok(program.args(words).args(["--data", "data"]))
    }

    /// Runs a command to its end.
    pub(super) async fn run(&self, words: &str) -> Result<Finished> {
        self.command(words.split_whitespace())?.run(LIMIT, "").await
    }

    /// Starts `up`, or the first `api`, and returns once it is ready.
    pub(super) async fn serve(&self, role: &str) -> Result<Served> {
        self.serve_at(self.doors.clone(), role).await
    }

    /// Starts another `api` beside the first.
    pub(super) async fn another(&self, role: &str) -> Result<Served> {
        self.serve_at(Doors::free()?, role).await
    }

    async fn serve_at(&self, doors: Doors, role: &str) -> Result<Served> {
        let began = Instant::now();
        let mut process = self.at(&doors, [role])?.start()?;
        let url = format!("http://{}", doors.public.address());
        process.answers(LIMIT, &format!("{url}/readyz")).await?;
        let took = began.elapsed();
        Ok(Served { process, took, site: Site::new(url, self.data("mail"))?, doors })
    }

    /// Starts a `worker` and returns once its metrics can be asked.
    pub(super) async fn work(&self) -> Result<Served> {
        let (began, doors) = (Instant::now(), Doors::free()?);
        let mut process = self.at(&doors, ["worker"])?.start()?;
        process.answers(LIMIT, &doors.metrics_url()).await?;
        let site = Site::new(format!("http://{}", doors.public.address()), self.data("mail"))?;
        Ok(Served { process, took: began.elapsed(), site, doors })
    }
}

/// Every run that a test makes replays, and the product itself says so.
impl Drop for Installation {
    fn drop(&mut self) {
        let untouched = !self.data("innkeeper.db").exists();
        if std::thread::panicking() || untouched || self.forged.load(Ordering::Relaxed) {
            return;
        }
        let replay = self.command(["workflow", "replay"]).expect("the product").run_here().expect("it runs");
        let said = String::from_utf8_lossy(&replay.stdout).into_owned() + &String::from_utf8_lossy(&replay.stderr);
        assert!(replay.status.success(), "the journals of this test do not replay: {said}");
    }
}

impl Doors {
    fn free() -> Result<Self> {
        Ok(Self { public: Port::free()?, metrics: Port::free()? })
    }

    fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.metrics.address())
    }
}

impl Served {
    /// Where Prometheus looks.
    pub(super) fn metrics(&self) -> String {
        self.doors.metrics_url()
    }

    /// What Prometheus reads.
    pub(super) async fn exposition(&self) -> Result<String> {
        Ok(reqwest::get(self.metrics()).await?.error_for_status()?.text().await?)
    }

    /// Ends it in good order, and fails when the end was not good.
    pub(super) async fn stop(self) -> Result<()> {
        let status = self.process.stop(LIMIT).await?;
        anyhow::ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}
