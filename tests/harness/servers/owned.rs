//! One server process of ours: its folder, its free port, its user, and its certain end.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::Leash;
use crate::Port;

/// How often another free port is tried when somebody else was quicker to take the last one.
const PORTS_TRIED: usize = 5;

/// Who a server runs as: some refuse to run as root, and none needs it.
#[derive(Clone, Copy)]
pub(super) struct Account(Option<(u32, u32)>);

impl Account {
    /// Ourselves; when we are root, the package's own user or else `nobody`.
    pub(super) fn unprivileged(preferred: &str) -> Result<Self> {
        if id_of(None, "-u")? != 0 {
            return Ok(Self(None));
        }
        for name in [preferred, "nobody"] {
            if let (Ok(user), Ok(group)) = (id_of(Some(name), "-u"), id_of(Some(name), "-g")) {
                return Ok(Self(Some((user, group))));
            }
        }
        bail!("running as root, and there is neither a user {preferred} nor nobody to run the server as")
    }

    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Self(Some((user, group))) = self {
            command.uid(user).gid(group);
        }
        // The locale and PG… variables of whoever runs the tests must not reach the servers.
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// A new private folder that belongs to this account, under the first usual place where the account can reach it.
    pub(super) fn folder(self, prefix: &str) -> Result<TempDir> {
        let mut places = vec![std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
        places.dedup();
        self.folder_in(&places, prefix)
    }

    /// A new private folder that belongs to this account, under the first of these places where the account can reach it.
    pub(super) fn folder_in(self, places: &[PathBuf], prefix: &str) -> Result<TempDir> {
        for place in places {
            let Ok(folder) = tempfile::Builder::new().prefix(prefix).tempdir_in(place) else { continue };
            let Self(Some((user, group))) = self else { return Ok(folder) };
            if open_to_all(place) {
                chown(folder.path(), Some(user), Some(group)).context("give the server's folder to its user")?;
                return Ok(folder);
            }
        }
        bail!("no folder that an unprivileged user could reach: tried {places:?}")
    }
}

fn open_to_all(folder: &Path) -> bool {
    folder.ancestors().all(|step| fs::metadata(step).is_ok_and(|found| found.permissions().mode() & 0o001 != 0))
}

fn id_of(name: Option<&str>, which: &str) -> Result<u32> {
    let output = Command::new("id").arg(which).args(name).stderr(Stdio::null()).output().context("run `id`")?;
    String::from_utf8_lossy(&output.stdout).trim().parse().with_context(|| format!("no such user: {name:?}"))
}

/// A running server process.
pub(super) struct Process {
    child: Child,
    signal: &'static str,
    leash: Option<Leash>,
}

impl Process {
    /// Starts the server with its output in this log file; `signal` is how it is asked to end at once.
    pub(super) fn start(mut command: Command, log: &Path, signal: &'static str) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log).context("open the server's log")?;
        let mut child = command
            .stdout(output.try_clone()?)
            .stderr(output)
            // Its own group: a Ctrl-C in the terminal reaches the tests, and only then, through us, the servers.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        let folder = log.parent();
        let leash = Leash::hold(child.id(), signal, folder);
        if leash.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        Ok(Self { child, signal, leash: Some(leash?) })
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal by number or name; a process that has already ended is no error.
    pub(super) fn signal(&mut self, signal: &str) {
        if !self.has_ended() {
            send_signal(self.child.id(), signal);
        }
    }

    /// Ends it by this signal and waits until it is gone.
    pub(super) fn end(&mut self, signal: &str) {
        self.signal(signal);
        let _ = self.child.wait();
        if let Some(leash) = self.leash.take() {
            leash.release();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(self.signal);
    }
}

/// Sends a signal to one process by its number; the shell's `kill` is everywhere, and ours would need unsafe code.
pub fn send_signal(pid: u32, signal: &str) {
    let _ = Command::new("/bin/sh")
        .args(["-c", r#"kill -s "$1" "$2""#, "kill", signal, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// Gives a running process no more memory than so many bytes, or as much as there is.
pub fn limit_memory(pid: u32, bytes: Option<u64>) {
    // The soft limit alone: it can be lifted again without being root.
    let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
    let _ = Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--as={limit}:")]).status();
}

/// Runs `start` on free loopback ports until one attempt is not beaten to its port.
pub(super) fn on_a_free_port<S>(mut start: impl FnMut(Port) -> Result<S>) -> Result<S> {
    let mut last = None;
    for _ in 0..PORTS_TRIED {
        match start(Port::free()?) {
            Ok(server) => return Ok(server),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no free port was tried")?)
}

/// The end of a server's log, for the error that says why it did not start.
pub(super) fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
