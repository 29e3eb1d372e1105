//! The connections of a process: a pool for writes, one for the group writer, one for reads that never begins a transaction.

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr};
use sea_orm::{SqliteTransactionMode, TransactionOptions, TransactionTrait};
use sqlx::Executor;
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use std::path::Path;
use std::time::Duration;

/// Pool sizes and patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pools {
    /// Connections for write units of requests.
    pub write: u32,
    /// Connections for reads.
    pub read: u32,
    /// How long a caller waits for a connection before it is an error.
    pub patience: Duration,
}

impl Default for Pools {
    fn default() -> Self {
        Self { write: 12, read: 12, patience: Duration::from_secs(10) }
    }
}

/// The connections of one process.
#[derive(Clone, Debug)]
pub struct Databases {
    pub(crate) write: DatabaseConnection,
    pub(crate) writer: DatabaseConnection,
    pub(crate) read: DatabaseConnection,
    pub(crate) heart: DatabaseConnection,
}

/// How full a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Which pool.
    pub pool: &'static str,
    /// Connections it may open.
    pub most: u32,
    /// Connections that nobody uses.
    pub idle: u32,
    /// Connections in use.
    pub in_use: u32,
}

impl Databases {
    /// Connects to PostgreSQL.
    ///
    /// Whatever a dropped future leaves behind, a connection comes back to its pool outside any transaction: `after_release` rolls
    /// back. (sqlx 0.9.0 can return a connection with an open transaction when a future is dropped during `BEGIN`, upstream issue
    /// transact-rs/sqlx#4385; the next borrower's acknowledged write would be lost with it.)
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn postgres(url: &str, pools: Pools) -> Result<Self, DbErr> {
        let open = |size: u32| {
            let mut options = base(url, size, pools);
            options.map_sqlx_postgres_pool_opts(|pool| {
                pool.after_release(|connection, _| {
                    Box::pin(async move {
                        connection.execute("ROLLBACK").await?;
                        Ok(true)
                    })
                })
            });
            options
        };
        let mut read = open(pools.read);
        read.map_sqlx_postgres_opts(|o| o.application_name("innkeeper read").options([("jit", "off")]));
        let mut write = open(pools.write);
        write.map_sqlx_postgres_opts(|o| {
            o.application_name("innkeeper write").options([
                ("jit", "off"),
                ("idle_in_transaction_session_timeout", "15s"),
                ("lock_timeout", "10s"),
            ])
        });
        let mut writer = open(2);
        // Plans for sets must not be cached from the time when the tables were empty.
        writer.map_sqlx_postgres_opts(|o| {
            o.application_name("innkeeper writer").options([
                ("jit", "off"),
                ("enable_seqscan", "off"),
                ("plan_cache_mode", "force_generic_plan"),
                ("idle_in_transaction_session_timeout", "15s"),
            ])
        });
        // The heartbeat must not wait behind requests; it opens its connection in whichever runtime beats.
        let mut heart = open(1);
        heart.connect_lazy(true).map_sqlx_postgres_opts(|o| o.application_name("innkeeper heart"));
        Ok(Self {
            heart: Database::connect(heart).await?,
            write: Database::connect(write).await?,
            writer: Database::connect(writer).await?,
            read: Database::connect(read).await?,
        })
    }

    /// Opens (or creates) a SQLite file: one connection that writes, several that only read.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn sqlite(path: &Path, pools: Pools) -> Result<Self, DbErr> {
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let open = |size: u32, read_only: bool| {
            let mut options = base(&url, size, pools);
            options.map_sqlx_sqlite_opts(move |o| {
                let o = o
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(10));
                if read_only { o.pragma("query_only", "on") } else { o }
            });
            options
        };
        let write = Database::connect(open(1, false)).await?;
        let read = Database::connect(open(pools.read, true)).await?;
        Ok(Self { heart: write.clone(), writer: write.clone(), write, read })
    }

    /// The pool for reads.
    #[must_use]
    pub const fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// The pool for write units.
    #[must_use]
    pub const fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// How full the pools are; on SQLite one connection does all the writing.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolView> {
        match self.backend() {
            DbBackend::Sqlite => vec![view("write", &self.write), view("read", &self.read)],
            _ => vec![view("write", &self.write), view("writer", &self.writer), view("read", &self.read)],
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }
}

fn view(name: &'static str, db: &DatabaseConnection) -> PoolView {
    let (most, size, idle) = match db.get_database_backend() {
        DbBackend::Sqlite => {
            let pool = db.get_sqlite_connection_pool();
            (pool.options().get_max_connections(), pool.size(), pool.num_idle())
        }
        _ => {
            let pool = db.get_postgres_connection_pool();
            (pool.options().get_max_connections(), pool.size(), pool.num_idle())
        }
    };
    let idle = u32::try_from(idle).unwrap_or(u32::MAX).min(size);
    PoolView { pool: name, most, idle, in_use: size - idle }
}

fn base(url: &str, size: u32, pools: Pools) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(size)
        .sqlx_logging(false)
        .acquire_timeout(pools.patience)
        .test_before_acquire_if_idle_for(Duration::from_secs(30));
    options
}

/// Begins a transaction that can write: on SQLite it takes the write lock at once, so it never fails half-way for a rival's sake.
pub(crate) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options =
        TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    db.begin_with_options(options).await
}

/// How a storage error is to be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The connection or the server: nothing is wrong with the statements, try the whole again.
    Passing,
    /// A unique key is taken.
    Unique,
    /// The statements themselves.
    Statement,
}

/// Sorts a storage error.
pub(crate) fn trouble(error: &DbErr) -> Trouble {
    let sqlx = match error {
        DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => return Trouble::Passing,
        DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e)) => e,
        _ => return Trouble::Statement,
    };
    match sqlx.as_ref() {
        sqlx::Error::Database(e) if e.is_unique_violation() => Trouble::Unique,
        sqlx::Error::Database(e) => match e.code().as_deref() {
            // Shutdown, crash, cannot connect now, serialization, deadlock, lock time-out, out of connections; SQLite busy and locked.
            Some(
                "57P01" | "57P02" | "57P03" | "40001" | "40P01" | "55P03" | "53300" | "25P03" | "5" | "6" | "261"
                | "517",
            ) => Trouble::Passing,
            Some(code) if code.starts_with("08") => Trouble::Passing,
            _ => Trouble::Statement,
        },
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => Trouble::Passing,
        _ => Trouble::Statement,
    }
}
