//! Everything a database holds, as text: to see that nothing was written, and to search for what must not be there.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::{Backend, TestDatabase};

/// Reads whole databases; made once per test, because the tables do not change.
pub struct Dumper {
    connection: DatabaseConnection,
    sql: String,
}

/// The rows of every table, each as one JSON text, in a stable order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dump(pub BTreeMap<String, Vec<String>>);

impl Dumper {
    /// Learns which tables and columns there are.
    pub async fn of(db: &TestDatabase) -> Result<Self> {
        let tables = match db.backend {
            Backend::Postgres => texts(&db.connection, POSTGRES_TABLES).await?,
            Backend::Sqlite => texts(&db.connection, SQLITE_TABLES).await?,
        };
        let mut parts = Vec::new();
        for table in tables {
            let line = match db.backend {
                Backend::Postgres => "row_to_json(x)::text".to_owned(),
                Backend::Sqlite => sqlite_line(&db.connection, &table).await?,
            };
            parts.push(format!("SELECT '{table}' AS name, {line} AS line FROM \"{table}\" AS x"));
        }
        Ok(Self { connection: db.connection.clone(), sql: parts.join(" UNION ALL ") })
    }

    /// What the database holds now.
    pub async fn take(&self) -> Result<Dump> {
        let question = Statement::from_string(self.connection.get_database_backend(), &self.sql);
        let mut tables = BTreeMap::<String, Vec<String>>::new();
        for row in self.connection.query_all_raw(question).await.context("dump a test's database")? {
            tables.entry(row.try_get_by_index(0)?).or_default().push(row.try_get_by_index(1)?);
        }
        tables.values_mut().for_each(|rows| rows.sort_unstable());
        Ok(Dump(tables))
    }
}

impl Dump {
    /// What is different in the other: `+` is only there, `-` only here.
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let empty = Vec::new();
        let names: std::collections::BTreeSet<&String> = self.0.keys().chain(later.0.keys()).collect();
        let of = |name: &String| {
            let (before, after) = (self.0.get(name).unwrap_or(&empty), later.0.get(name).unwrap_or(&empty));
            let gone =
                before.iter().filter(|row| after.binary_search(row).is_err()).map(|row| format!("- {name} {row}"));
            let new =
                after.iter().filter(|row| before.binary_search(row).is_err()).map(|row| format!("+ {name} {row}"));
            gone.chain(new).collect::<Vec<_>>()
        };
        names.into_iter().flat_map(of).collect()
    }
}

const POSTGRES_TABLES: &str = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1";

const SQLITE_TABLES: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1";

async fn texts(connection: &DatabaseConnection, sql: &str) -> Result<Vec<String>> {
    let question = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(question).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
}

/// Bytes as hexadecimal digits, as PostgreSQL shows them.
async fn sqlite_line(connection: &DatabaseConnection, table: &str) -> Result<String> {
    let columns = texts(connection, &format!("SELECT name FROM pragma_table_info('{table}')")).await?;
    let field = |name: &String| {
        format!("'{name}', CASE typeof(\"{name}\") WHEN 'blob' THEN hex(\"{name}\") ELSE \"{name}\" END")
    };
    Ok(format!("json_object({})", columns.iter().map(field).collect::<Vec<_>>().join(", ")))
}
