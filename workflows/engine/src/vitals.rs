//! Signs of life that only the database knows: who is alive, what waits to be sealed, and whether a connection has forgotten its
//! transaction.

use crate::engine::Engine;
use crate::storage::{instant, real_clock, statement};
use crate::{Timestamp, tx};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use std::time::{Duration, Instant};

/// What the database says of everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// Processes whose heartbeat is young enough to keep their leases, by role.
    pub processes: Vec<(String, i64)>,
    /// Facts that have no position yet.
    pub unsealed: i64,
    /// The age of the oldest of them, by its instant on the business clock; of what a timer posted, since the timer was due.
    pub oldest_unsealed: Duration,
    /// Connections to this database that have been idle within a transaction for over five seconds; always 0 on SQLite, which has
    /// no such view and one writer.
    pub idle_in_transaction: i64,
    /// The lease clock.
    pub real: Timestamp,
}

const IDLE: &str = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%' and state_change < now() - interval '5 seconds'";

impl Engine {
    /// Looks at everybody's signs of life.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn vitals(&self) -> Result<Vitals, DbErr> {
        let db = &self.core.db.read;
        let backend = db.get_database_backend();
        let count = async |sql: &str| {
            let row = db.query_one_raw(statement(backend, sql, vec![])).await?;
            row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))
        };
        let asked = Instant::now();
        let (now, real) = tx::clocks(db).await?;
        self.core.observer.waited("read", asked.elapsed());
        let (unsealed, oldest) = self.unsealed(now).await?;
        let idle_in_transaction = if backend == DbBackend::Postgres { count(IDLE).await? } else { 0 };
        let processes = self.alive().await?;
        Ok(Vitals { processes, unsealed, oldest_unsealed: oldest, idle_in_transaction, real: instant(real) })
    }

    /// How many facts wait for the sealer, and since when the oldest does.
    async fn unsealed(&self, now: Timestamp) -> Result<(i64, Duration), DbErr> {
        let db = &self.core.db.read;
        let sql = "select count(*), min(at) from event_log where position is null";
        let row = db.query_one_raw(statement(db.get_database_backend(), sql, vec![])).await?;
        let Some(row) = row else { return Ok((0, Duration::ZERO)) };
        let since = row.try_get_by_index::<Option<i64>>(1)?.map_or(now, instant);
        Ok((row.try_get_by_index(0)?, (now - since).to_std().unwrap_or_default()))
    }

    async fn alive(&self) -> Result<Vec<(String, i64)>, DbErr> {
        let db = &self.core.db.read;
        let backend = db.get_database_backend();
        let real = real_clock(backend);
        let sql = format!(
            "select role, count(*) from workflow_process where beat_at > {real} - $1 group by role order by role"
        );
        let patience = i64::try_from(self.core.rescue_after.as_micros()).unwrap_or(i64::MAX);
        let rows = db.query_all_raw(statement(backend, &sql, vec![patience.into()])).await?;
        rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
    }
}
