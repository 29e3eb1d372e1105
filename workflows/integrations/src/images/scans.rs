//! Recognises JPEG files that our decoder would show wrongly without saying so.
//!
//! A baseline JPEG may store its colour channels one after the other instead of woven together. That is rare, valid, and
//! decoded to green stripes by zune-jpeg up to 0.5.16 (<https://github.com/etemesi254/zune-image/issues/422>, 448, 449).
//! A host who is asked to save the file again is better served than one whose home turns green.

const SOI: u8 = 0xd8;
const SOS: u8 = 0xda;
const BASELINE: [u8; 2] = [0xc0, 0xc1];

/// Whether the file stores its channels in separate baseline scans.
pub(super) fn channels_are_apart(jpeg: &[u8]) -> bool {
    let mut channels = 1;
    for (marker, payload) in segments(jpeg) {
        if BASELINE.contains(&marker) {
            channels = payload.get(5).copied().unwrap_or(1);
        }
        if marker == SOS {
            return payload.first().is_some_and(|in_scan| *in_scan < channels);
        }
    }
    false
}

/// The marker segments from the start of the file; damaged lengths end the walk.
fn segments(jpeg: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = jpeg.strip_prefix(&[0xff, SOI]).unwrap_or_default();
    std::iter::from_fn(move || {
        let fill = rest.iter().take_while(|byte| **byte == 0xff).count();
        let (marker, after) = rest.get(fill..)?.split_first().filter(|_| fill > 0)?;
        let length = usize::from(u16::from_be_bytes(after.first_chunk().copied()?));
        let payload = after.get(2..length)?;
        rest = &after[length..];
        Some((*marker, payload))
    })
}
