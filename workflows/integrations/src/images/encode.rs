//! From pixels to the files that are served.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, Resizer};
use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{RejectCode, Rejected, Variant};

/// Quality 80 is where WebP and JPEG files of photographs are about equal in size and look like the original.
const QUALITY: u8 = 80;

/// Fits a picture into a square box; one that fits already is returned as it is.
pub(super) fn shrink(picture: RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= side {
        return picture;
    }
    let (width_to, height_to) = (scale(width, side, longest), scale(height, side, longest));
    let source = ImageRef::new(width, height, picture.as_raw(), PixelType::U8x3)
        .expect("an RGB picture has three bytes for each pixel");
    let mut target = Image::new(width_to, height_to, PixelType::U8x3);
    Resizer::new().resize(&source, &mut target, None).expect("both pictures have the same pixel type");
    RgbImage::from_raw(width_to, height_to, target.into_vec()).expect("the resized buffer has the size asked for")
}

fn scale(length: u32, side: u32, longest: u32) -> u32 {
    let scaled = (u64::from(length) * u64::from(side) + u64::from(longest) / 2) / u64::from(longest);
    u32::try_from(scaled).expect("shrinking never makes a side longer").max(1)
}

/// Encodes with libwebp: the `image` crate only writes lossless WebP, several times larger.
pub(super) fn webp(picture: &RgbImage, side: u32) -> Result<Variant, Rejected> {
    let (width, height) = picture.dimensions();
    let memory = webp::Encoder::from_rgb(picture.as_raw(), width, height)
        .encode_simple(false, f32::from(QUALITY))
        .map_err(|error| Rejected::new(RejectCode::Undecodable, format!("encoding WebP: {error:?}")))?;
    Ok(Variant { name: format!("{side}.webp"), width, height, content_type: "image/webp", bytes: memory.to_vec() })
}

/// Encodes 4:2:0, progressive, with tuned Huffman tables: files a third smaller than the `image` crate's. Tuned tables
/// without `progressive` would store the channels apart, which [`super::scans`] explains.
pub(super) fn jpeg(picture: &RgbImage, side: u32) -> Result<Variant, Rejected> {
    let (width, height) = picture.dimensions();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(true);
    encoder.set_optimized_huffman_tables(true);
    encoder
        .encode(picture.as_raw(), narrow(width), narrow(height), ColorType::Rgb)
        .map_err(|error| Rejected::new(RejectCode::Undecodable, format!("encoding JPEG: {error}")))?;
    Ok(Variant { name: format!("{side}.jpg"), width, height, content_type: "image/jpeg", bytes })
}

fn narrow(side: u32) -> u16 {
    u16::try_from(side).expect("no variant is longer than the largest of SIDES")
}

/// Computed from a 32-pixel copy: the placeholder has a dozen components, more pixels add nothing.
pub(super) fn blurhash(picture: RgbImage) -> Result<String, Rejected> {
    let (across, down) = if picture.width() >= picture.height() { (4, 3) } else { (3, 4) };
    let tiny = image::DynamicImage::ImageRgb8(shrink(picture, 32)).into_rgba8();
    ::blurhash::encode(across, down, tiny.width(), tiny.height(), tiny.as_raw())
        .map_err(|error| Rejected::new(RejectCode::Undecodable, format!("computing the placeholder: {error}")))
}
