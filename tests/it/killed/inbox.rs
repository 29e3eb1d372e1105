//! The letters that the product wrote into its folder, as their addressees would read them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::wait;

/// How long a letter may be on its way.
const PATIENCE: Duration = Duration::from_secs(60);

/// A letter, decoded.
#[derive(Debug)]
pub(crate) struct Letter {
    /// Its id, without brackets.
    pub(crate) id: String,
    to: String,
    text: String,
}

/// Every letter in the folder.
pub(crate) fn read(folder: &Path) -> Result<Vec<Letter>> {
    let mut letters = vec![];
    for entry in std::fs::read_dir(folder).context("open the folder of letters")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            letters.push(letter(&std::fs::read_to_string(&path)?).with_context(|| path.display().to_string())?);
        }
    }
    Ok(letters)
}

/// Waits for the link that proves an address, and returns its token.
pub(crate) async fn token_for(folder: &Path, address: &str) -> Result<String> {
    let what = format!("a letter to {address} with a link");
    wait::until(PATIENCE, &what, || async {
        let letters = read(folder).ok()?;
        letters.iter().filter(|letter| letter.to.contains(address)).find_map(|letter| token(&letter.text))
    })
    .await
}

fn token(text: &str) -> Option<String> {
    let rest = text.split_once("/verify-email?token=")?.1;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.~".contains(c))).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

fn letter(raw: &str) -> Result<Letter> {
    let (head, _) = raw.split_once("\r\n\r\n").context("it has no body")?;
    // RFC 5322 §2.2.3: a line that begins with white space belongs to the one before.
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let header = |name: &str| {
        let of = |line: &str| {
            line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned())
        };
        head.lines().find_map(of).with_context(|| format!("it has no {name}"))
    };
    let id = header("Message-ID")?.trim_matches(['<', '>']).to_owned();
    Ok(Letter { id, to: header("To")?.to_lowercase(), text: plain(raw) })
}

/// Undoes quoted-printable (RFC 2045 §6.7), as far as links need it: soft line ends go, `=3D` is `=`.
fn plain(raw: &str) -> String {
    raw.replace("=\r\n", "").replace("=3D", "=")
}
