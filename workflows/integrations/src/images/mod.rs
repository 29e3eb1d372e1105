//! Photographs: turns whatever a host uploads into small, clean files that are safe to serve.
//!
//! [`process`] is pure computation, about half a second of it for a 12-megapixel photograph: call it off the async
//! threads. It trusts nothing in the upload. The format is read from the content, the size from the header before a pixel
//! is decoded, and what comes out is encoded anew from pixels, so no metadata (position, camera, owner) can survive.

mod decode;
mod encode;
#[cfg(test)]
mod samples;
mod scans;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest, Sha256};

/// The longest side of each variant, in pixels, largest first.
pub const SIDES: [u32; 3] = [1920, 960, 320];

/// How much of an upload we are willing to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file accepted, in bytes.
    pub max_bytes: usize,
    /// Longest side accepted, in pixels.
    pub max_side: u32,
    /// Largest area accepted, in pixels.
    pub max_pixels: u64,
    /// Most memory a decoded picture may take, in bytes.
    pub max_decoded_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 20 * 1024 * 1024,
            max_side: 12_000,
            max_pixels: 50_000_000,
            max_decoded_bytes: 256 * 1024 * 1024,
        }
    }
}

/// A photograph ready to be served: every variant, and what a page needs to lay it out before it has loaded.
#[derive(Debug, Clone)]
pub struct Processed {
    /// Six files: each of [`SIDES`] in WebP and in JPEG, largest first.
    pub variants: Vec<Variant>,
    /// Width of the upright original.
    pub width: u32,
    /// Height of the upright original.
    pub height: u32,
    /// A few characters from which a blurred placeholder can be drawn.
    pub blurhash: String,
    /// SHA-256 of the uploaded bytes in hex; equal for the same file uploaded twice.
    pub sha256: String,
}

/// One encoded file.
#[derive(Debug, Clone)]
pub struct Variant {
    /// File name: the box it was fitted into and its format, such as `320.webp`.
    pub name: String,
    /// Actual width; a small original is never enlarged.
    pub width: u32,
    /// Actual height.
    pub height: u32,
    /// Media type to serve it with.
    pub content_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Why an upload is not usable as a photograph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("processing a photograph: {detail}")]
pub struct Rejected {
    /// Which rule it broke, stable for clients.
    pub code: RejectCode,
    /// The same in words for the host.
    pub detail: String,
}

impl Rejected {
    fn new(code: RejectCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// The rule that an upload broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectCode {
    /// More bytes than [`Limits::max_bytes`].
    FileTooLarge,
    /// Neither JPEG, PNG nor WebP.
    UnsupportedFormat,
    /// HEIC or HEIF, which phones produce and we cannot read yet.
    HeicUnsupported,
    /// A side, the area or the decoded size is beyond the limits.
    TooManyPixels,
    /// Damaged, cut short or not what it claims to be.
    Undecodable,
}

impl RejectCode {
    /// The code as stored and shown to clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileTooLarge => "file_too_large",
            Self::UnsupportedFormat => "unsupported_format",
            Self::HeicUnsupported => "heic_unsupported",
            Self::TooManyPixels => "too_many_pixels",
            Self::Undecodable => "undecodable",
        }
    }
}

/// Checks, decodes, turns upright, shrinks and encodes one uploaded photograph.
pub fn process(bytes: &[u8], limits: Limits) -> Result<Processed, Rejected> {
    // A decoder that panics on a crafted file has rejected it; the photograph fails, its process must not.
    catch_unwind(AssertUnwindSafe(|| develop(bytes, limits)))
        .unwrap_or_else(|_| Err(Rejected::new(RejectCode::Undecodable, "the file made the decoder give up")))
}

fn develop(bytes: &[u8], limits: Limits) -> Result<Processed, Rejected> {
    let mut photo = decode::decode(bytes, limits, SIDES[0])?;
    let mut variants = Vec::with_capacity(2 * SIDES.len());
    for side in SIDES {
        photo.picture = encode::shrink(photo.picture, side);
        variants.push(encode::webp(&photo.picture, side)?);
        variants.push(encode::jpeg(&photo.picture, side)?);
    }
    Ok(Processed {
        variants,
        width: photo.width,
        height: photo.height,
        blurhash: encode::blurhash(photo.picture)?,
        sha256: hex::encode(Sha256::digest(bytes)),
    })
}
