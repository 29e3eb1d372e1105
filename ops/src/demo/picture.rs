//! Photographs for the demo's homes: a house under a sky, drawn, each in colours of its own.

use anyhow::{Context, Result};
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 640;

/// A JPEG of home number `n`.
pub(crate) fn of_home(n: usize) -> Result<Vec<u8>> {
    let hue = f64::from(u32::try_from(n % 60).unwrap_or(0)) / 60.0;
    let picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| pixel(x, y, hue));
    let mut bytes = Cursor::new(vec![]);
    picture.write_to(&mut bytes, ImageFormat::Jpeg).context("draw a photograph")?;
    Ok(bytes.into_inner())
}

fn pixel(x: u32, y: u32, hue: f64) -> Rgb<u8> {
    let (across, down) = (f64::from(x) / f64::from(WIDTH), f64::from(y) / f64::from(HEIGHT));
    let roof = down > 0.35 && (across - 0.5).abs() < (down - 0.35) * 1.3 && down < 0.58;
    let wall = (0.25..0.75).contains(&across) && (0.58..0.9).contains(&down);
    let door = (0.46..0.54).contains(&across) && (0.7..0.9).contains(&down);
    let window = ((0.31..0.40).contains(&across) || (0.60..0.69).contains(&across)) && (0.64..0.75).contains(&down);
    match (door, window, wall, roof) {
        (true, ..) => colour(hue + 0.5, 0.5, 0.35),
        (_, true, ..) => colour(0.14, 0.8, 0.95),
        (_, _, true, _) => colour(hue, 0.25, 0.92),
        (_, _, _, true) => colour(hue + 0.05, 0.6, 0.6),
        _ if down > 0.85 => colour(0.30, 0.5, 0.55),
        _ => colour(0.57, 0.55 - down * 0.5, 0.95),
    }
}

/// A colour by hue, saturation and value, each in `[0, 1]`.
fn colour(hue: f64, saturation: f64, value: f64) -> Rgb<u8> {
    let channel = |offset: f64| {
        let k = (offset + hue.fract() * 6.0) % 6.0;
        let level = value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the level lies in [0, 1]")]
        let byte = (level * 255.0) as u8;
        byte
    };
    Rgb([channel(5.0), channel(3.0), channel(1.0)])
}
