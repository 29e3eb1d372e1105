//! Old values stay readable: everything that a released build may have written is a committed file, and this build reads them all.

use super::samples::Samples;
use crate::step::{encode, variant};
use crate::{Value, Workflow};
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};

/// The variable that lets [`golden`] write new samples: `INNKEEPER_GOLDEN=write cargo test`.
pub(super) const WRITE: &str = "INNKEEPER_GOLDEN";

/// Holds this build to what earlier ones have written.
///
/// Each sample must equal a committed file of `dir` (`state/AwaitingHost.json`, `state/AwaitingHost.2.json`, `input/input.json`, …), and every file
/// there, also of variants and shapes that no sample has any more, must still be read, with nothing that it says lost on the way
/// (a renamed `Option` field would otherwise be read as `None` without a word).
///
/// Files are append-only. A new or changed shape is written beside the old one when `INNKEEPER_GOLDEN=write` is set, never in its
/// place, so that the old file goes on proving that old runs can be read. Delete a file only when no run of that shape is left
/// (`innkeeper workflow census`).
///
/// `dir` is relative to the crate, as `cargo test` runs there.
///
/// # Panics
/// When a variant has no sample, a sample has no file, or a file cannot be read.
#[track_caller]
pub fn golden<W: Workflow>(samples: &Samples<W>, dir: impl AsRef<Path>) {
    samples.must_be_complete();
    let write = std::env::var(WRITE).is_ok_and(|value| value == "write");
    let faults = faults(samples, dir.as_ref(), write);
    assert!(faults.is_empty(), "{}: golden files in {}:\n{}", W::NAME, dir.as_ref().display(), faults.join("\n"));
}

/// As [`golden`], for a persisted value that belongs to no workflow's types: what a fact holds, what the engine itself stores.
///
/// # Panics
/// When a sample has no file, or a file cannot be read.
#[track_caller]
pub fn golden_values<T: Value>(samples: &[T], dir: impl AsRef<Path>) {
    let write = std::env::var(WRITE).is_ok_and(|value| value == "write");
    let shelf = Shelf { dir: dir.as_ref().to_owned(), named: false, write };
    let faults = shelf.check(samples);
    assert!(faults.is_empty(), "golden files in {}:\n{}", dir.as_ref().display(), faults.join("\n"));
}

fn faults<W: Workflow>(samples: &Samples<W>, dir: &Path, write: bool) -> Vec<String> {
    [
        Shelf { dir: dir.join("input"), named: false, write }.check(&samples.inputs),
        Shelf { dir: dir.join("state"), named: true, write }.check(&samples.states),
        Shelf { dir: dir.join("event"), named: true, write }.check(&samples.events),
        Shelf { dir: dir.join("effect"), named: true, write }.check(&samples.effects),
        Shelf { dir: dir.join("timer"), named: true, write }.check(&samples.timers),
    ]
    .concat()
}

/// The files of one kind of value.
struct Shelf {
    dir: PathBuf,
    /// Whether a file is named for the value's variant; an input has none.
    named: bool,
    write: bool,
}

impl Shelf {
    fn check<T: Value>(&self, samples: &[T]) -> Vec<String> {
        let mut files = match self.files() {
            Ok(files) => files,
            Err(fault) => return vec![fault],
        };
        let mut faults: Vec<String> = files.iter().filter_map(|(path, text)| unreadable::<T>(path, text)).collect();
        for sample in samples {
            let json = as_json(&encode(sample));
            if files.iter().any(|(_, text)| as_json(text) == json) {
                continue;
            }
            match self.add(sample) {
                Ok(file) => files.push(file),
                Err(fault) => faults.push(fault),
            }
        }
        faults
    }

    fn files(&self) -> Result<Vec<(PathBuf, String)>, String> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Ok(vec![]) };
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|ext| ext == "json")).collect();
        paths.sort();
        let read = |path: PathBuf| match fs::read_to_string(&path) {
            Ok(text) => Ok((path, text)),
            Err(error) => Err(format!("{}: {error}", path.display())),
        };
        paths.into_iter().map(read).collect()
    }

    /// Writes a sample under the next free name, or says that it has no file.
    fn add<T: Value>(&self, sample: &T) -> Result<(PathBuf, String), String> {
        let json = encode(sample);
        let name = if self.named { variant(&json) } else { "input" };
        if !self.write {
            let place = self.dir.join(name).display().to_string();
            return Err(format!(
                "no file {place}*.json holds {json}\n  (if the shape is new on purpose: {WRITE}=write)"
            ));
        }
        let place = |number: u32| match number {
            1 => self.dir.join(format!("{name}.json")),
            more => self.dir.join(format!("{name}.{more}.json")),
        };
        let path = (1..).map(place).find(|path| !path.exists()).ok_or("every name is taken")?;
        let text = serde_json::to_string_pretty(sample).map_err(|error| error.to_string())? + "\n";
        fs::create_dir_all(&self.dir).and_then(|()| fs::write(&path, &text)).map_err(|error| error.to_string())?;
        Ok((path, text))
    }
}

