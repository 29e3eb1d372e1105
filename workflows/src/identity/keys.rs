//! The keys that sign tokens: rows in the database, sealed by the key of keys.
//!
//! A new key is published a while before it signs, and an old one is kept until the last token it signed has expired, so a
//! rotation refuses nobody. Public halves are computed from the sealed private ones: a row that somebody else planted does
//! not open, and signs nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::Timestamp;
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::sessions::SigningKey as Row;

use super::seal::{DoesNotOpen, KeyOfKeys, random};

/// A key that is younger than this signs only when there is no older one.
pub(crate) const PUBLISHED_AHEAD: TimeDelta = TimeDelta::minutes(5);

/// What stands before the 32 bytes of an Ed25519 seed in PKCS #8.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// A key pair and its time.
#[derive(Clone)]
pub(crate) struct SigningKey {
    jwk: Jwk,
    encoding: EncodingKey,
    decoding: DecodingKey,
    created_at: Timestamp,
    retires_at: Option<Timestamp>,
}

/// A public key as the world reads it (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// Always `OKP`.
    pub kty: &'static str,
    /// Always `Ed25519`.
    pub crv: &'static str,
    /// Always `EdDSA`.
    pub alg: &'static str,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// Its name in tokens: the thumbprint of RFC 7638.
    pub kid: String,
    /// The key itself.
    pub x: String,
}

impl SigningKey {
    /// A new key, and the row to store it as.
    pub(crate) fn make(root: &KeyOfKeys, now: Timestamp) -> Row {
        let seed: [u8; 32] = random();
        let jwk = Jwk::of_seed(&seed).expect("32 random bytes are an Ed25519 seed");
        Row {
            kid: jwk.kid.clone(),
            sealed_private: root.seal(&place(&jwk.kid), &seed),
            public_jwk: serde_json::to_string(&jwk).expect("a public key is plain JSON"),
            created_at: now,
            retires_at: None,
        }
    }

    fn open(root: &KeyOfKeys, row: &Row) -> Result<Self, DoesNotOpen> {
        let seed = root.open(&place(&row.kid), &row.sealed_private)?;
        let jwk = Jwk::of_seed(&seed).filter(|jwk| jwk.kid == row.kid).ok_or(DoesNotOpen)?;
        let decoding = DecodingKey::from_ed_components(&jwk.x).map_err(|_| DoesNotOpen)?;
        let encoding = EncodingKey::from_ed_der(&[PKCS8.as_slice(), &seed].concat());
        Ok(Self { jwk, encoding, decoding, created_at: row.created_at, retires_at: row.retires_at })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.jwk.kid
    }

    pub(crate) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }

    pub(crate) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    #[cfg(test)]
    pub(crate) fn x(&self) -> &str {
        &self.jwk.x
    }

    fn is_retired(&self, now: Timestamp) -> bool {
        self.retires_at.is_some_and(|at| at <= now)
    }
}

impl Jwk {
    fn of_seed(seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let kid = URL_SAFE_NO_PAD.encode(thumbprint);
        Some(Self { kty: "OKP", crv: "Ed25519", alg: "EdDSA", usage: "sig", kid, x })
    }
}

/// Where a sealed key belongs: under another name it does not open.
fn place(kid: &str) -> String {
    format!("signing_key:{kid}")
}

/// The keys of the moment, newest first.
#[derive(Clone, Default)]
pub(crate) struct Keys(Vec<SigningKey>);

impl Keys {
    /// Opens the stored keys; those that do not open are left out and told of.
    pub(crate) fn open(root: &KeyOfKeys, rows: &[Row]) -> Self {
        let mut keys: Vec<_> =
            rows.iter().filter_map(|row| SigningKey::open(root, row).map_err(|_| warn(row)).ok()).collect();
        keys.sort_by(|one, two| (two.created_at, two.kid()).cmp(&(one.created_at, one.kid())));
        Self(keys)
    }

    /// The key to sign with: the newest that everybody can have heard of, else the oldest there is.
    pub(crate) fn signing(&self, now: Timestamp) -> Option<&SigningKey> {
        let known = |key: &&SigningKey| key.created_at + PUBLISHED_AHEAD <= now;
        let mut usable = self.0.iter().filter(|key| !key.is_retired(now));
        usable.clone().find(known).or_else(|| usable.next_back())
    }

    /// The key of this name, unless it is retired.
    pub(crate) fn verifying(&self, kid: &str, now: Timestamp) -> Option<&SigningKey> {
        self.0.iter().find(|key| key.kid() == kid && !key.is_retired(now))
    }

    /// The public halves, for `/.well-known/jwks.json`.
    pub(crate) fn public(&self, now: Timestamp) -> Vec<Jwk> {
        self.0.iter().filter(|key| !key.is_retired(now)).map(|key| key.jwk.clone()).collect()
    }
}

fn warn(row: &Row) {
    tracing::error!(kid = row.kid, "a signing key does not open: is this the key file it was sealed with?");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        "2027-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn root() -> KeyOfKeys {
        KeyOfKeys::from_bytes([7; 32])
    }

    #[test]
    fn a_rotation_refuses_nobody() {
        let old = SigningKey::make(&root(), at(0));
        let new = SigningKey::make(&root(), at(60));
        let retired = Row { retires_at: Some(at(80)), ..old.clone() };
        let keys = |rows: &[&Row]| Keys::open(&root(), &rows.iter().map(|row| (*row).clone()).collect::<Vec<_>>());
        let signs = |keys: &Keys, minute| keys.signing(at(minute)).map(|key| key.kid().to_owned());
        assert_eq!(signs(&keys(&[&old]), 0), Some(old.kid.clone()), "the only key signs at once");
        let both = keys(&[&retired, &new]);
        assert_eq!(signs(&both, 61), Some(old.kid.clone()), "a new key is published first");
        assert_eq!(signs(&both, 65), Some(new.kid.clone()));
        assert!(both.verifying(&old.kid, at(79)).is_some() && both.verifying(&old.kid, at(80)).is_none());
        assert_eq!(both.public(at(79)).len(), 2);
        assert!(both.public(at(80)).iter().map(|jwk| &jwk.kid).eq([&new.kid]));
        assert_eq!(signs(&keys(&[]), 0), None);
    }

    #[test]
    fn a_planted_or_renamed_key_counts_for_nothing() {
        let good = SigningKey::make(&root(), at(0));
        let planted = SigningKey::make(&KeyOfKeys::from_bytes([8; 32]), at(1));
        let renamed = Row { kid: "other".into(), ..good.clone() };
        let swapped = Row { sealed_private: good.sealed_private.clone(), ..planted.clone() };
        let keys = Keys::open(&root(), &[good.clone(), planted, renamed, swapped]);
        assert_eq!(keys.public(at(0)).len(), 1);
        assert!(keys.verifying(&good.kid, at(0)).is_some());
    }
}
