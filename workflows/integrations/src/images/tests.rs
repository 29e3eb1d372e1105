//! What becomes of good photographs, awkward ones and bombs.

use image::{DynamicImage, ImageDecoder, ImageReader, Rgb, RgbImage};
use moxcms::ColorProfile;

use super::samples::{self, SECRET, sunset};
use super::*;

fn processed(bytes: &[u8]) -> Processed {
    process(bytes, Limits::default()).unwrap()
}

fn refused(bytes: &[u8]) -> RejectCode {
    process(bytes, Limits::default()).unwrap_err().code
}

fn shown(variant: &Variant) -> RgbImage {
    image::load_from_memory(&variant.bytes).unwrap().into_rgb8()
}

fn variant<'a>(photo: &'a Processed, name: &str) -> &'a Variant {
    photo.variants.iter().find(|variant| variant.name == name).unwrap()
}

fn is_reddish(pixel: Rgb<u8>) -> bool {
    pixel[0] > 150 && pixel[2] < 100
}

#[test]
fn a_photograph_becomes_three_sizes_in_two_formats() {
    let photo = processed(&samples::jpeg(&sunset(2400, 1200)));

    let files: Vec<_> = photo.variants.iter().map(|v| (v.name.as_str(), v.width, v.height, v.content_type)).collect();
    assert_eq!(
        files,
        [
            ("1920.webp", 1920, 960, "image/webp"),
            ("1920.jpg", 1920, 960, "image/jpeg"),
            ("960.webp", 960, 480, "image/webp"),
            ("960.jpg", 960, 480, "image/jpeg"),
            ("320.webp", 320, 160, "image/webp"),
            ("320.jpg", 320, 160, "image/jpeg"),
        ]
    );
    assert_eq!((photo.width, photo.height), (2400, 1200));
    for file in &photo.variants {
        assert_eq!(shown(file).dimensions(), (file.width, file.height), "{}", file.name);
        assert!(is_reddish(*shown(file).get_pixel(5, 5)), "{} shows another picture", file.name);
    }
}

#[test]
fn png_and_webp_uploads_are_taken_as_well() {
    let picture = DynamicImage::ImageRgb8(sunset(400, 300));
    for bytes in [samples::png(picture.clone()), samples::webp(picture)] {
        let photo = processed(&bytes);
        assert!(is_reddish(*shown(variant(&photo, "320.jpg")).get_pixel(5, 5)));
    }
}

#[test]
fn a_small_photograph_is_not_blown_up() {
    let photo = processed(&samples::jpeg(&sunset(200, 100)));
    assert!(photo.variants.iter().all(|v| (v.width, v.height) == (200, 100)));
}

#[test]
fn a_photograph_taken_sideways_is_served_upright() {
    // Orientation 6: the camera was turned, the picture must be rotated a quarter clockwise; its red top goes right.
    let photo = processed(&samples::jpeg_with_exif(&sunset(1200, 800), 6));

    assert_eq!((photo.width, photo.height), (800, 1200));
    for name in ["320.webp", "320.jpg"] {
        let picture = shown(variant(&photo, name));
        assert_eq!(picture.dimensions(), (213, 320));
        assert!(is_reddish(*picture.get_pixel(208, 160)), "{name}: the top of the original belongs on the right");
        assert!(!is_reddish(*picture.get_pixel(5, 160)), "{name}: the bottom of the original belongs on the left");
    }
}

#[test]
fn no_position_no_camera_and_no_words_survive() {
    let upload = samples::jpeg_with_exif(&sunset(640, 480), 1);
    let contains = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    assert!(contains(&upload, SECRET) && contains(&upload, b"Exif"), "the sample must carry what is looked for");

    for file in processed(&upload).variants {
        for trace in [SECRET, b"Exif", b"EXIF", b"GPS", b"http://ns.adobe.com/xap", b"ICC_PROFILE", b"ICCP"] {
            assert!(!contains(&file.bytes, trace), "{} still holds {}", file.name, String::from_utf8_lossy(trace));
        }
        let mut reader = ImageReader::new(std::io::Cursor::new(&file.bytes));
        reader = reader.with_guessed_format().unwrap();
        assert_eq!(reader.into_decoder().unwrap().exif_metadata().unwrap(), None, "{}", file.name);
    }
}

#[test]
fn wide_gamut_colours_stay_as_vivid_once_the_profile_is_gone() {
    let flat = RgbImage::from_pixel(64, 64, Rgb([180, 60, 60]));
    let profile = ColorProfile::new_display_p3().encode().unwrap();

    let plain = processed(&samples::jpeg(&flat));
    let vivid = processed(&samples::jpeg_with_profile(&flat, &profile));

    let red = |photo: &Processed| i32::from(shown(variant(photo, "320.jpg")).get_pixel(32, 32)[0]);
    assert!((red(&plain) - 180).abs() <= 3, "without a profile colours are as they are");
    assert!(red(&vivid) >= 188, "Display P3 (180, 60, 60) is about (195, 49, 54) in sRGB, got {}", red(&vivid));
}

