//! Brakes: what holds work back although it is due. People pause a queue, a workflow or an outside party; a party that answers with
//! a fault of our configuration pauses itself; one that fails again and again has its circuit opened; one may have a rate; and a queue may
//! be limited to so many leases in all processes together.
//!
//! Everything is a row of `workflow_brake`, so it holds for every process and survives them all. Claims from the database read the
//! rows themselves. The commit that queues work may lease it to its own process without a claim: it compares the number of the last
//! change, which it loads with the clocks, with the one that this process has read the rows at, and leases nothing if they differ.
//!
//! What is in somebody's hands when a brake is pulled is finished.

mod breaker;
mod bucket;
mod known;

pub(crate) use breaker::{Allowance, Breaker};
pub(crate) use bucket::Bucket;
pub(crate) use known::{Brakes, Known};

use crate::engine::{Core, Engine};
use crate::salvage::{Damaged, Readable, Salvage};
use crate::storage::{brakes, instant};
use crate::{Fault, Party, Paused, Registry, Timestamp, Tx, record};
use sea_orm::{ConnectionTrait, DbErr};
use std::collections::BTreeSet;
use std::fmt;

/// Who pauses a party whose answer was that we are misconfigured.
const ITSELF: &str = "itself";

/// What can be held back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Target {
    /// Everything in a queue.
    Queue(String),
    /// Everything that runs of a workflow have queued: effects, timers, spawns and tells.
    ///
    /// A claim passes over its due work row by row, about a microsecond each: where a very long backlog has a queue to itself, pausing
    /// the queue is cheaper.
    Workflow(String),
    /// Every call to an outside party.
    Party(String),
}

impl Target {
    fn name(&self) -> &str {
        let (Self::Queue(name) | Self::Workflow(name) | Self::Party(name)) = self;
        name
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue {name}"),
            Self::Workflow(name) => write!(f, "workflow {name}"),
            Self::Party(name) => write!(f, "party {name}"),
        }
    }
}

/// Whether a party is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Circuit {
    /// As always.
    Closed,
    /// Not before this instant of real time.
    Open {
        /// When the next call is let through.
        until: Timestamp,
    },
    /// One call at a time finds out whether the party answers.
    HalfOpen,
}

/// A brake as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Brake {
    /// What it is on.
    pub target: Target,
    /// The pause, if it is pulled; by `itself` for a party that says we are misconfigured.
    pub paused: Option<Paused>,
    /// How a party is called; closed for everything else.
    pub circuit: Circuit,
    /// A party's failures since its last answer.
    pub failures: i32,
    /// How much of a queue may be in hands at once, in all processes together; `None` when only their room limits it.
    pub most: Option<i32>,
}

impl Brake {
    /// Whether it holds anything back.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.paused.is_some() || self.circuit != Circuit::Closed
    }

    fn of(row: brakes::BrakeRow, now: i64) -> Self {
        let brakes::BrakeRow { target, paused, breaker, most, .. } = row;
        let circuit = match breaker.open_until {
            None => Circuit::Closed,
            Some(until) if now < until => Circuit::Open { until: instant(until) },
            Some(_) => Circuit::HalfOpen,
        };
        Self { target, paused, circuit, failures: breaker.failures, most }
    }
}

impl Tx {
    /// Holds back everything of a target until it is resumed; `false` when it was paused before, by whom and why stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pause(&self, target: &Target, why: &str, actor: &str) -> Result<bool, DbErr> {
        let first = brakes::pause(&**self, target, why, actor).await?;
        if first && actor != ITSELF {
            record::on_target(&**self, ("pause", &target.to_string()), (actor, Some(why))).await?;
        }
        let (target, why, actor) = (target.clone(), why.to_owned(), actor.to_owned());
        self.once_committed(move |core| {
            if first {
                tracing::warn!(target = %target, actor, why, "work is held back until somebody resumes");
            }
            core.brakes_changed();
        });
        Ok(first)
    }

    /// Lets a target's work go on; `false` when nothing held it.
    ///
    /// A party goes on trial: one call first, and the rest once that was answered. So work that a person has mended and
    /// [retries](Engine::retry) does not run into the same wall all at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume(&self, target: &Target, actor: &str) -> Result<bool, DbErr> {
        let (mut row, now) = brakes::lock(&**self, target).await?;
        let held = row.paused.take().is_some() || !row.breaker.is_clean();
        if held {
            row.breaker = match target {
                Target::Party(_) => Breaker::on_trial(now),
                Target::Queue(_) | Target::Workflow(_) => Breaker::default(),
            };
            brakes::keep(&**self, &row).await?;
            brakes::changed(&**self).await?;
            record::on_target(&**self, ("resume", &target.to_string()), (actor, None)).await?;
        }
        let (target, actor) = (target.clone(), actor.to_owned());
        self.once_committed(move |core| {
            if held {
                tracing::warn!(target = %target, actor, "work goes on");
            }
            core.brakes_changed();
        });
        Ok(held)
    }

    /// Lets at most so much of a queue be in hands at once, in all processes together, or as much as they have room for; `false` when
    /// that was so before. What is in hands already is finished, and counts.
    ///
    /// A queue that is limited is claimed under a lock, one process at a time, and no commit leases its work to itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn limit(&self, queue: &str, most: Option<i32>, actor: &str) -> Result<bool, DbErr> {
        let target = Target::Queue(queue.to_owned());
        let new = brakes::limit(&**self, &target, most).await?;
        if new {
            let wide = most.map_or_else(|| "no limit".to_owned(), |most| format!("at most {most} at once"));
            record::on_target(&**self, ("limit", &target.to_string()), (actor, Some(&wide))).await?;
            tracing::warn!(queue, limit = wide, actor, "a queue was given another width");
        }
        self.once_committed(Core::brakes_changed);
        Ok(new)
    }

    /// As [`Engine::brakes`], with what this transaction has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn brakes(&self) -> Result<Vec<Brake>, DbErr> {
        every_brake(&**self, self.registry()).await
    }
}

