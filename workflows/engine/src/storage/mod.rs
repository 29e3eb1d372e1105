//! What a commit reads, what it writes, and how work is claimed and given back, on both backends.
//!
//! The statements are set-based: a group of two hundred turns costs the same few round trips as a group of one.

pub(crate) mod brakes;
mod claimed;
mod foreseen;
pub(crate) mod lease;
pub(crate) mod loaded;
pub(crate) mod names;
mod postgres;
pub mod schema;
mod sets;
pub(crate) mod single;
mod sqlite;

pub(crate) use claimed::ClaimedRow;
pub(crate) use foreseen::{Foreseen, write_foreseen, write_granted};
pub(crate) use loaded::{FenceRow, Loaded};

use crate::turn::{JournalRow, NewWork, RunRow};
use crate::{Posted, RunId, Timestamp, WorkId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};
use uuid::Uuid;

/// What a commit has to know before it decides.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    pub(crate) runs: Vec<RunId>,
    pub(crate) fences: Vec<WorkId>,
    pub(crate) keys: Vec<(RunId, String)>,
}

/// Work to insert, and whether this process takes it in the same commit.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) work: NewWork,
    pub(crate) leased: bool,
    /// None of its run's timers is due before then and it is the run's only call, as long as the run does not move; if that is known.
    pub(crate) quiet_until: Option<Timestamp>,
}

/// Everything one commit writes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) now: i64,
    pub(crate) real: i64,
    pub(crate) holder: Uuid,
    pub(crate) born: Vec<RunRow>,
    pub(crate) moved: Vec<RunRow>,
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) done: Vec<WorkId>,
    pub(crate) left: Vec<RunId>,
    pub(crate) ended: Vec<RunId>,
    pub(crate) replaced: Vec<(RunId, String)>,
    pub(crate) withdrawn: Vec<(RunId, String)>,
    pub(crate) queued: Vec<Queued>,
    pub(crate) facts: Vec<Posted>,
}

/// What a claim may take from one queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Take {
    pub(crate) queue: &'static str,
    /// The party that its effects call, or nothing.
    pub(crate) party: &'static str,
    pub(crate) room: i32,
    /// The caller has seen to the party's circuit, under its lock.
    pub(crate) probe: bool,
}

/// In which order a claim asks the priorities, and what share of the room all but the last of them get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) classes: [i16; 3],
    /// The first two get one part in this many of the room, at least one place.
    pub(crate) parts: i32,
}

impl Order {
    /// The order of a process's claim number `n`: the urgent first, and every eighth time the others before them, in turns.
    pub(crate) const fn of(n: u64) -> Self {
        match n % 16 {
            7 => Self { classes: [2, 1, 0], parts: 4 },
            15 => Self { classes: [1, 2, 0], parts: 4 },
            _ => Self { classes: [0, 1, 2], parts: 1 },
        }
    }

    /// Whether everything urgent was offered all of the room.
    pub(crate) const fn is_usual(self) -> bool {
        self.parts == 1
    }
}

/// Which queues may hand out how much, to whom.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) takes: Vec<Take>,
    pub(crate) order: Order,
    pub(crate) holder: Uuid,
    pub(crate) workflows: Vec<&'static str>,
    pub(crate) shapes: Vec<i16>,
}

/// How many lanes one claim looks at; the next one goes on where it ended.
pub(crate) const LANES_AT_ONCE: i32 = 512;

/// An instant from its stored microseconds.
pub(crate) fn instant(micros: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(micros).unwrap_or(Timestamp::MAX_UTC)
}

pub(crate) fn statement(backend: DbBackend, sql: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}

/// Loads and locks what the inputs are about. On SQLite the transaction itself is the lock.
pub(crate) async fn load(tx: &impl ConnectionTrait, ask: &Ask) -> Result<Loaded, DbErr> {
    match tx.get_database_backend() {
        DbBackend::Sqlite => Loaded::of_one_text(tx.query_one_raw(sqlite::load(ask)).await?),
        _ => Loaded::of_rows(&tx.query_all_raw(postgres::load(ask)).await?),
    }
}