#[test]
fn a_damaged_colour_profile_does_not_cost_the_photograph() {
    let photo = processed(&samples::jpeg_with_profile(&sunset(64, 64), b"not a profile at all"));
    assert_eq!(photo.variants.len(), 6);
}

#[test]
fn transparency_is_shown_as_white() {
    let photo = processed(&samples::png(samples::glass(40, 40)));
    for name in ["320.webp", "320.jpg"] {
        assert!(shown(variant(&photo, name)).get_pixel(20, 20).0.iter().all(|c| *c > 250), "{name}");
    }
}

#[test]
fn sixteen_bit_and_grey_pictures_are_taken() {
    let rgb = DynamicImage::ImageRgb8(sunset(64, 48));
    for awkward in [DynamicImage::ImageRgb16(rgb.to_rgb16()), DynamicImage::ImageLuma8(rgb.to_luma8())] {
        assert_eq!(processed(&samples::png(awkward)).variants.len(), 6);
    }
}

#[test]
fn a_hair_thin_picture_keeps_at_least_one_pixel() {
    let photo = processed(&samples::jpeg(&sunset(4000, 1)));
    assert_eq!((photo.variants[5].width, photo.variants[5].height), (320, 1));
}

#[test]
fn bombs_are_refused_from_their_headers() {
    let bombs = [
        ("a long side", samples::png_claiming(30_000, 30_000)),
        ("an area", samples::png_claiming(11_000, 11_000)),
        ("a jpeg", samples::jpeg_claiming(65_500, 65_500)),
        ("a webp", samples::webp_claiming(16_000, 16_000)),
    ];
    for (what, bomb) in bombs {
        assert!(bomb.len() < 10_000, "{what}: a bomb is small");
        assert_eq!(refused(&bomb), RejectCode::TooManyPixels, "{what}");
    }
}

#[test]
fn a_picture_within_the_pixel_limit_may_still_need_too_much_memory() {
    let limits = Limits { max_decoded_bytes: 10_000, ..Limits::default() };
    let rejected = process(&samples::jpeg(&sunset(100, 100)), limits).unwrap_err();
    assert_eq!(rejected.code, RejectCode::TooManyPixels);
}

#[test]
fn a_file_beyond_the_byte_limit_is_not_looked_at() {
    let limits = Limits { max_bytes: 100, ..Limits::default() };
    assert_eq!(process(&[0; 101], limits).unwrap_err().code, RejectCode::FileTooLarge);
}

#[test]
fn what_is_not_a_photograph_is_named_for_what_it_is() {
    assert_eq!(refused(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), RejectCode::HeicUnsupported);
    assert_eq!(refused(b"<svg onload='alert(1)'/>"), RejectCode::UnsupportedFormat);
    assert_eq!(refused(b"GIF89a\x01\0\x01\0"), RejectCode::UnsupportedFormat);
    assert_eq!(refused(b""), RejectCode::UnsupportedFormat);
}

#[test]
fn every_way_of_cutting_or_spoiling_a_file_is_an_answer_and_never_a_panic() {
    let picture = DynamicImage::ImageRgb8(sunset(48, 32));
    let whole = [samples::jpeg(&sunset(48, 32)), samples::png(picture.clone()), samples::webp(picture)];
    for bytes in whole {
        for step in (0..bytes.len()).step_by(23) {
            let _ = process(&bytes[..step], Limits::default());
            let mut spoilt = bytes.clone();
            spoilt[step] ^= 0x5a;
            let _ = process(&spoilt, Limits::default());
        }
    }
    assert_eq!(refused(&samples::png(DynamicImage::ImageRgb8(sunset(48, 32)))[..60]), RejectCode::Undecodable);
}

#[test]
fn the_same_file_is_recognised_by_its_hash_and_a_placeholder_comes_with_it() {
    let upload = samples::jpeg(&sunset(64, 48));
    let (first, second) = (processed(&upload), processed(&upload));
    assert_eq!((first.sha256.len(), &first.sha256), (64, &second.sha256));
    let placeholder = ::blurhash::decode(&first.blurhash, 4, 4, 1.0).unwrap();
    assert!(placeholder[0] > placeholder[2], "the placeholder is red where the picture is red");
}
#[test]
fn a_jpeg_that_would_be_shown_in_wrong_colours_is_refused_instead() {
    assert_eq!(refused(&samples::jpeg_with_channels_apart(&sunset(64, 48))), RejectCode::UnsupportedFormat);
}

#[test]
fn what_we_serve_can_be_uploaded_again() {
    let first = processed(&samples::jpeg(&sunset(801, 601)));
    for file in &first.variants {
        let again = processed(&file.bytes);
        let (was, is) = (shown(variant(&first, "320.jpg")), shown(variant(&again, "320.jpg")));
        let apart: u64 = was.iter().zip(is.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(apart / was.len() as u64 <= 4, "{}: the second generation looks different", file.name);
    }
}