/// What is wrong with a committed file, seen from this build.
fn unreadable<T: Value>(path: &Path, text: &str) -> Option<String> {
    let place = path.display();
    match serde_json::from_str::<T>(text) {
        Err(error) => Some(format!("{place} can no longer be read: {error}")),
        Ok(value) => {
            lost(&as_json(text), &as_json(&encode(&value))).map(|what| format!("{place} is read, but {what} is lost"))
        }
    }
}

/// The first thing that `old` says and `new` does not. New fields are welcome.
fn lost(old: &Json, new: &Json) -> Option<String> {
    match (old, new) {
        (Json::Object(old), Json::Object(new)) => old.iter().find_map(|(name, value)| match new.get(name) {
            // An absent field and an explicit `null` mean the same to serde.
            None if value.is_null() => None,
            None => Some(format!("`{name}`")),
            Some(kept) => lost(value, kept).map(|what| format!("`{name}`: {what}")),
        }),
        (Json::Array(old), Json::Array(new)) if old.len() == new.len() => {
            old.iter().zip(new).find_map(|(old, new)| lost(old, new))
        }
        (old, new) if old == new => None,
        (old, new) => Some(format!("{old}, now {new},")),
    }
}

fn as_json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or(Json::Null)
}

/// A directory of its own for each test, removed at its end.
#[cfg(test)]
pub(super) struct WrittenFiles(PathBuf);

#[cfg(test)]
impl WrittenFiles {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("innkeeper-golden-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
impl Drop for WrittenFiles {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::toy::{self, Effect, State};

    #[test]
    fn a_sample_without_a_file_is_a_fault_until_it_is_written() {
        let dir = WrittenFiles::new("first");
        let missing = faults(&toy::samples(), dir.path(), false);
        assert_eq!(missing.len(), 14, "{missing:#?}");
        assert!(missing[1].contains("state/Asked*.json holds \"Asked\""), "{missing:#?}");
        assert!(!dir.path().exists(), "nothing is written unasked");

        assert_eq!(faults(&toy::samples(), dir.path(), true), Vec::<String>::new());
        assert_eq!(faults(&toy::samples(), dir.path(), false), Vec::<String>::new());
    }

    #[test]
    fn a_changed_shape_gets_a_file_beside_the_old_one() {
        let dir = WrittenFiles::new("beside");
        let old = "{\"Lit\":{\"since\":\"2026-05-01T11:00:00Z\"}}";
        fs::create_dir_all(dir.path().join("state")).unwrap();
        fs::write(dir.path().join("state/Lit.json"), old).unwrap();
        assert_eq!(faults(&toy::samples(), dir.path(), true), Vec::<String>::new());
        assert_eq!(fs::read_to_string(dir.path().join("state/Lit.json")).unwrap(), old, "append-only");
        assert!(dir.path().join("state/Lit.2.json").exists());
    }

    #[test]
    fn a_file_that_can_no_longer_be_read_is_a_fault() {
        let text = "{\"Burning\":{}}";
        let fault = unreadable::<State>(Path::new("state/Burning.json"), text).unwrap();
        assert!(fault.starts_with("state/Burning.json can no longer be read: unknown variant `Burning`"), "{fault}");
    }

    #[test]
    fn a_field_that_is_silently_dropped_is_a_fault() {
        let text = "{\"Greet\":{\"name\":null,\"title\":\"Dr\"}}";
        let fault = unreadable::<Effect>(Path::new("effect/Greet.json"), text).unwrap();
        assert_eq!(fault, "effect/Greet.json is read, but `Greet`: `title` is lost");
        assert_eq!(unreadable::<Effect>(Path::new("effect/Greet.json"), "{\"Greet\":{\"title\":null}}"), None);
    }
}
