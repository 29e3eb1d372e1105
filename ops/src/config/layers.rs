//! Layering: each key remembers where its value came from.

use super::Config;
use super::sections::{FILES, SECRETS};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use toml::{Table, Value};

/// Variables of the environment that begin so are ours.
const PREFIX: &str = "INNKEEPER_";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File,
    /// This variable.
    Environment(String),
    /// This option of the command line.
    Option(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(name) => f.write_str(name),
            Self::Option(name) => f.write_str(name),
        }
    }
}

/// What is in force, and from where.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The values.
    pub config: Config,
    /// `section.key` → its origin; keys at their default are not listed.
    pub origins: BTreeMap<String, Origin>,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
}

/// Lays the file over the defaults and the environment over both.
pub(super) fn load(file: Option<&str>, environment: impl Iterator<Item = (String, String)>) -> Result<Loaded> {
    let mut origins = BTreeMap::new();
    let mut table = Table::try_from(Config::default()).context("write the defaults down")?;
    if let Some(text) = file {
        let over: Table = text.parse().map_err(|error| misread(text, &error))?;
        lay(&mut table, over, &mut origins)?;
    }
    for (name, value) in environment {
        if let Some(path) = ours(&name) {
            set(&mut table, &path, &name, &value).with_context(|| format!("take {name} from the environment"))?;
            origins.insert(path.key(), Origin::Environment(name));
        }
    }
    let secrets = secrets_of(&table);
    let config =
        Config::deserialize_table(table).map_err(|error| anyhow!("{}", hidden(format!("{error:#}"), &secrets)))?;
    Ok(Loaded { config, origins, file: None })
}

/// What is wrong with the file, and where; its text stays where it is, for there may be secrets in it.
fn misread(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(text));
    let (line, column) = (before.matches('\n').count() + 1, before.rsplit('\n').next().map_or(0, str::len) + 1);
    anyhow!("read the configuration file: line {line}, column {column}: {}", error.message())
}

/// The values that must never be repeated, as they stand in a table that may not even fit.
fn secrets_of(table: &Table) -> Vec<String> {
    let keys = SECRETS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (section, key)));
    let written = keys.filter_map(|(section, key)| table.get(*section)?.get(*key));
    written.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
}

/// A complaint without the secrets that it repeats.
fn hidden(complaint: String, secrets: &[String]) -> String {
    let said = secrets.iter().filter(|secret| !secret.is_empty());
    said.fold(complaint, |complaint, secret| complaint.replace(secret.as_str(), "(hidden)"))
}

fn lay(table: &mut Table, over: Table, origins: &mut BTreeMap<String, Origin>) -> Result<()> {
    for (section, keys) in over {
        let Value::Table(keys) = keys else {
            bail!("{section:?} in the configuration file is a key outside of any [section]")
        };
        let Some(Value::Table(known)) = table.get_mut(&section) else {
            bail!("[{section}] in the configuration file is no section of ours")
        };
        merge(known, keys, &section, origins);
    }
    Ok(())
}

/// A table within goes over its like key by key, so that each key keeps its own origin.
fn merge(known: &mut Table, over: Table, place: &str, origins: &mut BTreeMap<String, Origin>) {
    for (key, value) in over {
        let place = format!("{place}.{key}");
        match (known.get_mut(&key), value) {
            (Some(Value::Table(known)), Value::Table(over)) => merge(known, over, &place, origins),
            (_, value) => {
                origins.insert(place, Origin::File);
                known.insert(key, value);
            }
        }
    }
}

/// A key as the environment names it.
struct Path {
    section: String,
    key: String,
    from_file: bool,
}

impl Path {
    fn key(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }
}

/// Which key a variable sets; names without `__` belong to the tests and tools.
fn ours(name: &str) -> Option<Path> {
    let (section, key) = name.strip_prefix(PREFIX)?.split_once("__")?;
    let key = key.to_lowercase().replace("__", ".");
    let (key, from_file) = key.strip_suffix("_file").map_or((key.as_str(), false), |stem| (stem, true));
    // A key may itself end so (`identity.key_file`): then it is the key, not a place to read it from.
    let (section, whole) = (section.to_lowercase(), format!("{key}_file"));
    let itself = from_file && FILES.iter().any(|(name, keys)| *name == section && keys.contains(&whole.as_str()));
    let (key, from_file) = if itself { (whole, false) } else { (key.to_owned(), from_file) };
    Some(Path { section, key, from_file })
}

fn set(table: &mut Table, path: &Path, name: &str, value: &str) -> Result<()> {
    let value = if path.from_file {
        std::fs::read_to_string(value)
            .with_context(|| format!("read the file that {name} names"))?
            .trim_end()
            .to_owned()
    } else {
        value.to_owned()
    };
    // `MARKET__TIMERS__QUOTE_MINUTES` reaches into `[market.timers]`.
    let (sections, key) = path.key.rsplit_once('.').map_or((None, path.key.as_str()), |(s, key)| (Some(s), key));
    let mut here = table;
    for section in std::iter::once(path.section.as_str()).chain(sections.into_iter().flat_map(|s| s.split('.'))) {
        here = match here.get_mut(section) {
            Some(Value::Table(section)) => section,
            _ => bail!("there is no section [{section}]"),
        };
    }
    // The value itself is not repeated: it may be a secret that went to the wrong key.
    let typed = typed(here.get(key), &value).ok_or_else(|| anyhow!("its value does not fit {}", path.key()))?;
    here.insert(key.to_owned(), typed);
    Ok(())
}

/// Reads text as the kind of value that stands there by default.
fn typed(default: Option<&Value>, text: &str) -> Option<Value> {
    match default {
        Some(Value::Integer(_)) => text.parse().ok().map(Value::Integer),
        Some(Value::Float(_)) => text.parse().ok().map(Value::Float),
        Some(Value::Boolean(_)) => text.parse().ok().map(Value::Boolean),
        Some(Value::Array(_) | Value::Table(_)) => format!("it = {text}").parse::<Table>().ok()?.remove("it"),
        Some(Value::String(_) | Value::Datetime(_)) => Some(Value::String(text.to_owned())),
        // A key that is absent by default: a number when it is one.
        None => Some(text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Integer)),
    }
}
