//! The acts on a database, by the engine's own statements, and its rows in the words of the memory's.

use super::{Act, Answer, Archived, refused, sorted};
use crate::archive;
use crate::databases::trouble;
use crate::event::Fence;
use crate::link::Link;
use crate::storage::schema::LEASED;
use crate::storage::{self, Claim, ClaimedRow, brakes, instant, lease, single, statement, work_id};
use crate::testkit::sim::memory::WorkRow;
use crate::turn::JournalRow;
use crate::tx::clocks;
use crate::{Engine, Fault, Lane, OPERATORS_ACT, Origin, Posted, RunId, Timestamp, WorkId};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Value};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(super) const WHY: &str = "it's down, he \"said\"";
pub(super) const OUTCOME: &str = "\"Done\"";

pub(super) struct Sql<'a> {
    engine: &'a Engine,
    open: BTreeMap<u8, Link<DatabaseTransaction>>,
}

/// A row of work as it stands.
pub(super) struct Row {
    pub(super) work: WorkId,
    pub(super) not_before: i64,
    pub(super) first_claimed_at: Option<i64>,
    /// Everything else.
    pub(super) words: String,
}

pub(super) fn fault() -> Fault {
    Fault::transient(WHY)
}

impl<'a> Sql<'a> {
    pub(super) fn new(engine: &'a Engine) -> Self {
        Self { engine, open: BTreeMap::new() }
    }

