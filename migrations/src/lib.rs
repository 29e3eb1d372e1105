//! The changes that bring a database to the shape this build needs: one frozen change per file, oldest first.
//!
//! A released change is never edited; the next one is another file and another line in `all`. Instants are microseconds since
//! the epoch (`int8`), money is a count of smallest units beside its currency, ids are UUIDs. Most of the text is read by both
//! databases (SQLite takes a type's affinity from its name, and a UUID or a date keeps its own form under any of them); what
//! they do not share stands in a constant of its own.
//!
//! An upgrade is one transaction under one lock, so several processes may start at once and a half-made schema cannot exist.

mod frozen;
mod m0001_engine;
mod m0002_accounts;
mod m0003_properties;
mod m0004_bookings;
mod m0005_money;
mod m0006_ledger;
mod m0007_notifications;
mod m0008_requests;
mod m0009_brakes;
mod m0010_life;
mod m0011_deaths;
mod m0012_leases;
mod m0013_due;
mod m0014_sealing;
mod m0015_kept;
mod m0016_quiet;
mod m0017_tries;
mod m0018_width;

use frozen::Frozen;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Whoever holds this advisory lock is migrating.
const LOCK: &str = "
    set local statement_timeout = 0;
    set local lock_timeout = 0;
    select pg_advisory_xact_lock(4826711903);
";

/// Every change, oldest first.
fn all() -> [Frozen; 18] {
    [
        m0001_engine::CHANGE,
        m0002_accounts::CHANGE,
        m0003_properties::CHANGE,
        m0004_bookings::CHANGE,
        m0005_money::CHANGE,
        m0006_ledger::CHANGE,
        m0007_notifications::CHANGE,
        m0008_requests::CHANGE,
        m0009_brakes::CHANGE,
        m0010_life::CHANGE,
        m0011_deaths::CHANGE,
        m0012_leases::CHANGE,
        m0013_due::CHANGE,
        m0014_sealing::CHANGE,
        m0015_kept::CHANGE,
        m0016_quiet::CHANGE,
        m0017_tries::CHANGE,
        m0018_width::CHANGE,
    ]
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        all().into_iter().map(|change| Box::new(change) as Box<dyn MigrationTrait>).collect()
    }
}

/// Applies every change that is missing, all or none, and says which; waits while another process does the same.
///
/// # Errors
/// When the database refuses, or has changes that this build does not know: it was migrated by a later one.
#[expect(clippy::disallowed_methods, reason = "nobody drops a migration: a process is migrated before it serves")]
pub async fn up(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let immediate = Some(SqliteTransactionMode::Immediate);
    let tx =
        db.begin_with_options(TransactionOptions { sqlite_transaction_mode: immediate, ..Default::default() }).await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(LOCK).await?;
    }
    let missing = pending_in(&tx).await?;
    Migrator::up(&tx, None).await?;
    tx.commit().await?;
    Ok(missing)
}

/// The changes that this build has and the database has not, oldest first; writes nothing.
///
/// # Errors
/// As [`up`].
pub async fn pending(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    pending_in(db).await
}

async fn pending_in(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let missing = Migrator::get_pending_migrations_read_only(db).await?;
    Ok(missing.iter().map(|change| change.name().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use sea_orm::Database;

    use super::*;

    #[tokio::test]
    async fn an_empty_database_is_brought_up_once() {
        let db = Database::connect("sqlite::memory:").await.unwrap();
        assert_eq!(pending(&db).await.unwrap().len(), all().len());
        assert_eq!(up(&db).await.unwrap().len(), all().len());
        assert!(up(&db).await.unwrap().is_empty() && pending(&db).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_change_that_fails_leaves_nothing_behind() {
        let db = Database::connect("sqlite::memory:").await.unwrap();
        db.execute_unprepared("create table webhook_inbox (in_the_way text)").await.unwrap();
        up(&db).await.unwrap_err();
        assert_eq!(pending(&db).await.unwrap().len(), all().len());
        db.execute_unprepared("create table property (free text)").await.unwrap();
    }

    #[tokio::test]
    async fn a_database_of_a_later_build_is_left_alone() {
        let db = Database::connect("sqlite::memory:").await.unwrap();
        up(&db).await.unwrap();
        db.execute_unprepared("insert into seaql_migrations values ('m9999_later', 0)").await.unwrap();
        assert!(up(&db).await.unwrap_err().to_string().contains("m9999_later"));
    }
}
