//! Photographs made on the spot: good ones, and ones made to do harm.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use jpeg_encoder::{ColorType, Encoder};

/// Text planted in the metadata of [`jpeg_with_exif`]: it must not be found in anything that is served.
pub(super) const SECRET: &[u8] = b"taken at 48.8584 N 2.2945 E";

/// A landscape picture, red at the top and blue at the bottom, with some texture to encode.
pub(super) fn sunset(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let down = u8::try_from(255 * y / height).unwrap();
        let grain = u8::try_from((x * 7 + y * 13) % 16).unwrap();
        Rgb([255 - down, grain, down])
    })
}

pub(super) fn jpeg(picture: &RgbImage) -> Vec<u8> {
    jpeg_with(picture, |_| {})
}

/// A JPEG whose metadata says "turn me a quarter clockwise", names a position and carries [`SECRET`].
pub(super) fn jpeg_with_exif(picture: &RgbImage, orientation: u16) -> Vec<u8> {
    jpeg_with(picture, |encoder| encoder.add_app_segment(1, &exif(orientation)).unwrap())
}

pub(super) fn jpeg_with_profile(picture: &RgbImage, profile: &[u8]) -> Vec<u8> {
    jpeg_with(picture, |encoder| encoder.add_icc_profile(profile).unwrap())
}

/// A valid baseline JPEG with its channels one after the other, as `cjpeg -scans` writes them.
pub(super) fn jpeg_with_channels_apart(picture: &RgbImage) -> Vec<u8> {
    jpeg_with(picture, |encoder| {
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
        encoder.set_optimized_huffman_tables(true);
    })
}

fn jpeg_with(picture: &RgbImage, prepare: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    prepare(&mut encoder);
    let (width, height) = (picture.width().try_into().unwrap(), picture.height().try_into().unwrap());
    encoder.encode(picture.as_raw(), width, height, ColorType::Rgb).unwrap();
    bytes
}

pub(super) fn png(picture: DynamicImage) -> Vec<u8> {
    written_as(picture, ImageFormat::Png)
}

pub(super) fn webp(picture: DynamicImage) -> Vec<u8> {
    written_as(picture, ImageFormat::WebP)
}

fn written_as(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(super) fn glass(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgba8(RgbaImage::from_pixel(width, height, Rgba([0, 0, 0, 0])))
}

/// A PNG of a few bytes that claims to be as large as asked: the header alone must be enough to refuse it.
pub(super) fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(DynamicImage::ImageRgb8(sunset(8, 8)));
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// A JPEG that claims to be as large as asked.
pub(super) fn jpeg_claiming(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = jpeg(&sunset(16, 16));
    let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// An extended-format WebP that claims to be as large as asked.
pub(super) fn webp_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut canvas = vec![0; 4];
    canvas.extend_from_slice(&(width - 1).to_le_bytes()[..3]);
    canvas.extend_from_slice(&(height - 1).to_le_bytes()[..3]);
    let plain = webp(DynamicImage::ImageRgb8(sunset(8, 8)));
    let mut body = [b"WEBPVP8X".as_slice(), &10_u32.to_le_bytes(), &canvas].concat();
    body.extend_from_slice(&plain[12..]);
    [b"RIFF".as_slice(), &u32::try_from(body.len()).unwrap().to_le_bytes(), &body].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 })
    })
}

/// A TIFF directory with a description, an orientation and a pointer to a GPS directory.
fn exif(orientation: u16) -> Vec<u8> {
    const DESCRIPTION_AT: u32 = 8 + 2 + 3 * 12 + 4;
    let secret_length = u32::try_from(SECRET.len()).unwrap();
    let mut bytes = b"Exif\0\0II*\0".to_vec();
    bytes.extend_from_slice(&8_u32.to_le_bytes());
    bytes.extend_from_slice(&3_u16.to_le_bytes());
    bytes.extend(entry(0x010e, 2, secret_length, DESCRIPTION_AT));
    bytes.extend(entry(0x0112, 3, 1, u32::from(orientation)));
    bytes.extend(entry(0x8825, 4, 1, DESCRIPTION_AT + secret_length));
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes.extend_from_slice(SECRET);
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend(entry(0x0001, 2, 2, u32::from(b'N')));
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes
}

fn entry(tag: u16, kind: u16, count: u32, value: u32) -> Vec<u8> {
    [tag.to_le_bytes().as_slice(), &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
}