    fn db(&self) -> &'a Link {
        &self.engine.core.db.write
    }

    /// Whether a transaction holds rows, and not everything.
    pub(super) fn locks_rows(&self) -> bool {
        self.db().get_database_backend() != DbBackend::Sqlite
    }

    /// The business clock and the lease clock.
    pub(super) async fn clocks(&self) -> Result<(i64, i64), DbErr> {
        // Beside an open transaction SQLite lets nobody write, but read.
        let (now, real) = clocks(&self.engine.core.db.read).await?;
        Ok((now.timestamp_micros(), real))
    }

    pub(super) async fn act(&mut self, act: &Act, now: i64) -> Result<Answer, DbErr> {
        let db = self.db();
        let said = |rows: u64| Answer::Said(rows == 1);
        Ok(match act {
            Act::Begin(name, ask, archived) => return self.begin(*name, ask, *archived).await,
            Act::Commit(name, batch) => return self.commit(*name, batch).await,
            Act::Rollback(name) => {
                if let Some(tx) = self.open.remove(name) {
                    tx.rollback().await?;
                }
                Answer::Done
            }
            Act::Claim(claim) => Answer::Rows(claimed(storage::claim(db, claim).await?)),
            Act::ClaimLanes(claim, after) => self.claim_lanes(claim, after).await?,
            Act::PutBack(fence, at) => said(lease::put_back(db, *fence, instant(*at), &fault()).await?),
            Act::Park(fence) => said(lease::park_fenced(db, *fence, "spent", WHY).await?),
            Act::ParkAnyhow(work) => said(lease::park(db, *work, "poison", WHY).await?),
            Act::Defer(fence, at) => said(lease::defer(db, *fence, instant(*at)).await?),
            Act::Release(fence) => said(lease::release(db, *fence).await?),
            Act::Bury(fence) => said(lease::bury(db, *fence).await?),
            Act::SaveOutcome(fence) => said(lease::save_outcome(db, *fence, OUTCOME).await?),
            Act::Holds(fence) => Answer::Said(lease::holds(db, *fence).await?),
            Act::Beat { process, alive } => self.beat(*process, *alive).await?,
            Act::Rescue => Answer::Freed(self.engine.rescue().await?),
            Act::LetGo(process) => Answer::Freed(self.engine.hand_over(*process).await?),
            Act::Leases(process) => self.leases(*process).await?,
            Act::Retry(work) => Answer::Said(self.engine.retry(*work, Origin::default()).await?),
            Act::Brake(row) => {
                let tx = db.begin().await?;
                brakes::lock(&tx, &row.target).await?;
                brakes::keep(&tx, row).await?;
                tx.commit().await?;
                let rows = brakes::read(db).await?.rows;
                Answer::Rows(sorted(rows.iter().map(|row| format!("{row:?}"))))
            }
            Act::Archive(workflow, since) => {
                let runs = archive::archive_batch(db, workflow, i64::MIN, instant(*since), 0).await?.runs;
                Answer::Rows(sorted(runs.into_iter().map(|run| RunId::from_uuid(run).to_string())))
            }
            Act::Purge(workflow, since) => {
                Answer::Freed(archive::purge_batch(db, workflow, instant(*since), 0).await? as u64)
            }
            Act::Hour => {
                let _ = now;
                let sql = "update business_clock set offset_us = offset_us + $1";
                single::execute(db, sql, vec![super::script::HOUR.into()]).await?;
                Answer::Done
            }
        })
    }

    async fn begin(&mut self, name: u8, ask: &storage::Ask, archived: Archived) -> Result<Answer, DbErr> {
        let tx = self.db().begin().await?;
        if self.locks_rows() {
            tx.execute_unprepared("set local lock_timeout = '40ms'").await?;
        }
        match storage::load(&tx, ask).await {
            Ok(mut loaded) => {
                let restored = archived.brought_back(&loaded);
                if !restored.is_empty() {
                    archive::restore(&tx, &restored).await?;
                    loaded = storage::load(&tx, ask).await?;
                }
                self.open.insert(name, tx);
                Ok(Answer::Rows(super::in_words(&loaded, &restored)))
            }
            Err(error) => {
                tx.rollback().await?;
                refused(trouble(&error), error)
            }
        }
    }

    async fn commit(&mut self, name: u8, batch: &storage::Batch) -> Result<Answer, DbErr> {
        let Some(tx) = self.open.remove(&name) else { return Ok(Answer::Waits) };
        match storage::write(&tx, batch).await {
            Ok(()) => tx.commit().await.map(|()| Answer::Done),
            Err(error) => {
                tx.rollback().await?;
                refused(trouble(&error), error)
            }
        }
    }

    async fn claim_lanes(&self, claim: &Claim, after: &str) -> Result<Answer, DbErr> {
        let tx = self.db().begin().await?;
        let queue = claim.takes[0].queue;
        storage::lock_lanes(&tx, queue).await?;
        let last = storage::last_lane(&tx, queue, after).await?;
        let mut rows = claimed(storage::claim_lanes(&tx, claim, after).await?);
        tx.commit().await?;
        rows.push(format!("{last:?}"));
        Ok(Answer::Rows(rows))
    }

    /// A heartbeat of another process, an hour ahead or behind: no slow machine makes it too old.
    async fn beat(&self, process: Uuid, alive: bool) -> Result<Answer, DbErr> {
        let (_, real) = self.clocks().await?;
        let at = if alive { real + super::script::HOUR } else { real - super::script::HOUR };
        let sql = "insert into workflow_process (id, role, started_at, beat_at) values ($1, 'play', $2, $2)
          on conflict (id) do update set beat_at = excluded.beat_at";
        single::execute(self.db(), sql, vec![process.into(), at.into()]).await?;
        Ok(Answer::Done)
    }

    async fn leases(&self, process: Uuid) -> Result<Answer, DbErr> {
        let sql = "select run, seq, n, attempt from workflow_work where not_before = $1 and holder = $2";
        let mut rows = vec![];
        for row in single::query(self.db(), sql, vec![LEASED.into(), process.into()]).await? {
            rows.push(format!("{:?}", Fence { work: work_id(&row, 0)?, attempt: row.try_get_by_index(3)? }));
        }
        rows.sort();
        Ok(Answer::Rows(rows))
    }

    /// Writes an instant that the database took from its own clock anew.
    pub(super) async fn stamp(&self, work: WorkId, column: &str, at: i64) -> Result<(), DbErr> {
        let sql = format!("update workflow_work set {column} = $4 where run = $1 and seq = $2 and n = $3");
        let mut values = single::named(work);
        values.push(at.into());
        single::execute(self.db(), &sql, values).await.map(drop)
    }

    pub(super) async fn work(&self) -> Result<Vec<Row>, DbErr> {
        let sql = "select run, seq, n, not_before, first_claimed_at, cast(kind as integer), cast(scope as integer), workflow, queue,
          cast(priority as integer), lane, most, name, payload, request, due, trace, attempt, failures, holder, outcome, error_class,
          last_error, deaths from workflow_work";
        let mut rows = vec![];
        for row in single::query(&self.engine.core.db.read, sql, vec![]).await? {
            let lane: Option<String> = row.try_get_by_index(10)?;
            let most: Option<i32> = row.try_get_by_index(11)?;
            let words = Words {
                work: work_id(&row, 0)?,
                kind: row.try_get_by_index(5)?,
                scope: row.try_get_by_index(6)?,
                workflow: &row.try_get_by_index::<String>(7)?,
                queue: &row.try_get_by_index::<String>(8)?,
                priority: row.try_get_by_index(9)?,
                lane: lane.zip(most).map(|(key, most)| Lane { key, most }),
                name: &row.try_get_by_index::<String>(12)?,
                payload: &row.try_get_by_index::<String>(13)?,
                request: row.try_get_by_index(14)?,
                due: instant(row.try_get_by_index(15)?),
                trace: row.try_get_by_index(16)?,
                attempt: row.try_get_by_index(17)?,
                failures: row.try_get_by_index(18)?,
                holder: row.try_get_by_index(19)?,
                outcome: row.try_get_by_index(20)?,
                error_class: row.try_get_by_index(21)?,
                last_error: row.try_get_by_index(22)?,
                deaths: row.try_get_by_index(23)?,
            };
            let words = format!("{words:?}");
            let (not_before, first_claimed_at) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
            rows.push(Row { work: work_id(&row, 0)?, not_before, first_claimed_at, words });
        }
        Ok(rows)
    }

    /// The runs and the turns, here and in the archive, and the facts of these runs, as the memory has them.
    pub(super) async fn history(&self, runs: impl Iterator<Item = RunId>) -> Result<Vec<String>, DbErr> {
        let mut rows = vec![];
        let sql = "select 1, id, seq, cast(status as integer), workflow, key, input, state, state_name, cast(shape as bigint),
          cast(unexpected as bigint), head, parent, created_at from workflow_run";
        for row in single::query(&self.engine.core.db.read, sql, vec![]).await? {
            rows.push(format!("{:?}", storage::loaded::run_row(&row)?));
        }
        rows.extend(self.turns("workflow_journal").await?);
        rows.extend(self.archived().await?);
        rows.extend(self.facts(&runs.collect()).await?);
        Ok(rows)
    }

    async fn archived(&self) -> Result<Vec<String>, DbErr> {
        let turns = self.turns("workflow_journal_archive").await?;
        let mut rows: Vec<String> = turns.into_iter().map(|turn| format!("archived {turn}")).collect();
        let sql = "select run, workflow, input, state, finished_at from workflow_archive";
        for row in single::query(&self.engine.core.db.read, sql, vec![]).await? {
            let run = RunId::from_uuid(row.try_get_by_index(0)?);
            let [workflow, input, state]: [String; 3] =
                [row.try_get_by_index(1)?, row.try_get_by_index(2)?, row.try_get_by_index(3)?];
            let finished_at: i64 = row.try_get_by_index(4)?;
            rows.push(format!("archived {run} {workflow} {input} {state} {finished_at}"));
        }
        Ok(rows)
    }

    async fn turns(&self, table: &str) -> Result<Vec<String>, DbErr> {
        let mut rows = vec![];
        let sql = format!(
            "select run, key, seq, at, cast(verdict as integer), event, from_state, to_state, note, cast(shape as integer), attempts,
             last_error, actor, on_behalf_of, request_id, trace, state_digest, hash from {table}"
        );
        for row in single::query(&self.engine.core.db.read, &sql, vec![]).await? {
            let shape: i32 = row.try_get_by_index(9)?;
            let mark: i32 = row.try_get_by_index(4)?;
            let at: i64 = row.try_get_by_index(3)?;
            let words: [Option<String>; 6] = [8, 11, 12, 13, 14, 15].map(|at| row.try_get_by_index(at).ok().flatten());
            let hashes: [Vec<u8>; 2] = [row.try_get_by_index(16)?, row.try_get_by_index(17)?];
            let names: [String; 4] = [
                row.try_get_by_index(1)?,
                row.try_get_by_index(5)?,
                row.try_get_by_index(6)?,
                row.try_get_by_index(7)?,
            ];
            let numbers: [i64; 5] = [
                row.try_get_by_index::<i32>(2)?.into(),
                at,
                mark.into(),
                shape.into(),
                row.try_get_by_index::<i32>(10)?.into(),
            ];
            let run = RunId::from_uuid(row.try_get_by_index(0)?);
            rows.push(format!("{run} {numbers:?} {names:?} {words:?} {hashes:?}"));
        }
        Ok(rows)
    }

    async fn facts(&self, runs: &BTreeSet<RunId>) -> Result<Vec<String>, DbErr> {
        let mut rows = vec![];
        let sql = "select run, seq, n, kind, body, at from event_log where kind <> $1";
        for row in single::query(&self.engine.core.db.read, sql, vec![OPERATORS_ACT.into()]).await? {
            let WorkId { run, seq, n } = work_id(&row, 0)?;
            if runs.contains(&run) {
                let at = instant(row.try_get_by_index(5)?);
                let fact = Posted { run, seq, n, kind: row.try_get_by_index(3)?, body: row.try_get_by_index(4)?, at };
                rows.push(format!("{fact:?}"));
            }
        }
        Ok(rows)
    }

    /// Leaves nothing behind but facts, which are for ever.
    pub(super) async fn clear(&mut self) -> Result<(), DbErr> {
        for (_, tx) in std::mem::take(&mut self.open) {
            tx.rollback().await?;
        }
        let db = self.db();
        for table in [
            "workflow_work",
            "workflow_journal",
            "workflow_run",
            "workflow_archive",
            "workflow_journal_archive",
            "workflow_process",
            "workflow_brake",
        ] {
            db.execute_unprepared(&format!("delete from {table}")).await?;
        }
        let none: Vec<Value> = vec![];
        db.execute_raw(statement(db.get_database_backend(), "update business_clock set offset_us = 0", none)).await?;
        Ok(())
    }
}

