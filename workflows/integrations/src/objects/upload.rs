//! Signed permissions to upload: what a presigned URL says, and how it is checked when the upload arrives.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::Error;

/// What one upload may be: the key it is stored under, its exact type and length, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadGrant {
    /// Where the file will be stored.
    #[serde(rename = "k")]
    pub key: String,
    /// The only content type accepted.
    #[serde(rename = "t")]
    pub content_type: String,
    /// The only length accepted, in bytes.
    #[serde(rename = "n")]
    pub length: u64,
    /// When the permission ends.
    #[serde(rename = "e", with = "chrono::serde::ts_microseconds")]
    pub expires_at: Timestamp,
}

/// Why an upload was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadRefused {
    /// We did not sign this permission, or somebody changed it.
    #[error("the upload address is not one of ours")]
    Forged,
    /// The permission has ended.
    #[error("the upload address has expired")]
    Expired,
    /// Another content type was agreed.
    #[error("the upload must have the content type {agreed}")]
    WrongType {
        /// The type in the permission.
        agreed: String,
    },
    /// Another length was agreed.
    #[error("the upload must have exactly {agreed} bytes")]
    WrongLength {
        /// The length in the permission.
        agreed: u64,
    },
    /// The file was good and could not be stored.
    #[error("storing an upload")]
    NotStored(#[source] Error),
}

/// Signs and checks permissions with one secret.
pub(super) struct Seal(Hmac<Sha256>);

impl Seal {
    pub(super) fn new(secret: &SecretString) -> Self {
        Self(Hmac::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes a key of any length"))
    }

    /// The permission and its signature as one URL segment.
    pub(super) fn token(&self, grant: &UploadGrant) -> String {
        let said = serde_json::to_vec(grant).expect("a grant is plain text and numbers");
        let signature = self.0.clone().chain_update(&said).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(said), URL_SAFE_NO_PAD.encode(signature))
    }

    /// Reads a token back, if it is ours and still good.
    pub(super) fn open(&self, token: &str, now: Timestamp) -> Result<UploadGrant, UploadRefused> {
        let (said, signature) = token.split_once('.').ok_or(UploadRefused::Forged)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| UploadRefused::Forged);
        let said = decode(said)?;
        let signature = decode(signature)?;
        self.0.clone().chain_update(&said).verify_slice(&signature).map_err(|_| UploadRefused::Forged)?;
        let grant: UploadGrant = serde_json::from_slice(&said).map_err(|_| UploadRefused::Forged)?;
        if now < grant.expires_at { Ok(grant) } else { Err(UploadRefused::Expired) }
    }
}
