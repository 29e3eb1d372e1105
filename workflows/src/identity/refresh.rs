//! Refresh tokens: each renews a session once and is replaced by its successor.
//!
//! A token names its session and is stamped, so a forged one is refused without asking the database, and an old one of ours
//! is known for what it is. Its successor follows from it and the key of keys, so that a client whose answer was lost can
//! ask again and get the very same one; the database holds only hashes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{SessionId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::seal::{KeyOfKeys, random};

const PREFIX: &str = "rt_";
const SECRET: usize = 32;
const STAMP: usize = 16;
const LENGTH: usize = 16 + 16 + SECRET + STAMP;

/// A token that we issued at some time, for this person and session.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    secret: [u8; SECRET],
    stamp: [u8; STAMP],
}

impl RefreshToken {
    /// The first of a session.
    pub(crate) fn first(root: &KeyOfKeys, user: UserId, session: SessionId) -> Self {
        Self::stamped(root, user, session, random())
    }

    /// The one that replaces this one: always the same.
    pub(crate) fn successor(&self, root: &KeyOfKeys) -> Self {
        let secret = root.derive("refresh-successor", &[self.session.uuid().as_bytes(), &self.secret]);
        Self::stamped(root, self.user, self.session, secret)
    }

    fn stamped(root: &KeyOfKeys, user: UserId, session: SessionId, secret: [u8; SECRET]) -> Self {
        let whole = root.derive("refresh-stamp", &[user.uuid().as_bytes(), session.uuid().as_bytes(), &secret]);
        Self { user, session, secret, stamp: whole[..STAMP].try_into().expect("a stamp is shorter than a digest") }
    }

    /// Reads a token; `None` unless we issued it.
    pub(crate) fn read(root: &KeyOfKeys, text: &SecretString) -> Option<Self> {
        let text = text.expose_secret().strip_prefix(PREFIX).filter(|text| text.len() < 2 * LENGTH)?;
        let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let uuid = |at: usize| Uuid::from_slice(&bytes[at..at + 16]).ok();
        let secret = bytes[32..32 + SECRET].try_into().ok()?;
        let read = Self::stamped(root, UserId::from_uuid(uuid(0)?), SessionId::from_uuid(uuid(16)?), secret);
        let same = bytes[32 + SECRET..].iter().zip(read.stamp).fold(0, |differ, (one, two)| differ | (one ^ two)) == 0;
        same.then_some(read)
    }

    /// What the client keeps.
    pub(crate) fn show(&self) -> String {
        let Self { user, session, secret, stamp } = self;
        let bytes = [user.uuid().as_bytes().as_slice(), session.uuid().as_bytes(), secret, stamp].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What the database keeps.
    pub(crate) fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.show()))
    }
}

/// Never the token.
impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken({})", self.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> (UserId, SessionId) {
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        (UserId::mint(now, [1; 10]), SessionId::mint(now, [2; 10]))
    }

    #[test]
    fn only_what_we_issued_is_read() {
        let root = KeyOfKeys::from_bytes([7; 32]);
        let token = RefreshToken::first(&root, ids().0, ids().1);
        let shown = token.show();
        let read = |root: &KeyOfKeys, text: &str| RefreshToken::read(root, &SecretString::from(text));
        assert_eq!(read(&root, &shown), Some(token.clone()));
        assert_eq!(read(&KeyOfKeys::from_bytes([8; 32]), &shown), None);
        for at in PREFIX.len()..shown.len() {
            let mut forged = shown.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(read(&root, std::str::from_utf8(&forged).unwrap()), None, "character {at}");
        }
        for other in ["", "rt_", &shown[3..], &format!("{shown}A"), &"A".repeat(1 << 20)] {
            assert_eq!(read(&root, other), None);
        }
    }

    #[test]
    fn a_successor_is_always_the_same_and_cannot_be_guessed() {
        let root = KeyOfKeys::from_bytes([7; 32]);
        let first = RefreshToken::first(&root, ids().0, ids().1);
        assert_eq!(first.successor(&root), first.successor(&root));
        assert_ne!(first.successor(&root).secret, first.successor(&KeyOfKeys::from_bytes([8; 32])).secret);
        assert_ne!(first.hash(), first.successor(&root).hash());
        assert_ne!(first.secret, RefreshToken::first(&root, ids().0, ids().1).secret);
        assert!(!format!("{first:?}").contains(&first.show()[40..50]));
    }
}
