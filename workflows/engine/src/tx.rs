//! A caller's own transaction that turns can share: business rows, turns and the stored answer commit together or not at all.

use crate::apply::{Applied, Failure, apply};
use crate::engine::Core;
use crate::event::{EventKey, Input, Manner, Origin, Verdict, What};
use crate::hands::Lease;
use crate::link::Link;
use crate::recent::Kept;
use crate::step::encode;
use crate::storage::real_clock;
use crate::{Conflict, Moved, News, Refusal, RunId, Timestamp, Workflow, faults};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An open transaction on the write pool. It dereferences to its connection for the caller's own rows.
///
/// Dropping it rolls everything back. Never wait for [`Engine::submit`](crate::Engine::submit) while holding one: on SQLite both need
/// the one connection that writes.
pub struct Tx {
    inner: Link<DatabaseTransaction>,
    core: Arc<Core>,
    after: Mutex<After>,
}

/// What happens once the commit is through.
#[derive(Default)]
struct After {
    leases: Vec<Lease>,
    ring: BTreeSet<&'static str>,
    news: Vec<News>,
    kept: Vec<Kept>,
    /// Work became due that no turn queued.
    due: bool,
    /// What else only a commit makes true, in words or for this process to know.
    then: Vec<Then>,
}

/// Something that is done once the commit is through.
type Then = Box<dyn FnOnce(&Core) + Send>;

/// Why a turn did not happen; the transaction must be dropped, except after a refusal that the caller can live with.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The process says no.
    #[error("refused, {0}")]
    Refused(Refusal),
    /// Something scarce is taken.
    #[error("{0}")]
    Taken(Conflict),
    /// This event, or this run, was taken in before.
    #[error("taken in before")]
    Duplicate,
    /// There is no such run.
    #[error("there is no such run")]
    NoSuchRun,
    /// A newer build wrote this run.
    #[error("a newer build wrote this run")]
    NewerShape,
    /// The work was claimed or completed by somebody else.
    #[error("the work is in other hands")]
    Stale,
    /// The author's code failed.
    #[error("the workflow's code failed on {run}: {why}")]
    Poison {
        /// The run it failed on.
        run: RunId,
        /// How.
        why: String,
    },
    /// The database failed.
    #[error("the turn could not be stored")]
    Storage(#[source] DbErr),
}

impl From<DbErr> for TurnError {
    fn from(error: DbErr) -> Self {
        Self::Storage(error)
    }
}

impl From<Failure> for TurnError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Storage(error) => Self::Storage(error),
            Failure::Spoiled(spoiled) => Self::Poison { run: spoiled.run, why: spoiled.why },
            Failure::Taken(conflict) => Self::Taken(conflict),
            Failure::Outdated => Self::Storage(DbErr::Custom("what was remembered is not so".to_owned())),
            Failure::NotAlone(_) => Self::Storage(DbErr::Custom("an input by itself was not alone".to_owned())),
        }
    }
}

impl TurnError {
    pub(crate) fn of(verdict: Verdict) -> Result<Moved, Self> {
        match verdict {
            Verdict::Moved(moved) => Ok(moved),
            Verdict::Refused(refusal) => Err(Self::Refused(refusal)),
            Verdict::Taken(conflict) => Err(Self::Taken(conflict)),
            Verdict::Duplicate => Err(Self::Duplicate),
            Verdict::Stale => Err(Self::Stale),
            Verdict::NoSuchRun => Err(Self::NoSuchRun),
            Verdict::NewerShape => Err(Self::NewerShape),
        }
    }
}

impl Deref for Tx {
    type Target = Link<DatabaseTransaction>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl Tx {
    pub(crate) fn new(inner: Link<DatabaseTransaction>, core: Arc<Core>) -> Self {
        Self { inner, core, after: Mutex::default() }
    }

    /// The business clock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn now(&self) -> Result<Timestamp, DbErr> {
        Ok(clocks(&self.inner).await?.0)
    }

    /// Begins a run with this transaction.
    ///
    /// # Errors
    /// [`TurnError::Taken`] when its first step wants something that is taken, [`TurnError::Duplicate`] when the run exists.
    pub async fn start<W: Workflow>(
        &self,
        run: RunId,
        key: &str,
        input: &W::Input,
        origin: &Origin,
    ) -> Result<Moved, TurnError> {
        let what =
            What::Start { workflow: W::NAME.to_owned(), key: key.to_owned(), input: encode(input), parent: None };
        self.take(Input::new(run, what).caused_by(origin.clone())).await
    }

