//! Reading the letters that the sandbox writes into a folder, as their addressees would.

use anyhow::{Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a letter may be on its way.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every letter to this address, decoded.
pub(crate) fn to(folder: &Path, address: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let texts = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    texts
        .map(|text| plain(&text))
        .filter(|text| text.lines().any(|l| l.starts_with("To:") && l.contains(address)))
        .collect()
}

/// Waits for a letter to this address that says this.
pub(crate) async fn wait(folder: &Path, address: &str, says: &str) -> Result<String> {
    let began = Instant::now();
    loop {
        if let Some(letter) = to(folder, address).into_iter().find(|letter| letter.contains(says)) {
            return Ok(letter);
        }
        if began.elapsed() > PATIENCE {
            bail!("no letter to {address} says {says:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The secret of the link in a letter that proves an address.
pub(crate) fn token(letter: &str) -> Option<&str> {
    let rest = letter.split_once("/verify-email?token=")?.1;
    rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.~".contains(c))).next()
}

/// Undoes quoted-printable (RFC 2045 §6.7): soft line ends go, `=3D` is `=`.
fn plain(raw: &str) -> String {
    let joined = raw.replace("=\r\n", "").replace("=\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, code) {
            (b'=', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_across_soft_line_ends() {
        let letter = plain("To: anna@example.org\r\n\r\nhttp://x/verify-email?token=3Dab=\r\ncd-1_2\r\nBye =E2=82=AC");
        assert_eq!(token(&letter), Some("abcd-1_2"));
        assert!(letter.ends_with("Bye €"));
    }
}
