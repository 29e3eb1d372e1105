//! Mail as files in a folder: the embedded default, and an inbox that people and tests can open.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::{fs, io};

use async_trait::async_trait;
use tempfile::NamedTempFile;

use super::message::{build, fingerprint};
use super::{MailAnswer, Mailer, OutgoingMail};
use crate::Error;

/// Writes each message to a file of its own, named after its id: sending it again changes nothing.
#[derive(Debug, Clone)]
pub struct FolderMailer {
    folder: PathBuf,
}

impl FolderMailer {
    /// Opens the folder, making it when absent.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where a message with this id is or will be.
    pub fn path_of(&self, message_id: &str) -> PathBuf {
        let readable: String = message_id
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
            .collect();
        // Two ids may read alike; the fingerprint tells them apart.
        self.folder.join(format!("{readable:.80}-{:.12}.eml", fingerprint(message_id)))
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &OutgoingMail) -> Result<MailAnswer, Error> {
        let message = match build(mail)? {
            Ok(message) => message.formatted(),
            Err(answer) => return Ok(answer),
        };
        let (folder, path) = (self.folder.clone(), self.path_of(&mail.message_id));
        let written = tokio::task::spawn_blocking(move || {
            write_through(&folder, &path, &message).map_err(|error| failed(&folder, &error))
        });
        written.await.map_err(|error| Error::unknown(format!("writing a mail was cut short: {error}")))??;
        Ok(MailAnswer::Accepted)
    }
}

/// Complete and on the disk, or not there at all.
fn write_through(folder: &Path, path: &Path, message: &[u8]) -> io::Result<()> {
    let mut unfinished = tempfile::Builder::new().prefix(".unfinished-").tempfile_in(folder)?;
    unfinished.write_all(message)?;
    unfinished.as_file().sync_all()?;
    persist(unfinished, path)?;
    fs::File::open(folder)?.sync_all()
}

fn persist(unfinished: NamedTempFile, path: &Path) -> io::Result<()> {
    unfinished.persist(path).map(drop).map_err(|error| error.error)
}

/// The file name is derived from the message, so writing again is harmless whatever went wrong.
fn failed(folder: &Path, error: &io::Error) -> Error {
    let what = format!("writing mail to {}: {error}", folder.display());
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::misconfigured(what),
        _ => Error::transient(what),
    }
}
