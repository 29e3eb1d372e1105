//! The simulation's storage held against the real ones: the same random acts are done to the rows in memory and, by the engine's own
//! statements, to a database, and after each of them both have to answer alike and hold the same rows.
//!
//! What the simulation proves of the engine it proves over [`Memory`]; here is the proof that this is what the databases do.
//!
//! Time is the one thing that differs, since a database reads its own clock. The memory's is kept half an hour behind it, whatever is
//! due is due at a full hour of the memory's clock, and instants that a statement stamped itself are checked against the database's
//! clock before and after, and then made equal in both.

mod script;
mod sql;

use super::dice::Dice;
use super::memory::{Memory, Refused};
use crate::databases::Trouble;
use crate::event::Fence;
use crate::storage::brakes::BrakeRow;
use crate::storage::schema::{LEASED, PARKED};
use crate::storage::{Ask, Batch, Claim, Loaded};
use crate::{Engine, RunId, WorkId};
use script::Script;
use sea_orm::DbErr;
use sql::Sql;
pub(super) use sql::turn;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Acts of one seed.
const ACTS: usize = 120;
/// Acts that are told of when the storages differ.
const TOLD: usize = 30;
/// How far the memory's clock is behind the database's.
const BEHIND: i64 = 1_800_000_000;

/// Something that is done to both storages.
#[derive(Debug)]
enum Act {
    /// A transaction loads and locks, and may bring back what of it is in the archive.
    Begin(u8, Ask, Archived),
    /// It writes and commits.
    Commit(u8, Box<Batch>),
    Rollback(u8),
    Claim(Claim),
    /// A claim of lanes, beginning after this one.
    ClaimLanes(Claim, String),
    PutBack(Fence, i64),
    Park(Fence),
    /// Parked without regard to who holds it.
    ParkAnyhow(WorkId),
    Defer(Fence, i64),
    Release(Fence),
    /// A panic has dropped it.
    Bury(Fence),
    SaveOutcome(Fence),
    Holds(Fence),
    /// This process is alive, or has not been heard of for an hour.
    Beat {
        process: Uuid,
        alive: bool,
    },
    Rescue,
    /// A process hands over what it has.
    LetGo(Uuid),
    /// What is in this process's name.
    Leases(Uuid),
    Retry(WorkId),
    /// Finished runs of a workflow that nobody has touched since are put away, or forgotten.
    Archive(&'static str, i64),
    Purge(&'static str, i64),
    Brake(BrakeRow),
    /// An hour passes.
    Hour,
}

impl Act {
    fn name(&self) -> &'static str {
        match self {
            Self::Begin(..) => "begin",
            Self::Commit(..) => "commit",
            Self::Rollback(_) => "roll back",
            Self::Claim(_) => "claim",
            Self::ClaimLanes(..) => "claim lanes",
            Self::PutBack(..) => "put back",
            Self::Park(_) => "park",
            Self::ParkAnyhow(_) => "park anyhow",
            Self::Defer(..) => "defer",
            Self::Release(_) => "release",
            Self::Bury(_) => "bury",
            Self::SaveOutcome(_) => "save an outcome",
            Self::Holds(_) => "ask for a lease",
            Self::Beat { .. } => "beat",
            Self::Rescue => "rescue",
            Self::LetGo(_) => "let go",
            Self::Leases(_) => "ask for leases",
            Self::Retry(_) => "retry",
            Self::Archive(..) => "archive",
            Self::Purge(..) => "purge",
            Self::Brake(_) => "brake",
            Self::Hour => "let an hour pass",
        }
    }
}

/// What a storage answers to an act.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done,
    /// It cannot have the rows while somebody else has.
    Waits,
    /// A unique key is taken.
    Unique,
    Said(bool),
    Freed(u64),
    /// Rows, each in words, in the order of their keys.
    Rows(Vec<String>),
}

/// What one seed did.
#[derive(Clone, Debug, Default)]
pub struct Conformed {
    /// How often each kind of act was done.
    pub acts: BTreeMap<&'static str, u32>,
    /// How often each kind of answer was given that tells something: rows claimed, refusals, waits.
    pub answers: BTreeMap<&'static str, u32>,
}

