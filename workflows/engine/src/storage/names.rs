//! A list of names or ids as one parameter, on both backends.

use sea_orm::{DbBackend, Value};
use uuid::Uuid;

/// Names as a parameter.
pub(crate) fn list(backend: DbBackend, names: impl Iterator<Item = &'static str>) -> Value {
    match backend {
        DbBackend::Sqlite => serde_json::Value::from_iter(names).to_string().into(),
        _ => names.map(str::to_owned).collect::<Vec<_>>().into(),
    }
}

/// SQL for a list of names as a table `k(name)`.
pub(crate) fn source(backend: DbBackend, parameter: &str) -> String {
    match backend {
        DbBackend::Sqlite => format!("(select value as name from json_each({parameter})) k"),
        _ => format!("unnest({parameter}::text[]) k(name)"),
    }
}

/// Ids as a parameter.
pub(crate) fn ids(backend: DbBackend, ids: &[Uuid]) -> Value {
    match backend {
        DbBackend::Sqlite => {
            serde_json::Value::from_iter(ids.iter().map(|id| hex::encode(id.as_bytes()))).to_string().into()
        }
        _ => ids.to_vec().into(),
    }
}

/// SQL for what comes after `in`: a list of ids.
pub(crate) fn ids_in(backend: DbBackend, parameter: &str) -> String {
    match backend {
        DbBackend::Sqlite => format!("(select unhex(value) from json_each({parameter}))"),
        _ => format!("(select unnest({parameter}::uuid[]))"),
    }
}
