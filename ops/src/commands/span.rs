//! Spans of time as operators write them: `90m`, `36h`, `14d`.

use std::time::Duration;

/// Reads a span.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

/// For arguments.
pub(super) fn argument(text: &str) -> Result<Duration, String> {
    parse(text).ok_or_else(|| "not a span like 90s, 15m, 36h or 14d".to_owned())
}
