//! `innkeeper config`: the file that was read, every value in force and where it comes from; secrets show only that they are set.

use crate::config::{DEFAULT_FILE, Loaded, Origin};
use anyhow::Result;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

pub(crate) fn run(loaded: &Loaded) -> Result<()> {
    print!("{}", text(loaded)?);
    Ok(())
}

fn text(loaded: &Loaded) -> Result<String> {
    let mut out = match &loaded.file {
        Some(file) => format!("# file: {}\n\n", absolute(file).display()),
        None => {
            format!("# no file: --config names none, and there is no {}\n\n", absolute(DEFAULT_FILE.as_ref()).display())
        }
    };
    for (name, keys) in &Table::try_from(&loaded.config)? {
        section(loaded, name, keys, &mut out);
    }
    Ok(out)
}

/// Where it is for whoever looks from elsewhere.
fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf())
}

/// A section, and then the sections within it: as a file would have them, so that each key can say where it comes from.
fn section(loaded: &Loaded, name: &str, keys: &Value, out: &mut String) {
    let (within, plain): (Vec<_>, Vec<_>) = keys.as_table().into_iter().flatten().partition(|(_, v)| v.is_table());
    out.push_str(&format!("[{name}]\n"));
    plain.iter().for_each(|(key, value)| out.push_str(&line(loaded, name, key, value)));
    out.push('\n');
    within.iter().for_each(|(key, keys)| section(loaded, &format!("{name}.{key}"), keys, out));
}

fn line(loaded: &Loaded, section: &str, key: &str, value: &Value) -> String {
    let origin = loaded.origins.get(&format!("{section}.{key}")).unwrap_or(&Origin::Default);
    let setting = format!("{key} = {value}");
    format!("{setting:<48} # {origin}\n")
}