/// Every brake that is or was pulled, and every party of this build.
async fn every_brake(db: &impl ConnectionTrait, registry: &Registry) -> Result<Vec<Brake>, DbErr> {
    Ok(with_parties(brakes::read(db).await?, registry))
}

fn with_parties(read: brakes::Read, registry: &Registry) -> Vec<Brake> {
    let brakes::Read { now, rows, .. } = read;
    let seen: BTreeSet<Target> = rows.iter().map(|row| row.target.clone()).collect();
    let parties = registry.parties().map(|party| Target::Party(party.name.to_owned()));
    let quiet = parties.filter(|target| !seen.contains(target)).map(brakes::BrakeRow::released);
    let mut all: Vec<Brake> = rows.into_iter().chain(quiet).map(|row| Brake::of(row, now)).collect();
    all.sort_by(|a, b| a.target.cmp(&b.target));
    all
}

impl Core {
    /// This process reads the brakes anew before its next claim; the others find out by the number in the clocks' row.
    fn brakes_changed(&self) {
        self.brakes.outdated();
        self.bell.ring(&self.hands.queues().map(|(queue, _)| queue).collect());
    }
}

impl Engine {
    /// Holds back everything of a target, as [`Tx::pause`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pause(&self, target: &Target, why: &str, actor: &str) -> Result<bool, DbErr> {
        let (engine, target, why, actor) = (self.clone(), target.clone(), why.to_owned(), actor.to_owned());
        crate::detached(async move {
            let tx = engine.begin().await?;
            let first = tx.pause(&target, &why, &actor).await?;
            tx.commit().await.map(|()| first)
        })
        .await
    }

    /// Lets a target's work go on, as [`Tx::resume`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume(&self, target: &Target, actor: &str) -> Result<bool, DbErr> {
        let (engine, target, actor) = (self.clone(), target.clone(), actor.to_owned());
        crate::detached(async move {
            let tx = engine.begin().await?;
            let held = tx.resume(&target, &actor).await?;
            tx.commit().await.map(|()| held)
        })
        .await
    }

    /// Limits how much of a queue is in hands at once, as [`Tx::limit`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn limit(&self, queue: &str, most: Option<i32>, actor: &str) -> Result<bool, DbErr> {
        let (engine, queue, actor) = (self.clone(), queue.to_owned(), actor.to_owned());
        crate::detached(async move {
            let tx = engine.begin().await?;
            let new = tx.limit(&queue, most, &actor).await?;
            tx.commit().await.map(|()| new)
        })
        .await
    }

    /// Every brake that is or was pulled, and every party of this build.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn brakes(&self) -> Result<Vec<Brake>, DbErr> {
        every_brake(&self.core.db.read, self.registry()).await
    }

    /// As [`brakes`](Self::brakes), of what can be read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn readable_brakes(&self) -> Result<Readable<Brake>, DbErr> {
        let mut salvage = Salvage::default();
        let read = brakes::salvage(&self.core.db.read, &mut salvage).await?;
        let mut rows = with_parties(read, self.registry());
        // A party must not look free because its row cannot be read.
        rows.retain(|brake| brake.holds() || !salvage.names(brake.target.name()));
        let damaged =
            salvage.0.into_iter().map(|Damaged { what, why }| Damaged { what: format!("the brake of {what}"), why });
        Ok(Readable { rows, damaged: damaged.collect() })
    }

    /// Notes what a call to a party came to: answers close its circuit, failures open it, our own mistakes pause it.
    pub(crate) async fn heed(&self, party: &Party, fault: Option<&Fault>) -> Result<(), DbErr> {
        match fault {
            None if self.core.brakes.known().is_clean(party.name) => Ok(()),
            None => self.adjust(party, Breaker::answered).await,
            Some(Fault::Transient { .. } | Fault::Unknown { .. }) => {
                let patience = party.limits.patience;
                self.adjust(party, move |breaker, now| breaker.failed(&patience, now)).await
            }
            Some(fault @ Fault::Misconfigured { .. }) => {
                let target = Target::Party(party.name.to_owned());
                if self.pause(&target, &fault.to_string(), ITSELF).await? {
                    tracing::error!(party = party.name, error = %fault, "a party says that we are misconfigured; nothing is sent to it until somebody resumes");
                }
                Ok(())
            }
            Some(Fault::Poison { .. }) => Ok(()),
        }
    }

    /// Changes a party's circuit under its lock.
    async fn adjust(
        &self,
        party: &Party,
        change: impl FnOnce(&mut Breaker, i64) + Send + 'static,
    ) -> Result<(), DbErr> {
        let (core, name) = (self.core.clone(), party.name);
        let turned = crate::detached(async move {
            let tx = core.db.write.begin().await?;
            let (mut row, now) = brakes::lock(&tx, &Target::Party(name.to_owned())).await?;
            let was_open = row.breaker.open_until.is_some();
            change(&mut row.breaker, now);
            brakes::keep(&tx, &row).await?;
            let is_open = row.breaker.open_until.is_some();
            if was_open != is_open {
                brakes::changed(&tx).await?;
            }
            tx.commit().await?;
            core.brakes.note(&row);
            Ok::<_, DbErr>((was_open != is_open).then_some(is_open))
        })
        .await?;
        match turned {
            Some(true) => {
                tracing::error!(party = party.name, "a party fails again and again; it is left alone for a while");
            }
            Some(false) => tracing::warn!(party = party.name, "a party answers again"),
            None => return Ok(()),
        }
        self.core.brakes_changed();
        Ok(())
    }
}
