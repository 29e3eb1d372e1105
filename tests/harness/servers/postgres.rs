//! A private Postgres, durable as in production: a test that kills it must find what was committed.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::owned::{Account, Process, on_a_free_port, tail};
use super::{SmallDisk, find};
use crate::{Port, wait};

const START_UP: Duration = Duration::from_secs(60);
const ROLE: &str = "innkeeper";
/// Whom the package runs it as.
const USER: &str = "postgres";
const PREFIX: &str = "innkeeper-postgres-";

/// A Postgres server of our own; dropping it ends it and removes its files.
pub struct Postgres {
    port: u16,
    /// Keeps the port ours while nobody listens there.
    lease: Option<Port>,
    password: String,
    programs: PathBuf,
    account: Account,
    process: Option<Process>,
    folder: TempDir,
}

impl Postgres {
    /// Makes a new cluster in a private folder and starts it on a free loopback port.
    pub fn start() -> Result<Self> {
        Self::begin(Self::new_cluster()?)
    }

    /// The same, with its files on this disk.
    pub fn start_on(disk: &SmallDisk) -> Result<Self> {
        let account = Account::unprivileged(USER)?;
        let folder = account.folder_in(&[disk.place().to_owned()], PREFIX)?;
        Self::begin(Self::cluster_in(account, folder)?)
    }

    fn begin(mut server: Self) -> Result<Self> {
        on_a_free_port(|port| {
            server.port = port.number();
            server.lease = Some(port);
            server.start_again()
        })?;
        Ok(server)
    }

    fn new_cluster() -> Result<Self> {
        let account = Account::unprivileged(USER)?;
        let folder = account.folder(PREFIX)?;
        Self::cluster_in(account, folder)
    }

    fn cluster_in(account: Account, folder: TempDir) -> Result<Self> {
        let programs = find::postgres_folder()?;
        let password = format!("{:032x}", rand::random::<u128>());
        let server = Self { port: 0, lease: None, password, programs, account, process: None, folder };
        server.make_cluster()?;
        Ok(server)
    }

    /// The administrator's URL. The password is random, so whoever answers to it is this server and nobody else's.
    pub fn url(&self) -> String {
        format!("postgres://{ROLE}:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// Where it listens, and will listen again.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again on the same files and port after [`Postgres::stop`] or [`Postgres::kill`]; does nothing while it runs.
    pub fn start_again(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(|process| !process.has_ended()) {
            return Ok(());
        }
        let log = self.folder.path().join("log");
        let mut command = self.account.command(&self.programs.join("postgres"));
        command.arg("-D").arg(self.cluster()).arg("-p").arg(self.port.to_string());
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        let mut process = Process::start(command, &log, "QUIT")?;
        let port = self.port;
        let answers = wait::blocking(START_UP, || {
            if process.has_ended() {
                return Some(false);
            }
            // The postmaster listens from its first moments; the pid file says when it takes connections.
            let ready = fs::read_to_string(self.cluster().join("postmaster.pid"))
                .is_ok_and(|text| text.lines().nth(7).is_some_and(|state| state.trim() == "ready"));
            (ready && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).then_some(true)
        });
        if answers != Some(true) {
            bail!("Postgres did not start on port {port}:\n{}", tail(&log));
        }
        self.process = Some(process);
        Ok(())
    }

    /// Stops it as an operator would: sessions are cut, everything is written.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends it as a power cut would, all its processes at once.
    pub fn kill(&mut self) {
        self.end("QUIT");
    }

    /// Copies the running cluster as an operator would, with the log that makes the copy whole.
    pub fn back_up(&self) -> Result<()> {
        let output = self
            .account
            .command(&self.programs.join("pg_basebackup"))
            .env("PGPASSWORD", &self.password)
            .args(["--host", "127.0.0.1", "--username", ROLE, "--checkpoint", "fast", "--no-sync"])
            .args(["--port", &self.port.to_string(), "--pgdata"])
            .arg(self.backup())
            .output()
            .context("run pg_basebackup")?;
        if !output.status.success() {
            bail!("pg_basebackup failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Loses the cluster with all that came after the copy, and starts the copy in its place.
    pub fn restore(&mut self) -> Result<()> {
        self.kill();
        fs::remove_dir_all(self.cluster()).context("lose the cluster")?;
        fs::rename(self.backup(), self.cluster()).context("put the copy in its place")?;
        self.start_again()
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut process) = self.process.take() {
            process.end(signal);
        }
    }

    fn cluster(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    fn make_cluster(&self) -> Result<()> {
        let secret = self.folder.path().join("password");
        fs::write(&secret, &self.password)?;
        // The folder is private to the server's user; inside it, that user must be able to read.
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o644))?;
        let output = self
            .account
            .command(&self.programs.join("initdb"))
            .args(["--username", ROLE, "--auth", "password", "--encoding", "UTF8", "--locale", "C", "--no-sync"])
            .arg("--pwfile")
            .arg(&secret)
            .arg("--pgdata")
            .arg(self.cluster())
            .output()
            .context("run initdb")?;
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// Durability is the default of Postgres and stays on, said aloud because so many test set-ups turn it off.
const SETTINGS: &[&str] = &[
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=400",
    "shared_buffers=256MB",
    "max_wal_size=2GB",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_statement=none",
];

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_taken_port_is_seen_at_once_and_another_one_is_tried() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let taken_port = taken.local_addr().unwrap().port();
        let mut server = Postgres::new_cluster().unwrap();
        let mut tried = Vec::new();
        on_a_free_port(|free_port| {
            server.port = if tried.is_empty() { taken_port } else { free_port.number() };
            let outcome = server.start_again();
            tried.push(outcome.as_ref().err().map(ToString::to_string));
            outcome
        })
        .unwrap();
        assert!(tried[0].as_ref().is_some_and(|error| error.contains("Address already in use")), "{tried:?}");
        assert_eq!(tried.len(), 2);
    }
}
