//! Ends what a test started even when the test itself is killed: nothing is left behind, not a process, not a folder.
//!
//! Destructors do not run on `kill -9`, and statics are never dropped. So a shell waits on a pipe whose other end only we hold: when we
//! are gone, however that came about, the pipe closes and the shell ends the process and removes the folder.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};

/// The hold on one child process and, if it has one, its folder; released by [`Leash::release`] or by the end of this process.
pub struct Leash {
    shell: Child,
    pipe: Option<ChildStdin>,
}

/// "release" means that the owner has already seen to everything; a closed pipe, that nobody has.
/// The folder goes after the process, lest something be written into it again; a process that will not end does not hold us for ever,
/// and one that only nobody has asked about (a zombie: some containers reap late) has ended.
const SCRIPT: &str = r#"
read -r word
[ "$word" = release ] && exit 0
kill -s "$2" "$1"
tries=0
while kill -0 "$1" && ! grep -q '^State:.Z' "/proc/$1/status" && [ $tries -lt 250 ]; do sleep 0.02; tries=$((tries + 1)); done
[ -z "$3" ] || rm -rf -- "$3"
"#;

impl Leash {
    /// Ends the process by this signal, and then removes the folder, as soon as the caller's process is gone.
    pub fn hold(pid: u32, signal: &str, folder: Option<&Path>) -> Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "leash", &pid.to_string(), signal])
            .arg(folder.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own: a kill or a Ctrl-C meant for the test's group must not end the one who cleans up after it.
            .process_group(0)
            .spawn()
            .context("start the shell that cleans up after a killed test")?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Lets go: the process has ended and was reaped, so its number may belong to a stranger by now.
    pub fn release(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // A shell that is already gone has nothing to be told.
            let _ = pipe.write_all(b"release\n");
        }
        let _ = self.shell.wait();
    }
}
