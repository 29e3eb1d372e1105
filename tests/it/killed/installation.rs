//! An installation of the product as operators would make one: servers, a data folder, and processes that share them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use harness::proxy::Proxy;
use harness::servers::{Postgres, Redis, SmallDisk};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::seat::{Role, Seat, Wires};

/// The installation's name: the first part of every key that goes to the gateway.
pub(crate) const NAME: &str = "killed";
/// Where the crash points lie at which somebody shall die.
const DEATHS: &str = "deaths";
/// Short waits for the host, so that the clock can be moved past them step by step.
const TIMERS: &str = "{ host_answer_hours = 2, guest_action_hours = 2 }";
/// Between two looks for processes that ended by themselves.
const LOOK: Duration = Duration::from_millis(150);

/// Everything that runs, and where it keeps what it knows.
pub(crate) struct Installation {
    pub(crate) seats: Vec<Mutex<Seat>>,
    pub(crate) redis: Option<Mutex<Redis>>,
    pub(crate) postgres: Option<Mutex<Postgres>>,
    /// The database's address; empty for the SQLite file in the data folder.
    pub(crate) database: String,
    /// Where clients reach it.
    pub(crate) sites: Vec<String>,
    pub(crate) data: PathBuf,
    /// A disk that somebody keeps his files on, where one was made for that.
    pub(crate) disk: Option<SmallDisk>,
    folder: TempDir,
}

impl Installation {
    /// Two APIs and two workers, with servers of their own. Nothing but the servers runs yet.
    pub(crate) fn of_servers(faults: &str) -> Result<Self> {
        Self::on(Postgres::start()?, Redis::start()?, faults)
    }

    /// The same on these servers.
    pub(crate) fn on(postgres: Postgres, redis: Redis, faults: &str) -> Result<Self> {
        let roles =
            [("api 1", Role::Api), ("api 2", Role::Api), ("worker 1", Role::Worker), ("worker 2", Role::Worker)];
        let mut installation = Self::seated(&roles, faults)?;
        for seat in &mut installation.seats {
            // Each has wires of its own, so that one can be cut off while the others are not.
            let wires = Wires { database: Proxy::to(postgres.port())?, redis: Proxy::to(redis.port())? };
            let seat = seat.get_mut();
            seat.set("INNKEEPER_DATABASE__URL", wires.database.instead_of(&postgres.url()));
            seat.set("INNKEEPER_REDIS__URL", wires.redis.instead_of(&redis.url()));
            seat.wires = Some(wires);
        }
        installation.database = postgres.url();
        installation.redis = Some(Mutex::new(redis));
        installation.postgres = Some(Mutex::new(postgres));
        Ok(installation)
    }

    /// One process on SQLite.
    pub(crate) fn embedded(faults: &str) -> Result<Self> {
        Self::seated(&[("up", Role::Up)], faults)
    }

    fn seated(roles: &[(&str, Role)], faults: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("innkeeper-killed-").tempdir()?;
        let data = folder.path().join("data");
        let deaths = folder.path().join(DEATHS);
        fs::create_dir(&deaths)?;
        let mut shared = settings(&format!("{faults},deaths:{}", deaths.display()));
        shared.insert("INNKEEPER_INSTALLATION__DATA".to_owned(), data.display().to_string());
        let seat = |(name, role): &(&str, Role)| Seat::new(*name, *role, folder.path().to_path_buf(), &shared);
        let mut seats = roles.iter().map(seat).collect::<Result<Vec<Seat>>>()?;
        let sites: Vec<String> = seats.iter().filter(|s| s.role != Role::Worker).map(|s| s.site.clone()).collect();
        // Letters, tokens and webhooks know one address, whichever process they meet there.
        seats.iter_mut().for_each(|seat| seat.set("INNKEEPER_IDENTITY__PUBLIC_URL", &sites[0]));
        let seats = seats.into_iter().map(Mutex::new).collect();
        Ok(Self { seats, redis: None, postgres: None, database: String::new(), sites, data, disk: None, folder })
    }

    /// Lives as long as this disk, and the disk as long as the installation.
    pub(crate) fn with_disk(mut self, disk: SmallDisk) -> Self {
        self.disk = Some(disk);
        self
    }

    /// Sets one more variable for every process, before the first start.
    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.seats.iter_mut().for_each(|seat| seat.get_mut().set(variable, value));
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

    /// Has whoever passes this crash point next die there.
    pub(crate) fn sentence(&self, point: &str) -> Result<()> {
        Ok(fs::write(self.deaths().join(point), "")?)
    }

    /// Whether nobody has died there yet who should.
    pub(crate) fn is_wanted(&self, point: &str) -> bool {
        self.deaths().join(point).exists()
    }

    /// Lets everybody live from here on, and says at which points nobody has come by.
    pub(crate) fn reprieve(&self) -> Result<Vec<String>> {
        let mut never = vec![];
        for file in fs::read_dir(self.deaths())? {
            let file = file?;
            // It may have struck this very moment.
            if fs::remove_file(file.path()).is_ok() {
                never.push(file.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(never)
    }

    fn deaths(&self) -> PathBuf {
        self.folder.path().join(DEATHS)
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
