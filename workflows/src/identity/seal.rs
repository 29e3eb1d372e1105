//! The key of keys: what seals the signing keys in the database and makes the tokens that are stored only as hashes.
//!
//! It lies in a file outside the database, so that neither a dump nor a backup of the database can sign anything.

use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::Sha256;

/// 256 bits that seal other keys.
#[derive(Clone)]
pub struct KeyOfKeys([u8; 32]);

/// Why there is no key of keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("could not read or make the key file {path}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file can be read by others.
    #[error("the key file {path} can be read by others; run: chmod 600 {path}")]
    Readable {
        /// Which file.
        path: String,
    },
    /// The file holds something else.
    #[error("the key file {path} does not hold 64 hexadecimal digits")]
    Content {
        /// Which file.
        path: String,
    },
}

/// Something sealed that does not open: another key of keys, another place, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed with another key, for another place, or changed since")]
pub struct DoesNotOpen;

impl KeyOfKeys {
    /// A key from its bytes: tests and vaults.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the key from a file that only its owner can read.
    ///
    /// # Errors
    /// When the file is missing, readable by others, or holds something else.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| KeyError::File { path: shown.clone(), source })?;
        if is_open_to_others(path).map_err(|source| KeyError::File { path: shown.clone(), source })? {
            return Err(KeyError::Readable { path: shown });
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| KeyError::Content { path: shown })?;
        Ok(Self(bytes))
    }

    /// Reads the key, or makes one on the first start of an embedded installation.
    ///
    /// # Errors
    /// As [`read`](Self::read); two processes that start at once agree on one key.
    pub fn read_or_make(path: &Path) -> Result<Self, KeyError> {
        match make(path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(KeyError::File { path: path.display().to_string(), source })
            }
            _ => Self::read(path),
        }
    }

    /// Seals `secret` for one `place`; moved elsewhere it does not open.
    pub fn seal(&self, place: &str, secret: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = secret.to_vec();
        let aad = Aad::from(place.as_bytes());
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        self.cipher().seal_in_place_append_tag(nonce_used, aad, &mut sealed).expect("a key is shorter than 64 GiB");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// When it was sealed with another key or for another place, or was changed.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, DoesNotOpen> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(DoesNotOpen)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DoesNotOpen)?;
        let mut opened = sealed.to_vec();
        let len = self.cipher().open_in_place(nonce, Aad::from(place.as_bytes()), &mut opened);
        let len = len.map_err(|_| DoesNotOpen)?.len();
        opened.truncate(len);
        Ok(opened)
    }

    /// 256 bits that follow from `parts` and cannot be guessed without the key; `purpose` keeps uses apart.
    pub fn derive(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes every key");
        mac.update(purpose.as_bytes());
        for part in parts {
            // The length first: no two lists of parts look alike.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.0).expect("AES-256 takes 32 bytes"))
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("without the system's randomness nothing is safe");
    bytes
}

/// Written to a temporary name and linked, so that nobody ever reads half a key.
fn make(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.draft", hex::encode(random::<8>())));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    writeln!(file, "{}", hex::encode(random::<32>()))?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Never the key.
impl fmt::Debug for KeyOfKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyOfKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_in_its_place_and_unchanged() {
        let key = KeyOfKeys::from_bytes([7; 32]);
        let sealed = key.seal("kid-1", b"secret");
        assert_eq!(key.open("kid-1", &sealed).unwrap(), b"secret");
        assert_eq!(key.open("kid-2", &sealed), Err(DoesNotOpen));
        assert_eq!(KeyOfKeys::from_bytes([8; 32]).open("kid-1", &sealed), Err(DoesNotOpen));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open("kid-1", &changed), Err(DoesNotOpen), "byte {at}");
        }
        assert_eq!(key.open("kid-1", &sealed[..5]), Err(DoesNotOpen));
        assert_ne!(sealed, key.seal("kid-1", b"secret"), "a nonce is never used twice");
    }

    #[test]
    fn what_is_derived_depends_on_every_part() {
        let key = KeyOfKeys::from_bytes([7; 32]);
        let all = [
            key.derive("a", &[b"xy", b"z"]),
            key.derive("a", &[b"x", b"yz"]),
            key.derive("b", &[b"xy", b"z"]),
            KeyOfKeys::from_bytes([8; 32]).derive("a", &[b"xy", b"z"]),
        ];
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), all.len());
        assert_eq!(all[0], key.derive("a", &[b"xy", b"z"]));
    }

    #[test]
    fn a_key_file_is_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/root.key");
        assert!(matches!(KeyOfKeys::read(&path), Err(KeyError::File { .. })));
        let first = KeyOfKeys::read_or_make(&path).unwrap();
        assert_eq!(KeyOfKeys::read_or_make(&path).unwrap().0, first.0);
        assert_eq!(std::fs::read_dir(folder.path().join("keys")).unwrap().count(), 1, "no draft is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            assert!(matches!(KeyOfKeys::read_or_make(&path), Err(KeyError::Readable { .. })));
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(KeyOfKeys::read_or_make(&path), Err(KeyError::Content { .. })));
    }
}
