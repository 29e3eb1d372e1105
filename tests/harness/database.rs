//! A fresh, migrated database for every test, on either storage.

use std::env;
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use engine::{Databases, Pools, Registry};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::proof::Proof;
use crate::servers::shared_postgres;

/// Set to anything, it keeps the databases of tests and prints where they are.
const KEEP_VARIABLE: &str = "INNKEEPER_TEST_KEEP";

/// The two storages. One behaviour: whatever is tested on one is tested on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Production: a database cloned from a migrated template, on the shared server.
    Postgres,
    /// The embedded default: a file in a folder of its own.
    Sqlite,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        })
    }
}

/// One test's own database, migrated and empty.
#[derive(Clone)]
pub struct TestDatabase {
    /// Which storage this is, for the few assertions that must name it.
    pub backend: Backend,
    /// What the product would find in its configuration; a child process opens the same database by it.
    pub url: String,
    /// A connection for arranging and for asserting; the code under test opens its own by the address or takes this one.
    pub connection: DatabaseConnection,
    place: Arc<Place>,
    proof: Proof,
}

/// Begins a transaction by hand, as nothing in the product does.
///
/// # Errors
/// When no connection can be had.
#[expect(clippy::disallowed_methods, reason = "a test is not dropped while it begins")]
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    db.begin().await
}

/// Where a test's database is, for its removal.
enum Place {
    Server { database: String },
    Folder(TempDir),
}

impl TestDatabase {
    /// A database with today's schema and nothing in it.
    pub async fn fresh(backend: Backend) -> Result<Self> {
        let (url, place) = match backend {
            Backend::Postgres => clone_of_the_template().await?,
            Backend::Sqlite => new_file().await?,
        };
        let connection = open(&url, connections(backend)).await?;
        Ok(Self { backend, url, connection, place: Arc::new(place), proof: Proof::default() })
    }

    /// The same database through connections of its own, which belong to the runtime that awaits this.
    pub async fn with_its_own_connections(mut self) -> Result<Self> {
        self.connection = open(&self.url, connections(self.backend)).await?;
        Ok(self)
    }

    /// Connections as a process of the product has them.
    pub async fn databases(&self) -> Result<Databases> {
        let pools = Pools { write: 6, read: 3, ..Pools::default() };
        Ok(match self.backend {
            Backend::Postgres => Databases::postgres(&self.url, pools).await?,
            Backend::Sqlite => {
                let path = self.url.trim_start_matches("sqlite://").split('?').next().unwrap_or_default();
                Databases::sqlite(Path::new(path), pools).await?
            }
        })
    }

    /// Says by which processes the runs in here are proven once the test is over; the product's own need not be named.
    pub fn proven_by(&self, registry: impl Fn() -> Registry + Send + 'static) {
        self.proof.by(registry);
    }

    /// Says that this test spoils journals on purpose.
    pub fn is_forged(&self) {
        self.proof.give_up();
    }

    /// Replays every run that the test made: a journal that does not hold, or that nobody can judge, is a failure of the test.
    pub async fn prove(&self) -> Result<()> {
        self.proof.check(self).await
    }

    /// Removes the database, whoever still holds a connection to it, unless it is to be kept for a look.
    pub async fn remove(self) -> Result<()> {
        let Self { url, connection, place, .. } = self;
        connection.close().await?;
        let keep = env::var_os(KEEP_VARIABLE).is_some();
        if keep {
            eprintln!("kept: {url}");
        }
        match &*place {
            Place::Server { database } if !keep => {
                let admin = open(shared_postgres()?, 1).await?;
                admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await?;
                admin.close().await?;
            }
            Place::Folder(_) if keep => {
                if let Some(Place::Folder(folder)) = Arc::into_inner(place) {
                    let _ = folder.keep();
                }
            }
            // A folder goes when its last holder does.
            Place::Server { .. } | Place::Folder(_) => {}
        }
        Ok(())
    }
}

async fn new_file() -> Result<(String, Place)> {
    let folder = tempfile::Builder::new().prefix("innkeeper-sqlite-").tempdir().context("make a folder")?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("innkeeper.db").display());
    let connection = open(&url, 1).await?;
    migrations::up(&connection).await.context("migrate a fresh SQLite file")?;
    connection.close().await?;
    Ok((url, Place::Folder(folder)))
}

async fn clone_of_the_template() -> Result<(String, Place)> {
    let server = shared_postgres()?;
    let template = migrated_template(server).await?;
    let database = format!("innkeeper_test_{:032x}", rand::random::<u128>());
    let admin = open(server, 1).await?;
    admin.execute_unprepared(&format!("CREATE DATABASE {database} TEMPLATE {template}")).await?;
    admin.close().await?;
    Ok((beside(server, &database), Place::Server { database }))
}

/// Postgres: enough for a test that races with itself, few enough that a hundred tests at once still fit the server.
/// SQLite: it has one writer, so a second connection in the same test would only wait for the first.
fn connections(backend: Backend) -> u32 {
    match backend {
        Backend::Postgres => 8,
        Backend::Sqlite => 1,
    }
}

async fn open(url: &str, connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false);
    Database::connect(options).await.context("open a test's database")
}

/// The same server's address with another database's name.
fn beside(server: &str, database: &str) -> String {
    let (address, question) = server.split_once('?').map_or((server, String::new()), |(a, q)| (a, format!("?{q}")));
    let base = address.rsplit_once('/').map_or(address, |(base, _)| base);
    format!("{base}/{database}{question}")
}

/// The name of the template with today's schema; made by whichever test needs it first, in whichever process.
async fn migrated_template(server: &str) -> Result<&'static str> {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let name = TEMPLATE
        .get_or_try_init(|| async {
            let name = format!("innkeeper_template_{:016x}", fingerprint_of_this_program()?);
            // One connection: the lock belongs to the session that took it.
            let admin = open(server, 1).await?;
            admin.execute_unprepared(&format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await?;
            make_template(&admin, server, &name).await.context("make the template of the tests' databases")?;
            admin.close().await?;
            anyhow::Ok(name)
        })
        .await?;
    Ok(name)
}

/// Any number that nobody else locks.
const TEMPLATE_LOCK: i64 = 0x696e_6e6b_6565_7065;

/// Under another name until it is complete, so that a killed test leaves no half-migrated template behind.
async fn make_template(admin: &DatabaseConnection, server: &str, name: &str) -> Result<()> {
    let exists = sea_orm::Statement::from_string(
        sea_orm::DbBackend::Postgres,
        format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"),
    );
    if admin.query_one_raw(exists).await?.is_some() {
        return Ok(());
    }
    let draft = format!("{name}_draft");
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await?;
    admin.execute_unprepared(&format!("CREATE DATABASE {draft}")).await?;
    let connection = open(&beside(server, &draft), 1).await?;
    migrations::up(&connection).await?;
    connection.close().await?;
    admin.execute_unprepared(&format!("ALTER DATABASE {draft} RENAME TO {name}")).await?;
    Ok(())
}

/// Another build may bring another schema: on a server that outlives the tests, each build has a template of its own.
fn fingerprint_of_this_program() -> Result<u64> {
    let program = env::current_exe().context("find this program's file")?;
    let about = fs::metadata(&program).context("look at this program's file")?;
    let mut hasher = DefaultHasher::new();
    (program, about.len(), about.modified()?).hash(&mut hasher);
    Ok(hasher.finish())
}