fn narrow<N: TryFrom<i64>>(wide: i64) -> Result<N, DbErr> {
    N::try_from(wide).map_err(|_| DbErr::Type(format!("{wide} does not fit its column")))
}

/// Reads `(run, seq, n)` from three columns beginning at `at`.
pub(crate) fn work_id(row: &QueryResult, at: usize) -> Result<WorkId, DbErr> {
    Ok(WorkId {
        run: RunId::from_uuid(row.try_get_by_index(at)?),
        seq: row.try_get_by_index(at + 1)?,
        n: row.try_get_by_index(at + 2)?,
    })
}

/// Writes a commit.
pub(crate) async fn write(tx: &impl ConnectionTrait, batch: &Batch) -> Result<(), DbErr> {
    let statement = match tx.get_database_backend() {
        DbBackend::Sqlite => sqlite::write(batch),
        _ => postgres::write(batch),
    };
    tx.execute_raw(statement).await?;
    Ok(())
}

/// Claims due work, each piece for one process only, and returns it with a new attempt number.
pub(crate) async fn claim(db: &impl ConnectionTrait, claim: &Claim) -> Result<Vec<ClaimedRow>, DbErr> {
    let rows = match db.get_database_backend() {
        DbBackend::Sqlite => db.query_all_raw(sqlite::claim(claim)).await?,
        _ => db.query_all_raw(postgres::claim(claim)).await?,
    };
    rows.iter().map(ClaimedRow::read).collect()
}

/// A claim as any process makes it.
#[cfg(any(test, feature = "testkit"))]
pub(crate) fn sample_claim(backend: DbBackend) -> Statement {
    let takes = ["engine", "default"].map(|queue| Take { queue, party: "", room: 64, probe: false }).into();
    let workflows = vec!["stay"];
    let claim = Claim { takes, order: Order::of(0), holder: Uuid::nil(), workflows, shapes: vec![1] };
    match backend {
        DbBackend::Sqlite => sqlite::claim(&claim),
        _ => postgres::claim(&claim),
    }
}

/// Makes this transaction the only one that claims work of lanes in a queue, until its end.
pub(crate) async fn lock_lanes(tx: &impl ConnectionTrait, queue: &str) -> Result<(), DbErr> {
    if tx.get_database_backend() != DbBackend::Sqlite {
        tx.execute_raw(statement(DbBackend::Postgres, postgres::LOCK_LANES, vec![queue.into()])).await?;
    }
    Ok(())
}

/// Claims due work of lanes that have room, beginning after lane `after`. The lanes of the queue must be locked.
///
/// The claim must ask for one queue only.
pub(crate) async fn claim_lanes(
    tx: &impl ConnectionTrait,
    claim: &Claim,
    after: &str,
) -> Result<Vec<ClaimedRow>, DbErr> {
    let rows = match tx.get_database_backend() {
        DbBackend::Sqlite => tx.query_all_raw(sqlite::claim_lanes(claim, after)).await?,
        _ => tx.query_all_raw(postgres::claim_lanes(claim, after)).await?,
    };
    rows.iter().map(ClaimedRow::read).collect()
}

/// The last lane that a claim beginning after lane `after` looks at; `None` when it sees the last one of the queue.
pub(crate) async fn last_lane(tx: &impl ConnectionTrait, queue: &str, after: &str) -> Result<Option<String>, DbErr> {
    let sql = "
        with recursive l(lane, n) as (
          select (select min(w.lane) from workflow_work w where w.queue = $1 and w.lane > $2), 1
          union all
          select (select min(w.lane) from workflow_work w where w.queue = $1 and w.lane > l.lane), l.n + 1 from l
          where l.lane is not null and l.n < $3)
        select lane from l where n = $3 and lane is not null";
    let values = vec![queue.into(), after.into(), LANES_AT_ONCE.into()];
    let row = tx.query_one_raw(statement(tx.get_database_backend(), sql, values)).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

/// SQL for the lease clock in microseconds: the database's own time, which no sandbox moves.
pub(crate) const fn real_clock(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "cast(round(unixepoch('subsec') * 1000) as integer) * 1000",
        _ => "(extract(epoch from clock_timestamp()) * 1000000)::int8",
    }
}
