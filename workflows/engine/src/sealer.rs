//! The sealer: stamps committed facts with a gap-free position and chains their hashes, outside every business transaction.
//!
//! Everything that follows the event log (feeds, the search index, proofs) reads by position, so nothing is skipped however commits
//! interleave: a fact gets its position only once it is visible. One process seals at a time.

use crate::engine::Engine;
use crate::link::Link;
use crate::storage::{instant, statement};
use crate::{Posted, RunId, Timestamp, detached, faults};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Facts sealed in one transaction.
const BATCH: usize = 500;
/// The name of the sealer's lock among our advisory locks.
pub(crate) const LOCK: i64 = 0x1bbe_5ea1;

/// Stamps facts, on PostgreSQL and on SQLite.
const SEAL: [&str; 2] = [
    "update event_log e set position = s.position, hash = decode(s.hash, 'hex')
     from (select unnest($1) as run, unnest($2) as seq, unnest($3) as n, unnest($4) as position, unnest($5) as hash) s
     where e.run = s.run and e.seq = s.seq and e.n = s.n",
    "update event_log set position = v ->> 3, hash = unhex(v ->> 4)
     from (select value as v from json_each($1)) where run = unhex(v ->> 0) and seq = v ->> 1 and n = v ->> 2",
];

/// A fact with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its position: 1, 2, 3, … without gaps.
    pub position: i64,
    /// The fact.
    pub fact: Posted,
    /// The hash over the one before it and itself.
    pub hash: Vec<u8>,
}

impl Engine {
    /// Seals what has been committed since the last time; `None` when another process is at it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seal(&self) -> Result<Option<usize>, DbErr> {
        let db = self.core.db.write.clone();
        let sealed = detached(async move {
            let tx = db.begin().await?;
            if !lead(&tx).await? {
                return Ok::<_, DbErr>(None);
            }
            faults::point("before_stamp");
            let count = stamp(&tx).await?;
            faults::point("after_stamp");
            tx.commit().await?;
            faults::point("after_seal");
            Ok(Some(count))
        })
        .await?;
        if let Some(count) = sealed.filter(|count| *count > 0) {
            self.core.observer.sealed(count as u64);
        }
        Ok(sealed)
    }

    /// The sealed facts after a position, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed_after(&self, position: i64, most: u64) -> Result<Vec<Sealed>, DbErr> {
        let db = &self.core.db.read;
        let sql = "select run, seq, n, kind, body, at, position, hash from event_log where position > $1 order by position limit $2";
        let values = vec![position.into(), i64::try_from(most).unwrap_or(i64::MAX).into()];
        let rows = db.query_all_raw(statement(db.get_database_backend(), sql, values)).await?;
        rows.iter()
            .map(|row| {
                Ok(Sealed { position: row.try_get_by_index(6)?, hash: row.try_get_by_index(7)?, fact: fact(row)? })
            })
            .collect()
    }

    /// Walks the whole chain; the first position whose hash is wrong or missing, if any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_broken_seal(&self) -> Result<Option<i64>, DbErr> {
        let (mut position, mut head) = (0, Vec::new());
        loop {
            let sealed = self.sealed_after(position, 1000).await?;
            if sealed.is_empty() {
                return Ok(None);
            }
            for one in sealed {
                position += 1;
                head = hash(&head, position, &one.fact);
                if one.position != position || one.hash != head {
                    return Ok(Some(position));
                }
            }
        }
    }
}

/// Makes this transaction the leader on PostgreSQL, and has it walk through the index of what is unsealed.
///
/// For the few rows that it expects there the planner would take a bitmap. That one looks up whatever was ever sealed since the last
/// vacuum, each time, and marks none of it as dead: 2.8 ms for 80 facts once 30,000 were sealed.
pub(crate) const LEAD: &str = "select pg_try_advisory_xact_lock($1), set_config('enable_bitmapscan', 'off', true)";

/// On PostgreSQL the leader holds an advisory lock until its commit; on SQLite there is one writer anyway.
async fn lead(tx: &Link<DatabaseTransaction>) -> Result<bool, DbErr> {
    if tx.get_database_backend() == DbBackend::Sqlite {
        return Ok(true);
    }
    let row = tx.query_one_raw(statement(DbBackend::Postgres, LEAD, vec![LOCK.into()])).await?;
    row.map_or(Ok(false), |r| r.try_get_by_index(0))
}

