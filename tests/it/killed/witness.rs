//! The witness looks at the installation from beside it: its database, its files, its clock. It never works.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::TimeDelta;
use engine::{Databases, Engine, Mirror, Origin, Pools, Settings, Timestamp};
use harness::wait;
use integrations::images::Limits;
use integrations::mail::FolderMailer;
use integrations::objects::LocalObjects;
use integrations::payments::sandbox::{SandboxConfig, SandboxGateway};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use secrecy::SecretString;
use uuid::Uuid;
use workflows::Reach;

use super::installation::{Installation, NAME};

/// How long nothing may happen before we call it rest: longer than the gateway waits between two deliveries of its messages.
const REST: Duration = Duration::from_millis(1_200);
/// What work says that was spoiled on purpose.
pub(crate) const MISHAP: &str = "a mishap that was planted";
/// How long the database may be away.
const BACK: Duration = Duration::from_secs(30);
/// Between two looks.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// What lasted longest, where somebody looked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Longest {
    /// A transaction in which nobody worked.
    pub(crate) open: Option<Duration>,
    /// A heartbeat that had grown old while its process still held a lease.
    pub(crate) rescue: Option<Duration>,
    /// Leases of those who ended in good order: the most that were seen at once.
    pub(crate) left_behind: i64,
}

/// Everything that can be seen without asking a process.
pub(crate) struct Witness {
    /// Knows every workflow, for replays; executes nothing.
    pub(crate) engine: Engine,
    /// The gateway's books.
    pub(crate) gateway: SandboxGateway,
    /// The files of photographs.
    pub(crate) objects: LocalObjects,
}

impl Witness {
    /// Opens what a started installation has made.
    pub(crate) async fn of(house: &Installation) -> Result<Self> {
        let pools = Pools { write: 2, read: 4, ..Pools::default() };
        let db = match house.database.is_empty() {
            true => Databases::sqlite(&house.place("innkeeper.db"), pools).await?,
            false => Databases::postgres(&house.database, pools).await?,
        };
        let clock = Mirror::default();
        let seen = clock.clone();
        let gateway = SandboxGateway::open(SandboxConfig {
            path: house.place("gateway.db"),
            api_key: SecretString::from("sk_sandbox_witness"),
            webhook_secrets: vec![SecretString::from("the witness sends nothing")],
            challenge_url: house.sites[0].clone(),
            clock: Arc::new(move || seen.now()),
        });
        let gateway = gateway.await.context("open the gateway's books")?;
        let secret = SecretString::from("the witness signs nothing");
        let objects = || LocalObjects::open(&house.place("objects"), &house.sites[0], &secret);
        let registry = workflows::registry(Reach {
            gateway: Arc::new(gateway.clone()),
            mailer: Arc::new(FolderMailer::open(&house.letters())?),
            objects: Arc::new(objects()?),
            reader: db.read().clone(),
            letters: workflows::mail::Settings::default(),
            secret: secret.clone(),
            photos: Limits::default(),
        });
        let settings = Settings { clock, ..Settings::new(NAME, Uuid::from_u128(rand::random()), "witness") };
        Ok(Self { engine: Engine::open(settings, db, registry), gateway, objects: objects()? })
    }

    /// The business clock.
    pub(crate) async fn now(&self) -> Result<Timestamp> {
        wait::until(BACK, "the database is back", || async { self.engine.now().await.ok() }).await
    }

    /// Whether everything that is due is done, and stays so for a moment, within this time.
    pub(crate) async fn sees_rest(&self, limit: Duration) -> Result<bool> {
        let began = Instant::now();
        let mut quiet = Instant::now();
        while quiet.elapsed() < REST {
            self.mend_mishaps().await;
            // A database that is away may have anything to do.
            if self.engine.busy().await.unwrap_or(true) {
                quiet = Instant::now();
            }
            if began.elapsed() > limit {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(true)
    }

    /// Does what an operator does after a release that spoiled turns is mended: has the parked work tried again. Nothing else that is
    /// parked is touched.
    async fn mend_mishaps(&self) {
        for work in self.engine.parked().await.unwrap_or_default() {
            if work.last_error.as_deref().is_some_and(|error| error.contains(MISHAP)) {
                let _ = self.engine.retry(work.work, Origin::actor("the operator")).await;
            }
        }
    }

    /// Looks for ever, and writes down the longest that somebody kept open or held what he should not.
    pub(crate) async fn watch(&self, longest: &Mutex<Longest>) {
        // What nobody can see because the database is away is seen a moment later.
        let seconds = async |sql: &str| {
            let rows = self.rows(sql).await.unwrap_or_default();
            let seconds = rows.first().and_then(|row| row.try_get_by_index(0).ok()).unwrap_or(0.0);
            Duration::try_from_secs_f64(seconds).unwrap_or_default()
        };
        let open = "select coalesce(max(extract(epoch from clock_timestamp() - state_change)), 0)::float8
            from pg_stat_activity where application_name like 'innkeeper%' and state like 'idle in transaction%'";
        let held = format!(
            "select coalesce(max(extract(epoch from clock_timestamp()) - beat_at / 1000000.0), 0)::float8 from workflow_process p
             where exists (select 1 from workflow_work w where w.holder = p.id and w.not_before = {})",
            engine::schema::LEASED
        );
        // Whoever ends in good order strikes himself off; the killed do not.
        let left_behind = format!(
            "select count(*) from workflow_work w where w.not_before = {}
               and not exists (select 1 from workflow_process p where p.id = w.holder)",
            engine::schema::LEASED
        );
        loop {
            let (open, rescue) = (seconds(open).await, seconds(&held).await);
            let left_behind = self.count(&left_behind).await.unwrap_or(0);
            {
                let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
                *longest = Longest {
                    open: longest.open.max(Some(open)),
                    rescue: longest.rescue.max(Some(rescue)),
                    left_behind: longest.left_behind.max(left_behind),
                };
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Lets the clock jump, as it does for an installation that stood still: what was due meanwhile is all due at once.
    pub(crate) async fn jump(&self, by: TimeDelta) -> Result<()> {
        let micros = by.num_microseconds().context("a span of days")?;
        let db = self.engine.databases().write();
        let sql = "update business_clock set offset_us = offset_us + $1";
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [micros.into()])).await?;
        Ok(())
    }

    /// How often the gateway was called, and for how many things that it was to do.
    pub(crate) async fn calls(&self) -> Result<(i64, i64)> {
        let calls = self.gateway.books().await?.calls;
        Ok((calls.iter().map(|call| call.attempts).sum(), i64::try_from(calls.len())?))
    }

    /// For reading tables.
    pub(crate) fn db(&self) -> &DatabaseConnection {
        self.engine.databases().read().pool()
    }

    /// The rows of a query without parameters.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<sea_orm::QueryResult>> {
        let statement = Statement::from_string(self.db().get_database_backend(), sql);
        self.db().query_all_raw(statement).await.with_context(|| sql.to_owned())
    }

    /// The one number that a query asks for.
    pub(crate) async fn count(&self, sql: &str) -> Result<i64> {
        let rows = self.rows(sql).await?;
        Ok(rows.first().context("a count is one row")?.try_get_by_index(0)?)
    }
}
