//! The connections of a process: a pool for writes, one for the group writer, one for reads that never begins a transaction.

use crate::link::{Link, SILENCE, Wires};
use crate::observe::Observe;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, DbErr, RuntimeErr};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
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
    /// How long an answer of PostgreSQL may take before its connection is taken for dead: see [`Link`].
    pub silence: Duration,
}

impl Default for Pools {
    fn default() -> Self {
        Self { write: 12, read: 12, patience: Duration::from_secs(10), silence: SILENCE }
    }
}

/// What the connection that writes keeps of a SQLite file, in KiB: the upper pages of every index, which each commit walks through.
const PAGES_KEPT: &str = "-32768";

/// How many rows SQLite's thread reads ahead of whoever takes them. A claim brings hundreds; to be woken for each fifty is dearer than
/// the rows.
const ROWS_AHEAD: usize = 1024;

/// How PostgreSQL is to treat connections that take turns and claim: their statements are about sets.
///
/// A plan for a set must not be cached from the time when the tables were empty: it would read whole tables, more slowly with every run
/// that there is.
const FOR_SETS: [(&str, &str); 4] = [
    ("jit", "off"),
    ("enable_seqscan", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("idle_in_transaction_session_timeout", "15s"),
];

/// The connections of one process.
#[derive(Clone, Debug)]
pub struct Databases {
    pub(crate) write: Link,
    pub(crate) writer: Link,
    pub(crate) read: Link,
    pub(crate) heart: Link,
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
    /// Answers that did not come in time.
    pub silences: u64,
}

impl Databases {
    /// Connects to PostgreSQL.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn postgres(url: &str, pools: Pools) -> Result<Self, DbErr> {
        let open = |size: u32| base(url, size, pools);
        let mut read = open(pools.read);
        read.map_sqlx_postgres_opts(|o| o.application_name("innkeeper read").options([("jit", "off")]));
        let mut write = open(pools.write);
        write.map_sqlx_postgres_opts(|o| {
            o.application_name("innkeeper write").options(FOR_SETS).options([("lock_timeout", "10s")])
        });
        let mut writer = open(2);
        writer.map_sqlx_postgres_opts(|o| o.application_name("innkeeper writer").options(FOR_SETS));
        // The heartbeat must not wait behind requests; it opens its connection in whichever runtime beats.
        let mut heart = open(1);
        heart.connect_lazy(true).map_sqlx_postgres_opts(|o| o.application_name("innkeeper heart"));
        Ok(Self {
            heart: wired(heart, pools.silence).await?,
            write: wired(write, pools.silence).await?,
            writer: wired(writer, pools.silence).await?,
            read: wired(read, pools.silence).await?,
        })
    }

    /// Opens (or creates) a SQLite file: one connection that writes, several that only read.
    ///
    /// A connection that has lost count of its transactions is closed instead of going back to its pool. (When the disk is full,
    /// SQLite rolls back by itself; sqlx 0.9.0 then finds nothing to roll back and goes on counting a transaction as open. The next
    /// ones would be savepoints, the first of them that is rolled back stays open, and what is committed after that is acknowledged
    /// and never written.)
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn sqlite(path: &Path, pools: Pools) -> Result<Self, DbErr> {
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let open = |size: u32, read_only: bool| {
            let mut options = base(&url, size, pools);
            options.map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(in_step(connection))));
            options.map_sqlx_sqlite_opts(move |o| {
                let o = o
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .row_buffer_size(ROWS_AHEAD)
                    .busy_timeout(Duration::from_secs(10));
                if read_only { o.pragma("query_only", "on") } else { o.pragma("cache_size", PAGES_KEPT) }
            });
            options
        };
        let link = async |options: ConnectOptions| {
            Ok::<_, DbErr>(Link::new(Database::connect(options).await?, Arc::default(), None))
        };
        let write = link(open(1, false)).await?;
        let read = link(open(pools.read, true)).await?;
        Ok(Self { heart: write.clone(), writer: write.clone(), write, read })
    }

    /// The pool for reads.
    #[must_use]
    pub const fn read(&self) -> &Link {
        &self.read
    }

    /// The pool for write units.
    #[must_use]
    pub const fn write(&self) -> &Link {
        &self.write
    }

    /// How full the pools are.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolView> {
        self.named().into_iter().map(|(name, link)| view(name, link)).collect()
    }

    /// On SQLite one connection does all the writing.
    fn named(&self) -> Vec<(&'static str, &Link)> {
        match self.backend() {
            DbBackend::Sqlite => vec![("write", &self.write), ("read", &self.read)],
            _ => vec![("write", &self.write), ("writer", &self.writer), ("read", &self.read)],
        }
    }

    /// From here on this observer hears how long everybody waits for a connection.
    pub(crate) fn heard_by(&self, observer: &Arc<dyn Observe>) {
        for (pool, link) in self.named() {
            let observer = Arc::clone(observer);
            link.heard_by(Box::new(move |wait| observer.waited(pool, wait)));
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }
}

/// Whether a connection that comes back is outside any transaction, by its own count.
async fn in_step(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // The roll-back of a dropped transaction may still be on its way.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// Connects to PostgreSQL over wires that may fall silent.
async fn wired(mut options: ConnectOptions, silence: Duration) -> Result<Link, DbErr> {
    let wires = Arc::new(Wires::default());
    let back = Arc::clone(&wires);
    options.map_sqlx_postgres_pool_opts(move |pool| {
        let wires = Arc::clone(&back);
        pool.after_release(move |connection, _| {
            let wires = Arc::clone(&wires);
            Box::pin(async move { wires.take_back(connection).await })
        })
    });
    Ok(Link::new(Database::connect(options).await?, wires, Some(silence)))
}

fn view(name: &'static str, link: &Link) -> PoolView {
    let db = link.pool();
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
    PoolView { pool: name, most, idle, in_use: size - idle, silences: link.silences() }
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
            // Shutdown, crash, cannot connect now, serialization, deadlock, lock time-out, idle for too long, cancelled or out of time
            // (a turn's statements are small: it is the server that is slow); SQLite busy and locked.
            Some(
                "57P01" | "57P02" | "57P03" | "40001" | "40P01" | "55P03" | "25P03" | "57014" | "5" | "6" | "261"
                | "517",
            ) => Trouble::Passing,
            // No room, on the disk or in memory, no connection left, or a disk that fails: whoever has that mended sees it go on.
            Some(code) if is_no_room(code) => Trouble::Passing,
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

/// PostgreSQL's classes 53 (insufficient resources) and 58 (system error); SQLite's NOMEM, IOERR in all its kinds, and FULL.
fn is_no_room(code: &str) -> bool {
    let of_postgres = code.len() == 5 && (code.starts_with("53") || code.starts_with("58"));
    let of_sqlite = code.parse().is_ok_and(|code: u32| code < 1 << 16 && [7, 10, 13].contains(&(code & 0xff)));
    of_postgres || (code.len() < 5 && of_sqlite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_wrong_statement() {
        // Disk full, out of memory, too many connections, I/O error; FULL, IOERR_WRITE, IOERR_FSYNC, NOMEM.
        assert!(["53100", "53200", "53300", "58030", "13", "778", "1034", "7"].into_iter().all(is_no_room));
        // A unique violation, a syntax error; ERROR, a primary key, and a number that only looks like FULL.
        assert!(!["23505", "42601", "1", "1555", "53"].into_iter().any(is_no_room));
    }
}
