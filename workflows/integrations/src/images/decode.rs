//! From untrusted bytes to upright sRGB pixels, refusing early what would cost too much.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::encode::shrink;
use super::scans::channels_are_apart;
use super::{Limits, RejectCode, Rejected};

/// A picture already shrunk to its largest variant, with the size the upright original had.
pub(super) struct Decoded {
    pub(super) picture: RgbImage,
    pub(super) width: u32,
    pub(super) height: u32,
}

pub(super) fn decode(bytes: &[u8], limits: Limits, largest_side: u32) -> Result<Decoded, Rejected> {
    if bytes.len() > limits.max_bytes {
        let detail = format!("the file is larger than {} MB", limits.max_bytes / (1024 * 1024));
        return Err(Rejected::new(RejectCode::FileTooLarge, detail));
    }
    let format = format_of(bytes)?;
    if format == ImageFormat::Jpeg && channels_are_apart(bytes) {
        let detail =
            "this rare kind of JPEG cannot be read: open the photograph, save it as JPEG again and upload that";
        return Err(Rejected::new(RejectCode::UnsupportedFormat, detail));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(decoder_limits(limits));
    let mut decoder = reader.into_decoder().map_err(undecodable)?;
    check_size(&decoder, limits)?;
    let orientation = decoder.orientation().map_err(undecodable)?;
    let profile = decoder.icc_profile().map_err(undecodable)?;
    let full = flatten(DynamicImage::from_decoder(decoder).map_err(undecodable)?);

    let (width, height) = upright(full.dimensions(), orientation);
    // Colours and orientation are put right on the largest variant: a fraction of the original's pixels.
    let mut picture = shrink(full, largest_side);
    if let Some(profile) = profile {
        picture = to_srgb(picture, &profile);
    }
    let mut turned = DynamicImage::ImageRgb8(picture);
    turned.apply_orientation(orientation);
    Ok(Decoded { picture: turned.into_rgb8(), width, height })
}

/// Reads the format from the content: names and content types are whatever the client says.
fn format_of(bytes: &[u8]) -> Result<ImageFormat, Rejected> {
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)) => Ok(format),
        _ if is_heic(bytes) => Err(Rejected::new(
            RejectCode::HeicUnsupported,
            "HEIC photographs cannot be read yet: export the photograph as JPEG and upload that",
        )),
        _ => Err(Rejected::new(RejectCode::UnsupportedFormat, "the file is neither JPEG, PNG nor WebP")),
    }
}

fn is_heic(bytes: &[u8]) -> bool {
    const BRANDS: [&[u8]; 6] = [b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1"];
    bytes.get(4..8) == Some(b"ftyp") && bytes.get(8..12).is_some_and(|brand| BRANDS.contains(&brand))
}

/// A second line behind [`check_size`]: it also bounds what decoders allocate for chunks and profiles.
fn decoder_limits(limits: Limits) -> image::Limits {
    let mut inner = image::Limits::default();
    inner.max_alloc = Some(limits.max_decoded_bytes);
    inner
}

fn check_size(decoder: &impl ImageDecoder, limits: Limits) -> Result<(), Rejected> {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let too_many = width.max(height) > limits.max_side
        || pixels > limits.max_pixels
        || decoder.total_bytes() > limits.max_decoded_bytes;
    if too_many {
        let detail = format!("{width} × {height} pixels is more than can be processed");
        return Err(Rejected::new(RejectCode::TooManyPixels, detail));
    }
    Ok(())
}

fn undecodable(error: image::ImageError) -> Rejected {
    match error {
        image::ImageError::Limits(_) => Rejected::new(RejectCode::TooManyPixels, error.to_string()),
        other => Rejected::new(RejectCode::Undecodable, other.to_string()),
    }
}

fn upright((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            (height, width)
        }
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => (width, height),
    }
}

/// JPEG has no transparency, so both formats show transparent parts as white.
fn flatten(decoded: DynamicImage) -> RgbImage {
    if !decoded.color().has_alpha() {
        return decoded.into_rgb8();
    }
    let rgba: RgbaImage = decoded.into_rgba8();
    let (width, height) = rgba.dimensions();
    let pixels = rgba.pixels().flat_map(|&image::Rgba([r, g, b, a])| [r, g, b].map(|c| over_white(c, a))).collect();
    RgbImage::from_raw(width, height, pixels).expect("three bytes were written for each pixel")
}

fn over_white(colour: u8, alpha: u8) -> u8 {
    let (colour, alpha) = (u32::from(colour), u32::from(alpha));
    u8::try_from((colour * alpha + 255 * (255 - alpha) + 127) / 255).expect("a weighted mean of bytes is a byte")
}

/// Phones write Display P3: without this, their photographs look dull once the profile is dropped.
/// A profile that cannot be used is ignored, as browsers do.
fn to_srgb(picture: RgbImage, profile: &[u8]) -> RgbImage {
    let Ok(source) = ColorProfile::new_from_slice(profile) else { return picture };
    if source.color_space != DataColorSpace::Rgb {
        return picture;
    }
    let target = ColorProfile::new_srgb();
    let Ok(transform) = source.create_transform_8bit(Layout::Rgb, &target, Layout::Rgb, TransformOptions::default())
    else {
        return picture;
    };
    let mut converted = RgbImage::new(picture.width(), picture.height());
    match transform.transform(picture.as_raw(), &mut converted) {
        Ok(()) => converted,
        Err(_) => picture,
    }
}