/// A turn in words, column by column.
pub(in crate::testkit::sim) fn turn(row: &JournalRow) -> String {
    let JournalRow { run, key, seq, at, mark, event, from, to, note, shape, attempts, last_error, origin, .. } = row;
    let Origin { actor, on_behalf_of, request_id, trace } = origin;
    let words = [note, last_error, actor, on_behalf_of, request_id, trace];
    let names = [key, event, from, to];
    let numbers = [i64::from(*seq), at.timestamp_micros(), *mark as i64, i64::from(*shape), i64::from(*attempts)];
    format!("{run} {numbers:?} {names:?} {words:?} {:?}", [&row.state_digest, &row.hash])
}

/// What was claimed, but for the clocks.
pub(super) fn claimed(rows: Vec<ClaimedRow>) -> Vec<String> {
    let timeless = |row| ClaimedRow { now: Timestamp::MIN_UTC, real: 0, first_claimed_at: 0, ..row };
    let mut rows: Vec<String> = rows.into_iter().map(|row| format!("{:?}", timeless(row))).collect();
    rows.sort();
    rows
}

#[derive(Debug)]
#[expect(dead_code, reason = "read by being written out")]
struct Words<'a> {
    work: WorkId,
    kind: i32,
    scope: i32,
    workflow: &'a str,
    queue: &'a str,
    priority: i32,
    lane: Option<Lane>,
    name: &'a str,
    payload: &'a str,
    request: Option<String>,
    due: Timestamp,
    trace: Option<String>,
    attempt: i32,
    failures: i32,
    holder: Option<Uuid>,
    outcome: Option<String>,
    error_class: Option<String>,
    last_error: Option<String>,
    deaths: i32,
}

pub(super) fn in_words(row: &WorkRow) -> String {
    let new = &row.new;
    let words = Words {
        work: new.work,
        kind: new.kind.into(),
        scope: if new.scope == crate::Scope::State { 0 } else { 1 },
        workflow: &new.workflow,
        queue: new.queue,
        priority: new.priority.class().into(),
        lane: new.lane.clone(),
        name: &new.name,
        payload: &new.payload,
        request: new.request.clone(),
        due: new.due,
        trace: new.trace.clone(),
        attempt: row.attempt,
        failures: row.failures,
        holder: row.holder,
        outcome: row.outcome.clone(),
        error_class: row.error_class.clone(),
        last_error: row.last_error.clone(),
        deaths: row.deaths,
    };
    format!("{words:?}")
}
