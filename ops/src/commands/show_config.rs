//! `innkeeper config`: every value in force and where it comes from; secrets show only that they are set.

use crate::config::{Loaded, Origin};
use anyhow::Result;
use toml::{Table, Value};

pub(crate) fn run(loaded: &Loaded) -> Result<()> {
    print!("{}", text(loaded)?);
    Ok(())
}

fn text(loaded: &Loaded) -> Result<String> {
    let mut out = String::new();
    for (section, keys) in Table::try_from(&loaded.config)? {
        out.push_str(&format!("[{section}]\n"));
        for (key, value) in keys.as_table().into_iter().flatten() {
            out.push_str(&line(loaded, &section, key, value));
        }
        out.push('\n');
    }
    Ok(out)
}

fn line(loaded: &Loaded, section: &str, key: &str, value: &Value) -> String {
    let origin = loaded.origins.get(&format!("{section}.{key}")).unwrap_or(&Origin::Default);
    let setting = format!("{key} = {value}");
    format!("{setting:<48} # {origin}\n")
}
