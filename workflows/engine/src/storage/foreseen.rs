//! Commits that have not asked everything before they write: the write itself looks whether the database is as it was foreseen.

use super::{Batch, Loaded, instant, postgres, real_clock, sqlite};
use crate::Timestamp;
use crate::recall::Granted;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Value};

/// What a commit expects of the database without having asked it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foreseen {
    pub(crate) real: i64,
    pub(crate) offset_us: i64,
    pub(crate) brakes: i32,
}

impl Foreseen {
    /// How far behind the database's clock the foreseen one may be, in microseconds.
    const BEHIND: i64 = 100_000;

    /// The clocks as this database would tell them: SQLite has only whole milliseconds.
    pub(crate) const fn of(backend: DbBackend, (real, offset_us): (i64, i64), brakes: i32) -> Self {
        let fraction = match backend {
            DbBackend::Sqlite => real.rem_euclid(1_000),
            _ => 0,
        };
        Self { real: real - fraction, offset_us, brakes }
    }

    /// The latest that the business clock may show if all is as it was foreseen.
    pub(crate) fn at_most(self) -> Timestamp {
        instant(self.real + self.offset_us + Self::BEHIND)
    }

    /// What a load would have brought.
    pub(crate) fn loaded(self) -> Loaded {
        Loaded::nothing(instant(self.real + self.offset_us), self.real, self.brakes)
    }

    /// SQL for whether the database is as it was foreseen, with the parameters of offset, brakes and lease clock.
    pub(super) fn is_true(backend: DbBackend, [offset, brakes, real]: [&str; 3]) -> String {
        format!(
            "select 1 from business_clock where offset_us = {offset} and brakes = {brakes} and {} - {real} between 0 and {}",
            real_clock(backend),
            Self::BEHIND
        )
    }

    pub(super) fn values(self) -> [Value; 3] {
        [self.offset_us.into(), self.brakes.into(), self.real.into()]
    }
}

/// Writes the commit of a single start, if the database is as it was foreseen and neither the run nor its key exist.
///
/// Otherwise nothing is written, nothing fails, and the answer is `false`.
pub(crate) async fn write_foreseen(
    tx: &impl ConnectionTrait,
    batch: &Batch,
    foreseen: Foreseen,
) -> Result<bool, DbErr> {
    let statement = match tx.get_database_backend() {
        DbBackend::Sqlite => sqlite::write_foreseen(batch, foreseen),
        _ => postgres::write_foreseen(batch, foreseen),
    };
    Ok(tx.execute_raw(statement).await?.rows_affected() > 0)
}

/// Writes the commit of a group that was decided from memory.
///
/// `false` when anything is not as it was granted, and a broken key when what begins is there already: then what was written stands for
/// nothing, and the transaction must be rolled back. PostgreSQL looks and writes in one statement, which is a round trip; SQLite, where
/// nobody else writes meanwhile, in two.
pub(crate) async fn write_granted(tx: &impl ConnectionTrait, batch: &Batch, granted: &Granted) -> Result<bool, DbErr> {
    if tx.get_database_backend() != DbBackend::Sqlite {
        return Ok(tx.execute_raw(postgres::write_granted(batch, granted)).await?.rows_affected() > 0);
    }
    let row = tx.query_one_raw(sqlite::still(batch, granted)).await?;
    let same = row.map_or(Ok(false), |row| row.try_get_by_index(0))?;
    if same {
        tx.execute_raw(sqlite::write(batch)).await?;
    }
    Ok(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One turn of a run is foreseen and the next one loaded: the second must not come before the first.
    #[test]
    fn a_foreseen_clock_is_no_finer_than_the_databases() {
        let real = |backend| Foreseen::of(backend, (1_764_316_800_123_999, 60_000_000), 0).real;
        assert_eq!(real(DbBackend::Sqlite), 1_764_316_800_123_000);
        assert_eq!(real(DbBackend::Postgres), 1_764_316_800_123_999);
    }
}
