//! The names files may have, narrow enough to be a path, a URL and an S3 key without escaping.

use crate::Error;

const LONGEST: usize = 512;

/// Whether this is a key we make: names of letters, digits, `-`, `_` and inner dots, separated by single slashes.
pub fn is_object_key(key: &str) -> bool {
    key.len() <= LONGEST && key.split('/').all(is_name)
}

/// No name starts with a dot, so neither `..` nor a hidden file can be reached.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

pub(super) fn check(key: &str) -> Result<&str, Error> {
    if is_object_key(key) { Ok(key) } else { Err(Error::misconfigured(format!("{key:?} is not an object key"))) }
}

/// A prefix is a key whose last name may be unfinished or missing.
pub(super) fn check_prefix(prefix: &str) -> Result<&str, Error> {
    let finished = format!("{prefix}x");
    check(&finished)
        .map(|_| prefix)
        .map_err(|_| Error::misconfigured(format!("{prefix:?} is no prefix of object keys")))
}