async fn stamp(tx: &Link<DatabaseTransaction>) -> Result<usize, DbErr> {
    let backend = tx.get_database_backend();
    let last = "select position, hash from event_log where position is not null order by position desc limit 1";
    let (mut position, mut head) = match tx.query_one_raw(statement(backend, last, vec![])).await? {
        Some(row) => (row.try_get_by_index::<i64>(0)?, row.try_get_by_index::<Vec<u8>>(1)?),
        None => (0, vec![]),
    };
    let rows = tx.query_all_raw(statement(backend, &unsealed(), vec![])).await?;
    let facts = in_order(rows.iter().map(fact).collect::<Result<_, _>>()?);
    let mut seals = Vec::with_capacity(facts.len());
    for fact in &facts {
        position += 1;
        head = hash(&head, position, fact);
        seals.push((position, head.clone()));
    }
    if !facts.is_empty() {
        tx.execute_raw(sealing(backend, &facts, seals)).await?;
    }
    Ok(facts.len())
}

/// Facts that come by run, in the order in which they are sealed: by their instants between runs, and within a run by its turns, whatever
/// the clock said.
fn in_order(facts: Vec<Posted>) -> Vec<Posted> {
    let mut before: Option<(RunId, Timestamp)> = None;
    let place = |fact: Posted| {
        let no_earlier = before.filter(|(run, _)| *run == fact.run).map_or(fact.at, |(_, at)| at.max(fact.at));
        before = Some((fact.run, no_earlier));
        ((no_earlier, fact.run, fact.seq, fact.n), fact)
    };
    let mut placed: Vec<_> = facts.into_iter().map(place).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, fact)| fact).collect()
}

/// SQL for what the sealer takes next, in the order of its index.
pub(crate) fn unsealed() -> String {
    format!(
        "select run, seq, n, kind, body, at from event_log where position is null order by run, seq, n limit {BATCH}"
    )
}

/// One statement for all of them, each found by its key.
fn sealing(backend: DbBackend, facts: &[Posted], seals: Vec<(i64, Vec<u8>)>) -> Statement {
    if backend == DbBackend::Sqlite {
        let row = |(fact, (position, hash)): (&Posted, &(i64, Vec<u8>))| {
            json!([fact.run.uuid().simple().to_string(), fact.seq, fact.n, position, hex::encode(hash)])
        };
        let rows: Vec<_> = facts.iter().zip(&seals).map(row).collect();
        return statement(backend, SEAL[1], vec![serde_json::Value::from(rows).to_string().into()]);
    }
    let (positions, hashes): (Vec<i64>, Vec<String>) =
        seals.into_iter().map(|(position, hash)| (position, hex::encode(&hash))).unzip();
    let values = vec![
        facts.iter().map(|fact| fact.run.uuid()).collect::<Vec<_>>().into(),
        facts.iter().map(|fact| fact.seq).collect::<Vec<_>>().into(),
        facts.iter().map(|fact| fact.n).collect::<Vec<_>>().into(),
        positions.into(),
        hashes.into(),
    ];
    statement(backend, SEAL[0], values)
}

fn fact(row: &QueryResult) -> Result<Posted, DbErr> {
    Ok(Posted {
        run: RunId::from_uuid(row.try_get_by_index(0)?),
        seq: row.try_get_by_index(1)?,
        n: row.try_get_by_index(2)?,
        kind: row.try_get_by_index(3)?,
        body: row.try_get_by_index(4)?,
        at: instant(row.try_get_by_index(5)?),
    })
}

fn hash(head: &[u8], position: i64, fact: &Posted) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(head);
    field(&position.to_be_bytes());
    field(fact.run.uuid().as_bytes());
    field(&fact.seq.to_be_bytes());
    field(&fact.n.to_be_bytes());
    field(fact.kind.as_bytes());
    field(fact.body.as_bytes());
    field(&fact.at.timestamp_micros().to_be_bytes());
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn fact(run: u128, seq: i32, second: i64) -> Posted {
        let run = RunId::from_uuid(Uuid::from_u128(run));
        Posted { run, seq, n: 0, at: instant(second * 1_000_000), kind: "k".to_owned(), body: String::new() }
    }

    #[test]
    fn facts_are_sealed_by_their_instants_and_those_of_a_run_by_its_turns() {
        // The clock went back between the second run's first two turns.
        let came = vec![fact(1, 0, 20), fact(1, 1, 40), fact(2, 0, 30), fact(2, 1, 10), fact(2, 2, 50)];
        let sealed = in_order(came.clone());
        assert_eq!(sealed, [0, 2, 3, 1, 4].map(|nth: usize| came[nth].clone()));
    }
}
