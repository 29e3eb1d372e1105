//! An installation of the product as operators would make one: servers, a data folder, and processes that share them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use harness::servers::{Postgres, Redis};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::seat::{Role, Seat};

/// The installation's name: the first part of every key that goes to the gateway.
pub(crate) const NAME: &str = "killed";
/// Short waits for the host, so that the clock can be moved past them step by step.
const TIMERS: &str = "{ host_answer_hours = 2, guest_action_hours = 2 }";
/// Between two looks for processes that ended by themselves.
const LOOK: Duration = Duration::from_millis(150);

/// Everything that runs, and where it keeps what it knows.
pub(crate) struct Installation {
    pub(crate) seats: Vec<Mutex<Seat>>,
    pub(crate) redis: Option<Mutex<Redis>>,
    /// The database's address; empty for the SQLite file in the data folder.
    pub(crate) database: String,
    /// Where clients reach it.
    pub(crate) sites: Vec<String>,
    pub(crate) data: PathBuf,
    _postgres: Option<Postgres>,
    _folder: TempDir,
}

impl Installation {
    /// Two APIs and two workers, with servers of their own. Nothing but the servers runs yet.
    pub(crate) fn of_servers(faults: &str) -> Result<Self> {
        let (postgres, redis) = (Postgres::start()?, Redis::start()?);
        let roles =
            [("api 1", Role::Api), ("api 2", Role::Api), ("worker 1", Role::Worker), ("worker 2", Role::Worker)];
        let mut shared = settings(faults);
        shared.insert("INNKEEPER_DATABASE__URL".to_owned(), postgres.url());
        shared.insert("INNKEEPER_REDIS__URL".to_owned(), redis.url());
        let mut installation = Self::seated(&roles, shared)?;
        installation.database = postgres.url();
        installation.redis = Some(Mutex::new(redis));
        installation._postgres = Some(postgres);
        Ok(installation)
    }

    /// One process on SQLite.
    pub(crate) fn embedded(faults: &str) -> Result<Self> {
        Self::seated(&[("up", Role::Up)], settings(faults))
    }

    fn seated(roles: &[(&str, Role)], mut shared: BTreeMap<String, String>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("innkeeper-killed-").tempdir()?;
        let data = folder.path().join("data");
        shared.insert("INNKEEPER_INSTALLATION__DATA".to_owned(), data.display().to_string());
        let seat = |(name, role): &(&str, Role)| Seat::new(*name, *role, folder.path().to_path_buf(), &shared);
        let mut seats = roles.iter().map(seat).collect::<Result<Vec<Seat>>>()?;
        let sites: Vec<String> = seats.iter().filter(|s| s.role != Role::Worker).map(|s| s.site.clone()).collect();
        // Letters, tokens and webhooks know one address, whichever process they meet there.
        seats.iter_mut().for_each(|seat| seat.set("INNKEEPER_IDENTITY__PUBLIC_URL", &sites[0]));
        let seats = seats.into_iter().map(Mutex::new).collect();
        Ok(Self { seats, redis: None, database: String::new(), sites, data, _postgres: None, _folder: folder })
    }

    /// Starts every process: the first one alone, because it makes the keys that all share.
    pub(crate) async fn start(&self) -> Result<()> {
        for seat in &self.seats {
            let mut seat = seat.lock().await;
            seat.start()?;
            seat.serves().await?;
        }
        Ok(())
    }

    /// Takes the seats of processes that ended by themselves again, for ever.
    pub(crate) async fn tend(&self) -> Result<()> {
        loop {
            for seat in &self.seats {
                // Whoever holds the seat sees to it.
                if let Ok(mut seat) = seat.try_lock() {
                    seat.mend()?;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends every process in good order.
    pub(crate) async fn stop(&self) -> Result<bool> {
        let mut well = true;
        for seat in &self.seats {
            well &= seat.lock().await.stop().await?;
        }
        Ok(well)
    }

    /// Where letters are written.
    pub(crate) fn letters(&self) -> PathBuf {
        self.data.join("mail")
    }

    /// A place in the data folder.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        Path::new(&self.data).join(name)
    }
}

fn settings(faults: &str) -> BTreeMap<String, String> {
    let settings = [
        ("INNKEEPER_INSTALLATION__NAME", NAME),
        ("INNKEEPER_DATABASE__WRITE_CONNECTIONS", "8"),
        ("INNKEEPER_DATABASE__READ_CONNECTIONS", "6"),
        ("INNKEEPER_API__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
        ("INNKEEPER_MARKET__TIMERS", TIMERS),
        ("INNKEEPER_WORKER__POLL_MS", "100"),
        ("INNKEEPER_LOG__JSON", "true"),
        ("INNKEEPER_LOG__FILTER", "warn"),
        ("INNKEEPER_FAULTS", faults),
    ];
    settings.map(|(variable, value)| (variable.to_owned(), value.to_owned())).into()
}