impl Conformed {
    fn note(&mut self, act: &Act, answer: &Answer) {
        *self.acts.entry(act.name()).or_default() += 1;
        let said = match (act, answer) {
            (_, Answer::Waits) => "has to wait",
            (_, Answer::Unique) => "a key is taken",
            (Act::Claim(_), Answer::Rows(rows)) if !rows.is_empty() => "work is claimed",
            (Act::ClaimLanes(..), Answer::Rows(rows)) if rows.len() > 1 => "work of lanes is claimed",
            (Act::Rescue, Answer::Freed(1..)) => "work is rescued",
            (Act::LetGo(_), Answer::Freed(1..)) => "work is handed over",
            (Act::Begin(..), Answer::Rows(rows)) if rows.iter().any(|row| row == RESTORED) => "a run is brought back",
            (Act::Archive(..), Answer::Rows(rows)) if !rows.is_empty() => "runs are put away",
            (Act::Purge(..), Answer::Freed(1..)) => "runs are forgotten",
            (Act::Retry(_), Answer::Said(true)) => "parked work is retried",
            (Act::Holds(_), Answer::Said(true)) => "a lease stands",
            (Act::PutBack(..) | Act::Park(_) | Act::Release(_), Answer::Said(false)) => "who is late changes nothing",
            (Act::PutBack(..) | Act::Park(_) | Act::Release(_), Answer::Said(true)) => "who is in time is heard",
            _ => return,
        };
        *self.answers.entry(said).or_default() += 1;
    }
}

/// Plays one seed on the memory and on the engine's database, which nobody else uses meanwhile.
///
/// # Errors
/// Where they differ, in words, with what was done before; or when the database fails.
pub async fn conform(engine: &Engine, seed: u64) -> Result<Conformed, String> {
    let mut play = Play::new(engine, seed).await.map_err(|error| error.to_string())?;
    let played = play.through().await;
    play.sql.clear().await.map_err(|error| error.to_string())?;
    let lately = play.story.len().saturating_sub(TOLD);
    played.map_err(|why| format!("seed {seed}: {why}\nlately:\n{}", play.story[lately..].join("\n")))
}

struct Play<'a> {
    memory: Memory,
    sql: Sql<'a>,
    script: Script,
    /// The memory's clock.
    now: i64,
    open: BTreeMap<u8, (u64, Loaded)>,
    story: Vec<String>,
}

impl<'a> Play<'a> {
    async fn new(engine: &'a Engine, seed: u64) -> Result<Self, DbErr> {
        let sql = Sql::new(engine);
        let now = sql.clocks().await?.0 - BEHIND;
        let script = Script::new(Dice::new(seed), seed, now, sql.locks_rows());
        Ok(Self { memory: Memory::default(), sql, script, now, open: BTreeMap::new(), story: vec![] })
    }

    async fn through(&mut self) -> Result<Conformed, String> {
        let mut seen = Conformed::default();
        for _ in 0..ACTS {
            self.now += 1_000;
            let act = self.script.next(&self.memory, &self.open, self.now);
            self.story.push(format!("{act:?}"));
            let before = self.sql.clocks().await.map_err(|error| error.to_string())?;
            let theirs = self.sql.act(&act, self.now).await.map_err(|error| format!("{}: {error}", act.name()))?;
            let writes = matches!(act, Act::Commit(..) | Act::Archive(..) | Act::Purge(..));
            let name = act.name();
            let ours = self.act(&act);
            if ours != theirs {
                return Err(format!("to {name}, the memory answers\n  {ours:#?}\nand the database\n  {theirs:#?}"));
            }
            seen.note(&act, &ours);
            self.same_work(before).await.map_err(|why| format!("after {name}, {why}"))?;
            if writes && !self.memory.is_restoring() {
                self.same_history().await.map_err(|why| format!("after {name}, {why}"))?;
            }
        }
        Ok(seen)
    }

