//! The entities of `store` are the tables that the migrations make, column by column.

use std::collections::BTreeMap;

use harness::{Backend, TestDatabase, on_both};
use sea_orm::{ColumnType, ConnectionTrait, FromQueryResult, Statement};
use store::entity;

on_both!(the_entities_are_the_migrated_tables, every_table_has_an_entity_or_is_the_engines);

/// A column as the database describes it.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
struct Described {
    name: String,
    holds: String,
    optional: bool,
    /// Its place in the primary key, from 1; 0 outside it.
    in_key: i32,
}

const POSTGRES_COLUMNS: &str = "
    select c.column_name::text as name, c.data_type::text as holds, c.is_nullable = 'YES' as optional,
      coalesce((select k.ordinal_position::int4 from information_schema.table_constraints t
        join information_schema.key_column_usage k using (constraint_schema, constraint_name)
        where t.table_name = c.table_name and t.constraint_type = 'PRIMARY KEY' and k.column_name = c.column_name), 0)
        as in_key
    from information_schema.columns c where c.table_name = $1 and c.table_schema = 'public'";

const SQLITE_COLUMNS: &str = r#"
    select name, type as holds, "notnull" = 0 and pk = 0 as optional, pk as in_key from pragma_table_info($1)"#;

async fn described(db: &TestDatabase, table: &str) -> Vec<Described> {
    let (backend, sql) = match db.backend {
        Backend::Postgres => (sea_orm::DbBackend::Postgres, POSTGRES_COLUMNS),
        Backend::Sqlite => (sea_orm::DbBackend::Sqlite, SQLITE_COLUMNS),
    };
    let statement = Statement::from_sql_and_values(backend, sql, [table.into()]);
    Described::find_by_statement(statement).all(&db.connection).await.unwrap()
}

/// The words of both databases for what an entity's column holds: PostgreSQL's own, and the declared one of SQLite.
fn accepted(holds: &ColumnType) -> &'static [&'static str] {
    match holds {
        ColumnType::Uuid => &["uuid"],
        ColumnType::BigInteger => &["bigint", "int8", "integer"],
        ColumnType::Integer => &["integer", "int4"],
        ColumnType::Text | ColumnType::String(_) => &["text"],
        ColumnType::Boolean => &["boolean"],
        ColumnType::Date => &["date"],
        ColumnType::Double => &["double precision"],
        ColumnType::VarBinary(_) | ColumnType::Blob | ColumnType::Binary(_) => &["bytea"],
        _ => &[],
    }
}

async fn the_entities_are_the_migrated_tables(db: TestDatabase) {
    for table in entity::tables() {
        let mut described: BTreeMap<_, _> =
            described(&db, table.name).await.into_iter().map(|column| (column.name.clone(), column)).collect();
        for column in &table.columns {
            let place = format!("{}.{}", table.name, column.name);
            let found = described.remove(&column.name).unwrap_or_else(|| panic!("{place} is not in the database"));
            assert!(accepted(&column.holds).contains(&found.holds.to_lowercase().as_str()), "{place}: {found:?}");
            assert_eq!(column.optional, found.optional, "{place} may be empty in one of the two");
            let in_key = table.key.iter().position(|key| *key == column.name).map_or(0, |index| index + 1);
            assert_eq!(i32::try_from(in_key).unwrap(), found.in_key, "{place} in the primary key");
        }
        assert!(described.is_empty(), "{} has more columns: {:?}", table.name, described.keys());
    }
}

async fn every_table_has_an_entity_or_is_the_engines(db: TestDatabase) {
    let sql = match db.backend {
        Backend::Postgres => {
            "select table_name::text as name from information_schema.tables where table_schema = 'public'"
        }
        Backend::Sqlite => "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'",
    };
    let statement = Statement::from_string(db.connection.get_database_backend(), sql);
    let rows = db.connection.query_all_raw(statement).await.unwrap();
    let known: Vec<_> = entity::tables().iter().map(|table| table.name).collect();
    let engines = ["event_log", "schedule_tick", "schedule_state", "business_clock", "seaql_migrations"];
    for row in rows {
        let name: String = row.try_get("", "name").unwrap();
        let is_engines = name.starts_with("workflow_") || engines.contains(&name.as_str());
        assert!(is_engines || known.contains(&name.as_str()), "{name} has no entity");
    }
}
