//! The words of a photograph on its way from an upload to the files that pages show.

use domain::{ImageId, PropertyId, Timestamp};
use serde::{Deserialize, Serialize};
use store::ImageStatus;

/// An upload that its host says is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The photograph.
    pub image: ImageId,
    /// The home that it shows.
    pub property: PropertyId,
    /// What kind of file was announced.
    pub content_type: String,
    /// How many bytes were announced.
    pub bytes: u64,
    /// When it was announced.
    pub made_at: Timestamp,
}

/// Where a photograph stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// It is being turned into files that are safe to serve.
    Processing,
    /// It can be shown.
    Ready {
        /// What a page needs to lay it out.
        picture: Picture,
    },
    /// It cannot be used.
    Failed {
        /// The stable word for the reason.
        code: String,
    },
}

/// A photograph that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Picture {
    /// Width of the upright original.
    pub width: u32,
    /// Height of the upright original.
    pub height: u32,
    /// From which a blurred placeholder can be drawn.
    pub blurhash: String,
    /// The fingerprint of what was uploaded.
    pub sha256: String,
    /// The files, largest first.
    pub variants: Vec<File>,
}

/// One file of a photograph.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct File {
    /// Its name, such as `320.webp`; with the photograph's id, its key in the object store.
    pub name: String,
    /// How wide.
    pub width: u32,
    /// How high.
    pub height: u32,
    /// What kind of file.
    pub content_type: String,
    /// How large.
    pub bytes: u64,
}

/// What happened to a photograph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Its files are in the object store.
    Processed {
        /// They and their measures.
        picture: Picture,
    },
    /// It cannot be used.
    Rejected {
        /// The stable word for the reason.
        code: String,
    },
    /// The host wants another try, with the same upload or another in its place.
    TriedAgain,
}

/// What a photograph asks of the outside world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Read the upload, make the files, keep them.
    Process,
}

/// A photograph waits for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {}

impl State {
    /// The word in tables and in the API.
    #[must_use]
    pub const fn status(&self) -> ImageStatus {
        match self {
            Self::Processing => ImageStatus::Processing,
            Self::Ready { .. } => ImageStatus::Ready,
            Self::Failed { .. } => ImageStatus::Failed,
        }
    }
}

/// Where the host's upload lies in the object store; it is never served.
#[must_use]
pub fn upload_key(image: ImageId) -> String {
    format!("incoming/{image}")
}

/// Where a file that pages show lies.
#[must_use]
pub fn file_key(image: ImageId, name: &str) -> String {
    format!("media/{image}/{name}")
}
