//! Files: photographs, exports and index snapshots, kept outside the database under keys that we make.

mod key;
mod local;
#[cfg(test)]
mod tests;
mod upload;

use std::sync::Arc;

use async_trait::async_trait;
use domain::Timestamp;

use crate::Error;

pub use key::is_object_key;
pub use local::LocalObjects;
pub use upload::{UploadGrant, UploadRefused};

/// A store of whole files. Keys are slash-separated names made by us, such as `media/{id}/320.webp`; a key that could leave
/// the store is refused as [`Error::Misconfigured`].
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Writes a file; once this returns it survives a power cut. The same key again replaces it as a whole.
    async fn put(&self, key: &str, bytes: Vec<u8>, content_type: &str) -> Result<(), Error>;

    /// Reads a file of at most `max_bytes`; `None` if there is none. A larger one is [`Error::Misconfigured`].
    async fn get(&self, key: &str, max_bytes: u64) -> Result<Option<Object>, Error>;

    /// Removes a file; one that is gone already is fine.
    async fn delete(&self, key: &str) -> Result<(), Error>;

    /// Describes a file without reading it; `None` if there is none.
    async fn head(&self, key: &str) -> Result<Option<ObjectHead>, Error>;

    /// The keys that start with `prefix`, sorted.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Lets a client write one file of exactly this type and length until `expires_at`. Computed here, no call is made.
    fn presign_put(&self, request: &UploadGrant) -> Result<UploadTarget, Error>;
}

/// The store as the rest of the product holds it.
pub type SharedObjectStore = Arc<dyn ObjectStore>;

/// A file with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The content.
    pub bytes: Vec<u8>,
    /// The media type it was stored with.
    pub content_type: String,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its length.
    pub bytes: u64,
    /// The media type it was stored with.
    pub content_type: String,
}

/// How a client uploads one file: this request, with the file as its body.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UploadTarget {
    /// HTTP method.
    pub method: &'static str,
    /// Where to send it, signature included.
    pub url: String,
    /// Headers that must be sent exactly so.
    pub headers: Vec<(String, String)>,
    /// When the permission ends.
    pub expires_at: Timestamp,
}
