//! The gateway's file: opening it from several processes, and writing to it so that a kill loses nothing.
//!
//! WAL with `synchronous = FULL`: a commit is one append and one flush. Writers of one process queue on a lock, because
//! SQLite's own waiting is polling; between processes its busy timeout does.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Executor, Sqlite, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Error;

const BUSY: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS call (
        key TEXT NOT NULL, nth INTEGER NOT NULL, operation TEXT NOT NULL, about TEXT NOT NULL,
        request_hash TEXT NOT NULL, answer TEXT NOT NULL, attempts INTEGER NOT NULL, created_at INTEGER NOT NULL,
        PRIMARY KEY (key, nth)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS intent (
        id TEXT PRIMARY KEY, key TEXT NOT NULL, payment TEXT NOT NULL, booking TEXT NOT NULL, method TEXT NOT NULL,
        amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL, state TEXT NOT NULL, decline_code TEXT,
        hold_until INTEGER NOT NULL, capture_before INTEGER, created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS intent_lapses ON intent (capture_before) WHERE state = 'authorized';
    CREATE TABLE IF NOT EXISTS charge (
        id TEXT PRIMARY KEY, key TEXT NOT NULL, intent TEXT NOT NULL UNIQUE REFERENCES intent (id),
        amount INTEGER NOT NULL CHECK (amount > 0), created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS refund (
        id TEXT PRIMARY KEY, key TEXT NOT NULL, intent TEXT NOT NULL REFERENCES intent (id),
        amount INTEGER NOT NULL CHECK (amount > 0), created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS refund_of_intent ON refund (intent);
    CREATE TABLE IF NOT EXISTS transfer (
        id TEXT PRIMARY KEY, key TEXT NOT NULL, payout TEXT NOT NULL, account TEXT NOT NULL,
        amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL, created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, intent TEXT NOT NULL,
        created_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER, delivered_at INTEGER
    ) STRICT;
    CREATE INDEX IF NOT EXISTS event_due ON event (next_at) WHERE next_at IS NOT NULL;
    CREATE TABLE IF NOT EXISTS fault (kind TEXT PRIMARY KEY, amount INTEGER NOT NULL) STRICT;
";

/// The open file.
#[derive(Clone)]
pub(super) struct File {
    pool: SqlitePool,
    writers: Arc<Mutex<()>>,
}

impl File {
    pub(super) async fn open(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(BUSY)
            .synchronous(SqliteSynchronous::Full);
        set_up(path, &options).await?;
        let pool = SqlitePoolOptions::new().max_connections(4).after_release(|it, _| Box::pin(in_step(it)));
        let pool = pool.connect_with(options).await.map_err(unavailable)?;
        Ok(Self { pool, writers: Arc::default() })
    }

    /// For single reading statements.
    pub(super) fn reader(&self) -> &SqlitePool {
        &self.pool
    }

    /// How many hold this file or wait to write to it, for a test that must know that somebody waits.
    #[cfg(test)]
    pub(super) fn handles(&self) -> usize {
        Arc::strong_count(&self.writers)
    }

    /// Opens a transaction that holds the file's write lock from the start.
    pub(super) async fn begin(&self) -> Result<Write, Error> {
        let turn = self.writers.clone().lock_owned().await;
        #[expect(clippy::disallowed_methods, reason = "whoever writes here is detached: nobody drops it half-way")]
        let tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        Ok(Write { tx, _turn: turn })
    }
}

/// A transaction; dropped without [`Write::commit`], it never was.
pub(super) struct Write {
    tx: Transaction<'static, Sqlite>,
    _turn: OwnedMutexGuard<()>,
}

impl Write {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        let Self { tx, _turn } = self;
        tx.commit().await.map_err(|error| Error::unknown(format!("committing to the sandbox's file: {error}")))
    }
}

/// Runs to its end even if the caller stops waiting, as a provider does whose client hung up.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(|error| Error::unknown(format!("the sandbox was cut short: {error}")))?
}

/// A failure before anything was committed.
pub(super) fn unavailable(error: sqlx::Error) -> Error {
    Error::transient(format!("using the sandbox's file: {error}"))
}

/// Whether a connection that comes back counts no transaction as open. A full disk has SQLite roll back by itself, which sqlx 0.9.0 does
/// not hear of; such a connection would refuse every transaction from then on.
async fn in_step(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// Turning WAL on cannot wait for other connections, so the first processes to come take turns by a lock file.
async fn set_up(path: &Path, options: &SqliteConnectOptions) -> Result<(), Error> {
    let _turn = lock(path.with_added_extension("lock")).await?;
    // Nobody else reads the books; what SQLite puts beside its file takes over the rights.
    let private = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    private.map_err(|error| unusable(path, &error))?;
    let options = options.clone().journal_mode(SqliteJournalMode::Wal);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(|error| unusable(path, &error))?;
    connection.execute(SCHEMA).await.map_err(|error| unusable(path, &error))?;
    connection.close().await.map_err(|error| unusable(path, &error))
}

async fn lock(path: PathBuf) -> Result<fs::File, Error> {
    let locked = tokio::task::spawn_blocking(move || {
        let file = fs::File::create(&path).and_then(|file| file.lock().map(|()| file));
        file.map_err(|error| unusable(&path, &error))
    });
    locked.await.map_err(|error| Error::unknown(format!("the sandbox was cut short: {error}")))?
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::misconfigured(format!("opening the sandbox's file {}: {error}", path.display()))
}
