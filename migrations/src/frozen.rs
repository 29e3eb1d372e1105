//! A change as data: its name for ever, and its text for each database.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

/// One released change.
pub(crate) struct Frozen {
    /// What the database remembers it by.
    pub(crate) name: &'static str,
    /// Its statements for PostgreSQL, in order.
    pub(crate) postgres: &'static [&'static str],
    /// Its statements for SQLite, in order.
    pub(crate) sqlite: &'static [&'static str],
}

impl MigrationName for Frozen {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Frozen {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let statements = match db.get_database_backend() {
            DbBackend::Postgres => self.postgres,
            DbBackend::Sqlite => self.sqlite,
            other => return Err(DbErr::Migration(format!("{} has no text for {other:?}", self.name))),
        };
        for text in statements {
            db.execute_unprepared(text).await?;
        }
        Ok(())
    }

    /// The whole upgrade is one transaction already.
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