    fn act(&mut self, act: &Act) -> Answer {
        let (memory, now) = (&mut self.memory, self.now);
        match act {
            Act::Begin(name, ask, archived) => {
                let Some((tx, mut loaded)) = memory.begin(ask, now, &mut None) else { return Answer::Waits };
                let restored = archived.brought_back(&loaded);
                if !restored.is_empty() {
                    loaded = memory.restore(tx, &restored, ask, now);
                }
                let rows = in_words(&loaded, &restored);
                self.open.insert(*name, (tx, loaded));
                Answer::Rows(rows)
            }
            Act::Commit(name, batch) => {
                let Some((tx, _)) = self.open.remove(name) else { return Answer::Waits };
                match memory.commit(tx, again(batch), None, &[]) {
                    Ok(()) => Answer::Done,
                    Err(Refused::Unique) => Answer::Unique,
                    Err(Refused::Gone | Refused::Taken(_) | Refused::Outdated) => Answer::Waits,
                }
            }
            Act::Rollback(name) => {
                if let Some((tx, _)) = self.open.remove(name) {
                    memory.rollback(tx);
                }
                Answer::Done
            }
            Act::Claim(claim) => {
                let chosen = memory.choose(claim, now);
                Answer::Rows(sql::claimed(memory.take(&chosen, claim.holder, now)))
            }
            Act::ClaimLanes(claim, after) => {
                let last = memory.last_lane(claim.takes[0].queue, after);
                let chosen = memory.choose_in_lanes(claim, after, now);
                let mut rows = sql::claimed(memory.take(&chosen, claim.holder, now));
                rows.push(format!("{last:?}"));
                Answer::Rows(rows)
            }
            Act::PutBack(fence, at) => {
                let fault = sql::fault();
                Answer::Said(memory.give_back(*fence, *at, (fault.class(), &fault.to_string())))
            }
            Act::Park(fence) => Answer::Said(memory.give_back(*fence, PARKED, ("spent", sql::WHY))),
            Act::ParkAnyhow(work) => Answer::Said(memory.park(*work, ("poison", sql::WHY))),
            Act::Defer(fence, at) => Answer::Said(memory.defer(*fence, *at)),
            Act::Release(fence) => Answer::Said(memory.free(*fence, now)),
            Act::Bury(fence) => Answer::Said(memory.bury(*fence, now)),
            Act::SaveOutcome(fence) => Answer::Said(memory.save_outcome(*fence, sql::OUTCOME)),
            Act::Holds(fence) => Answer::Said(memory.leased(*fence)),
            Act::Beat { process, alive } => {
                // The lease clock does not move with the business clock.
                memory.beat(*process, if *alive { i64::MAX } else { 0 });
                Answer::Done
            }
            Act::Rescue => Answer::Freed(memory.rescue(now, BEHIND).len() as u64),
            Act::LetGo(process) => Answer::Freed(memory.let_go(*process, now) as u64),
            Act::Leases(process) => {
                let mine = memory.leases().filter(|(holder, _)| holder == process);
                let mut rows: Vec<String> = mine.map(|(_, fence)| format!("{fence:?}")).collect();
                rows.sort();
                Answer::Rows(rows)
            }
            Act::Retry(work) => Answer::Said(memory.retry(*work, now)),
            Act::Archive(workflow, since) => {
                let tx = memory.begin_archive(workflow, *since, now);
                let runs = tx.and_then(|tx| memory.put_away(tx)).unwrap_or_default();
                Answer::Rows(sorted(runs.into_iter().map(|run| run.to_string())))
            }
            Act::Purge(workflow, since) => Answer::Freed(memory.purge(workflow, *since).len() as u64),
            Act::Brake(row) => {
                memory.brakes.insert(row.target.clone(), row.clone());
                Answer::Rows(sorted(memory.brakes.values().map(|row| format!("{row:?}"))))
            }
            Act::Hour => {
                self.now += script::HOUR;
                Answer::Done
            }
        }
    }