    /// Sends a person's command to a run with this transaction. Timers that are due fire first.
    ///
    /// # Errors
    /// [`TurnError::Refused`] when it has no place in the state.
    pub async fn send<W: Workflow>(
        &self,
        run: RunId,
        event: &W::Event,
        key: EventKey,
        origin: &Origin,
    ) -> Result<Moved, TurnError> {
        self.take(event_input::<W>(run, event, key, Manner::Command).caused_by(origin.clone())).await
    }

    /// Tells a run a fact with this transaction: what `on` does not expect is kept and flagged, not refused.
    ///
    /// # Errors
    /// [`TurnError::Duplicate`] when the fact is known.
    pub async fn note<W: Workflow>(
        &self,
        run: RunId,
        event: &W::Event,
        key: EventKey,
        origin: &Origin,
    ) -> Result<Moved, TurnError> {
        self.take(event_input::<W>(run, event, key, Manner::Fact).caused_by(origin.clone())).await
    }

    /// Takes one input in.
    ///
    /// # Errors
    /// As the verdict says.
    pub async fn take(&self, input: Input) -> Result<Moved, TurnError> {
        let applied = apply(&self.core, self, std::slice::from_ref(&input), false).await?;
        faults::point("caller_after_turn");
        let verdict = self.remember(applied).into_iter().next().expect("one input has one verdict");
        TurnError::of(verdict)
    }

    /// The processes of this build.
    pub(crate) fn registry(&self) -> &crate::Registry {
        &self.core.registry
    }

    /// Does this once the commit is through.
    pub(crate) fn once_committed(&self, then: impl FnOnce(&Core) + Send + 'static) {
        self.after.lock().unwrap_or_else(PoisonError::into_inner).then.push(Box::new(then));
    }

    /// Rings this process's bell once the commit is through.
    pub(crate) fn ring_after(&self) {
        self.after.lock().unwrap_or_else(PoisonError::into_inner).due = true;
    }

    /// Keeps for after the commit what only a commit makes true, and hands back the verdicts.
    pub(crate) fn remember(&self, applied: Applied) -> Vec<Verdict> {
        let Applied { verdicts, leases, ring, news, kept } = applied;
        let mut after = self.after.lock().unwrap_or_else(PoisonError::into_inner);
        after.leases.extend(leases);
        after.ring.extend(ring);
        after.news.extend(news);
        after.kept.extend(kept);
        verdicts
    }

    /// Commits, then hands leased work to this process and rings for the rest.
    ///
    /// # Errors
    /// When the commit fails; after a lost connection its outcome is open, and the event keys tell on the next try.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { inner, core, after } = self;
        let After { leases, ring, news, kept, due, then } = after.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (early, late) = leases.into_iter().partition::<Vec<_>, _>(|_| faults::planted("effect_before_commit"));
        if !early.is_empty() {
            early.into_iter().for_each(|lease| core.hands.deliver(lease));
            // The planted bug gets the time that it would have on a slow disk.
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        faults::point("before_commit");
        inner.commit().await?;
        faults::point("after_commit");
        core.recent.keep(kept);
        late.into_iter().for_each(|lease| core.hands.deliver(lease));
        faults::point("before_bell");
        core.bell.ring(&ring);
        faults::point("after_bell");
        if due {
            core.bell.ring_here();
        }
        news.iter().for_each(|news| core.observer.news(news));
        then.into_iter().for_each(|then| then(&core));
        Ok(())
    }
}

pub(crate) fn event_input<W: Workflow>(run: RunId, event: &W::Event, key: EventKey, manner: Manner) -> Input {
    Input::new(run, What::Event { key, event: encode(event), manner })
}

/// Reads the business clock, and the lease clock in microseconds.
pub(crate) async fn clocks(db: &impl ConnectionTrait) -> Result<(Timestamp, i64), DbErr> {
    let backend = db.get_database_backend();
    let sql = format!("select {} as real, offset_us from business_clock", real_clock(backend));
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the business clock has no row".to_owned()))?;
    let (real, offset): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    Ok((crate::storage::instant(real + offset), real))
}
