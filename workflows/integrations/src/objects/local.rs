//! Objects as files in a folder: the embedded default, and what tests look into.
//!
//! `{root}/objects/{key}` holds the content, `{root}/types/{key}` its content type. A file appears under its name complete
//! and flushed to disk or not at all; its type is written first, so an object is never without one.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use domain::Timestamp;
use secrecy::SecretString;
use tempfile::NamedTempFile;

use super::key::{check, check_prefix};
use super::upload::{Seal, UploadGrant, UploadRefused};
use super::{Object, ObjectHead, ObjectStore, UploadTarget};
use crate::Error;

const UNTYPED: &str = "application/octet-stream";

/// A folder that several processes may share.
pub struct LocalObjects {
    folder: Folder,
    base_url: String,
    seal: Seal,
}

impl LocalObjects {
    /// Opens the store, making its folders. Upload addresses are `base_url` with a token behind it, signed with `signing_secret`.
    pub fn open(root: &Path, base_url: &str, signing_secret: &SecretString) -> Result<Self, Error> {
        let folder = Folder { root: root.to_owned() };
        for part in [folder.objects(), folder.types(), folder.unfinished()] {
            fs::create_dir_all(&part).map_err(|error| failed("making", &part, &error))?;
        }
        Ok(Self { folder, base_url: base_url.trim_end_matches('/').to_owned(), seal: Seal::new(signing_secret) })
    }

    /// What the token of an upload address permits; lets a server refuse before it reads the body.
    pub fn grant(&self, token: &str, now: Timestamp) -> Result<UploadGrant, UploadRefused> {
        self.seal.open(token, now)
    }

    /// Takes an upload that fits its permission to the letter, and returns the key it is stored under.
    pub async fn accept_upload(
        &self,
        token: &str,
        content_type: &str,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<String, UploadRefused> {
        let UploadGrant { key, content_type: agreed, length, expires_at: _ } = self.grant(token, now)?;
        if content_type != agreed {
            return Err(UploadRefused::WrongType { agreed });
        }
        if u64::try_from(body.len()) != Ok(length) {
            return Err(UploadRefused::WrongLength { agreed: length });
        }
        self.put(&key, body, content_type).await.map_err(UploadRefused::NotStored)?;
        Ok(key)
    }

    /// Runs file work off the async threads.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || work(&folder))
            .await
            .map_err(|error| Error::unknown(format!("file work was cut short: {error}")))?
    }
}

#[async_trait]
impl ObjectStore for LocalObjects {
    async fn put(&self, key: &str, bytes: Vec<u8>, content_type: &str) -> Result<(), Error> {
        let (key, content_type) = (check(key)?.to_owned(), content_type.to_owned());
        self.on_disk(move |folder| {
            folder.write(&folder.types().join(&key), content_type.as_bytes())?;
            folder.write(&folder.objects().join(&key), &bytes)
        })
        .await
    }

    async fn get(&self, key: &str, max_bytes: u64) -> Result<Option<Object>, Error> {
        let key = check(key)?.to_owned();
        self.on_disk(move |folder| {
            let Some(bytes) = read(&folder.objects().join(&key), max_bytes)? else { return Ok(None) };
            Ok(Some(Object { bytes, content_type: folder.type_of(&key)? }))
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        let key = check(key)?.to_owned();
        self.on_disk(move |folder| {
            remove(&folder.objects().join(&key))?;
            remove(&folder.types().join(&key))
        })
        .await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectHead>, Error> {
        let key = check(key)?.to_owned();
        self.on_disk(move |folder| {
            let path = folder.objects().join(&key);
            match fs::metadata(&path) {
                Ok(file) if file.is_file() => {
                    Ok(Some(ObjectHead { bytes: file.len(), content_type: folder.type_of(&key)? }))
                }
                Ok(_) => Ok(None),
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(failed("looking at", &path, &error)),
            }
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let prefix = check_prefix(prefix)?.to_owned();
        self.on_disk(move |folder| {
            // Only the folder that the prefix names is walked, not the whole store.
            let parent = prefix.rsplit_once('/').map_or("", |(parent, _)| parent);
            let mut keys = Vec::new();
            walk(&folder.objects().join(parent), parent, &mut keys)?;
            keys.retain(|key| key.starts_with(&prefix));
            keys.sort_unstable();
            Ok(keys)
        })
        .await
    }

    fn presign_put(&self, request: &UploadGrant) -> Result<UploadTarget, Error> {
        check(&request.key)?;
        Ok(UploadTarget {
            method: "PUT",
            url: format!("{}/{}", self.base_url, self.seal.token(request)),
            headers: vec![
                ("content-type".to_owned(), request.content_type.clone()),
                ("content-length".to_owned(), request.length.to_string()),
            ],
            expires_at: request.expires_at,
        })
    }
}

#[derive(Clone)]
struct Folder {
    root: PathBuf,
}

impl Folder {
    fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    fn types(&self) -> PathBuf {
        self.root.join("types")
    }

    fn unfinished(&self) -> PathBuf {
        self.root.join("unfinished")
    }

    fn type_of(&self, key: &str) -> Result<String, Error> {
        let stored = read(&self.types().join(key), 256)?;
        Ok(stored.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| UNTYPED.to_owned()))
    }

    /// Writes beside the store, flushes, and moves into place: readers and a power cut see all of it or nothing.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        self.write_through(path, bytes).map_err(|error| failed("writing", path, &error))
    }

    fn write_through(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let parent = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent)?;
        let mut unfinished = NamedTempFile::new_in(self.unfinished())?;
        unfinished.write_all(bytes)?;
        unfinished.as_file().sync_all()?;
        unfinished.persist(path)?;
        // The name is data of its folder, and a new folder's name of the one above, up to the root.
        parent.ancestors().take_while(|folder| folder.starts_with(&self.root)).try_for_each(flush_folder)
    }
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn read(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(failed("opening", path, &error)),
    };
    let mut bytes = Vec::new();
    match file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::IsADirectory => return Ok(None),
        Err(error) => return Err(failed("reading", path, &error)),
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > max_bytes) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return Err(Error::misconfigured(format!(
            "the object {name} is larger than the {max_bytes} bytes allowed here"
        )));
    }
    Ok(Some(bytes))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(failed("removing", path, &error)),
    }
}

fn walk(folder: &Path, key: &str, keys: &mut Vec<String>) -> Result<(), Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(failed("listing", folder, &error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| failed("listing", folder, &error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let inner = if key.is_empty() { name } else { format!("{key}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), &inner, keys)?,
            Ok(_) => keys.push(inner),
            Err(error) => return Err(failed("listing", folder, &error)),
        }
    }
    Ok(())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// What fails on our own disk is cured by an operator: missing rights and a full disk are not the caller's fault, and
/// nothing was done that could not be done again.
fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    let what = format!("{doing} {}: {error}", path.display());
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::misconfigured(what),
        _ => Error::transient(what),
    }
}