    /// Both have the same work; what a statement stamped with its own clock is first checked, and then made the same.
    async fn same_work(&mut self, before: (i64, i64)) -> Result<(), String> {
        let rows = self.sql.work().await.map_err(|error| error.to_string())?;
        let after = self.sql.clocks().await.map_err(|error| error.to_string())?;
        let theirs: BTreeMap<WorkId, &sql::Row> = rows.iter().map(|row| (row.work, row)).collect();
        let ours: BTreeSet<WorkId> = self.memory.work.keys().copied().collect();
        if !ours.iter().eq(theirs.keys()) {
            return Err(format!("the memory has\n  {ours:#?}\nand the database\n  {:#?}", theirs.keys()));
        }
        let mut stamped = self.now;
        for (work, theirs) in theirs {
            let ours = &self.memory.work[&work];
            let words = sql::in_words(ours);
            if words != theirs.words {
                return Err(format!("the memory has\n  {words}\nand the database\n  {}", theirs.words));
            }
            let special = |at: i64| at == LEASED || at == PARKED;
            if ours.not_before != theirs.not_before {
                let spread = 1_000_000 * i64::from((ours.deaths - 1).clamp(0, 20));
                let fits = (before.0..=after.0 + spread).contains(&theirs.not_before);
                if special(ours.not_before) || ours.not_before != self.now || !fits {
                    return Err(format!("{work} is due at {} and {}", ours.not_before, theirs.not_before));
                }
                // What one statement gave back at one instant has no order; from here on it has the same in both.
                stamped += 1;
                self.memory.stand(work, stamped);
                self.sql.stamp(work, "not_before", stamped).await.map_err(|error| error.to_string())?;
            }
            let ours = &self.memory.work[&work];
            if ours.first_claimed_at != theirs.first_claimed_at {
                let fits = theirs.first_claimed_at.is_some_and(|at| (before.1..=after.1).contains(&at));
                if ours.first_claimed_at != Some(self.now) || !fits {
                    return Err(format!(
                        "{work} was first claimed at {:?} and {:?}",
                        ours.first_claimed_at, theirs.first_claimed_at
                    ));
                }
                self.sql.stamp(work, "first_claimed_at", self.now).await.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// Both have the same runs, journals and facts.
    async fn same_history(&self) -> Result<(), String> {
        let memory = &self.memory;
        let mut ours: Vec<String> = memory.runs.values().map(|row| format!("{row:?}")).collect();
        ours.extend(memory.journal.values().flatten().map(sql::turn));
        ours.extend(memory.facts.iter().map(|fact| format!("{fact:?}")));
        ours.extend(memory.archive_in_words());
        // Facts stay when their run is forgotten.
        let ever = memory.touched.keys().copied();
        let mut theirs = self.sql.history(ever).await.map_err(|error| error.to_string())?;
        ours.sort();
        theirs.sort();
        let first = ours.iter().zip(&theirs).find(|(one, other)| one != other);
        match first {
            Some((one, other)) => Err(format!("the memory has\n  {one}\nand the database\n  {other}")),
            None if ours.len() == theirs.len() => Ok(()),
            None => Err(format!("the memory has {} rows and the database {}", ours.len(), theirs.len())),
        }
    }
}

/// What a beginning says of itself when it has brought runs back.
const RESTORED: &str = "brought back";

/// What becomes of loaded runs that are in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Archived {
    /// A late fact calls for them.
    Return,
    /// Somebody only wanted to start them.
    Stay,
}

impl Archived {
    fn brought_back(self, loaded: &Loaded) -> Vec<RunId> {
        let archived = loaded.runs.values().filter(|row| self == Self::Return && row.is_archived());
        let mut runs: Vec<RunId> = archived.map(|row| row.id).collect();
        runs.sort_unstable();
        runs
    }
}

fn sorted(rows: impl Iterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    rows
}

/// What was loaded, but for the clocks.
fn in_words(loaded: &Loaded, restored: &[RunId]) -> Vec<String> {
    let Loaded { now: _, real: _, brakes: _, runs, timers, fences, seen, quiet: _ } = loaded;
    let mut rows: Vec<String> = runs.values().map(|row| format!("{row:?}")).collect();
    rows.extend(timers.values().flatten().map(|timer| format!("{timer:?}")));
    rows.extend(fences.iter().map(|fence| format!("{fence:?}")));
    rows.extend(seen.iter().map(|key| format!("{key:?}")));
    rows.extend(restored.iter().map(|_| RESTORED.to_owned()));
    rows.sort();
    rows
}

/// The same batch once more: it is written to two storages.
fn again(batch: &Batch) -> Batch {
    let Batch { now, real, holder, born, moved, journal, done, left, ended, replaced, withdrawn, queued, facts } =
        batch;
    let queued = queued
        .iter()
        .map(|q| crate::storage::Queued { work: q.work.clone(), leased: q.leased, quiet_until: q.quiet_until })
        .collect();
    Batch {
        now: *now,
        real: *real,
        holder: *holder,
        born: born.clone(),
        moved: moved.clone(),
        journal: journal.clone(),
        done: done.clone(),
        left: left.clone(),
        ended: ended.clone(),
        replaced: replaced.clone(),
        withdrawn: withdrawn.clone(),
        queued,
        facts: facts.clone(),
    }
}

/// How a refused transaction answers.
fn refused(trouble: Trouble, error: DbErr) -> Result<Answer, DbErr> {
    match trouble {
        Trouble::Unique => Ok(Answer::Unique),
        Trouble::Passing => Ok(Answer::Waits),
        Trouble::Statement => Err(error),
    }
}

/// A run of a seed: no two seeds share one, for the facts of a database are kept for ever.
fn run(seed: u64, n: u64) -> RunId {
    RunId::from_uuid(Uuid::from_u128((u128::from(seed) << 64) | u128::from(n) | 1 << 120))
}
