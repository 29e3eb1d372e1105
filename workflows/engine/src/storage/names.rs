//! A list of names as one parameter, on both backends.

use sea_orm::{DbBackend, Value};

/// The list as a parameter.
pub(crate) fn list(backend: DbBackend, names: impl Iterator<Item = &'static str>) -> Value {
    match backend {
        DbBackend::Sqlite => serde_json::Value::from_iter(names).to_string().into(),
        _ => names.map(str::to_owned).collect::<Vec<_>>().into(),
    }
}

/// SQL for the list as a table `k(name)`.
pub(crate) fn source(backend: DbBackend, parameter: &str) -> String {
    match backend {
        DbBackend::Sqlite => format!("(select value as name from json_each({parameter})) k"),
        _ => format!("unnest({parameter}::text[]) k(name)"),
    }
}
