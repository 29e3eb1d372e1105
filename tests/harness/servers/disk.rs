//! A disk so small that a test can fill it: a file system in memory, mounted where a server or the product keeps its files.
//!
//! Only root may mount, so only root can run what needs it; everybody else is told so.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// What takes the room of others.
const BALLAST: &str = "ballast";
const PIECE: usize = 64 * 1024;

/// A mounted disk; dropping it takes it down with everything on it.
pub struct SmallDisk {
    place: PathBuf,
    /// Goes when the disk has been taken down.
    folder: Option<TempDir>,
}

impl SmallDisk {
    /// Mounts a disk of this many megabytes on a folder of its own.
    pub fn new(megabytes: u32) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("innkeeper-disk-").tempdir()?;
        let mut disk = Self::mount(folder.path(), megabytes)?;
        disk.folder = Some(folder);
        Ok(disk)
    }

    /// Mounts a disk of this many megabytes on a folder, which is made if need be.
    pub fn mount(place: &Path, megabytes: u32) -> Result<Self> {
        fs::create_dir_all(place)?;
        let size = format!("size={megabytes}m,mode=0755");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(place).output()?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            bail!("a disk that can be filled needs the right to mount one, which root has: {why}");
        }
        Ok(Self { place: place.to_owned(), folder: None })
    }

    /// Where it is mounted.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = File::options().create(true).append(true).open(self.ballast())?;
        let mut piece = PIECE;
        while piece > 0 {
            match ballast.write(&vec![0; piece]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => piece /= 2,
                Err(error) => return Err(error).context("fill the disk"),
            }
        }
        Ok(())
    }

    /// Makes room again.
    pub fn free(&self) -> Result<()> {
        match fs::remove_file(self.ballast()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("free the disk"),
            _ => Ok(()),
        }
    }

    fn ballast(&self) -> PathBuf {
        self.place.join(BALLAST)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there must not keep it for ever.
        let _ = Command::new("umount").arg("--lazy").arg(&self.place).status();
        drop(self.folder.take());
    }
}
