//! The one commit: load and lock, decide, write, project. One run or two hundred, the same way; the caller owns the transaction.
//!
//! Nothing is loaded of a start that comes alone, and of a group that this process remembers all of ([`crate::recall`]): then the write
//! itself looks whether the database is as it was foreseen.

use crate::archive;
use crate::brake::Known;
use crate::databases::{Trouble, trouble};
use crate::decide::{Decided, Desk};
use crate::engine::Core;
use crate::event::{Input, Verdict};
use crate::hands::Lease;
use crate::process::Unprojected;
use crate::recall::{Granted, Recall};
use crate::recent::Kept;
use crate::storage::{self, Ask, Foreseen};
use crate::turn::{RunRow, Spoiled};
use crate::tx::TurnError;
use crate::{Conflict, Moved, News, ProjectError, RunId, Tx};
use sea_orm::DbErr;
use std::collections::BTreeSet;

/// Why a group could not be committed as it is.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The storage said no.
    Storage(DbErr),
    /// The author's code failed on one run.
    Spoiled(Spoiled),
    /// The steps of these runs take something scarce: each has to be committed alone.
    NotAlone(BTreeSet<RunId>),
    /// What the step wants is taken.
    Taken(Conflict),
    /// What was decided from memory is not so: it has to be loaded.
    Outdated,
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Storage(error)
    }
}

impl Failure {
    /// What it means for an input that is by itself: a conflict is an answer, anything else an error; `None` is another try.
    ///
    /// `rival` remembers that a unique key was broken once: whoever broke it first is visible to the next look.
    pub(crate) fn alone(self, input: &mut Input, rival: &mut bool) -> Option<Result<Verdict, TurnError>> {
        match self {
            Self::Taken(conflict) if input.is_fact() && input.conflict.is_none() => {
                input.conflict = Some(conflict);
                None
            }
            Self::Storage(error) if trouble(&error) == Trouble::Unique && !*rival => {
                *rival = true;
                None
            }
            Self::Taken(conflict) => Some(Ok(Verdict::Taken(conflict))),
            failure => Some(Err(failure.into())),
        }
    }
}

/// A decided group: verdicts for the callers, leases for the hands once the commit is through.
pub(crate) struct Applied {
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) leases: Vec<Lease>,
    /// Queues with work that this process did not take itself.
    pub(crate) ring: BTreeSet<&'static str>,
    /// What the commit will have made true.
    pub(crate) news: Vec<News>,
    /// Runs that will soon come back.
    pub(crate) kept: Vec<Kept>,
}

/// Takes the inputs in, in order, within the caller's transaction; `again` as [`Desk::decide`] has it.
pub(crate) async fn apply(core: &Core, tx: &Tx, inputs: &[Input], again: bool) -> Result<Applied, Failure> {
    if let [input] = inputs
        && input.begins()
        && !again
        && let Some(decided) = foreseen(core, tx, input).await?
    {
        return finish(core, tx, decided).await;
    }
    // Whatever is remembered of these runs is soon not so.
    inputs.iter().for_each(|input| drop(core.recent.take(input.run)));
    let ask = Ask::about(inputs, again);
    let mut loaded = storage::load(&**tx, &ask).await?;
    let archived = archive::called_for(&loaded, inputs);
    if !archived.is_empty() {
        archive::restore(&**tx, &archived).await?;
        loaded = storage::load(&**tx, &ask).await?;
    }
    core.clock.note(loaded.now.timestamp_micros(), loaded.real);
    let brakes = core.brakes.current(loaded.brakes);
    let decided = desk(core, brakes.as_deref()).decide(loaded, inputs, again)?;
    if !decided.batch.is_empty() {
        storage::write(&**tx, &decided.batch).await?;
    }
    finish(core, tx, decided).await
}

/// Begins a run without asking first, which is a round trip less: all that has to be known is what time it is, and that nobody has
/// touched a brake. The write itself looks whether that is so, and whether the run is there already; if anything is not as it was
/// foreseen, nothing is written, and the database is asked after all.
async fn foreseen(core: &Core, tx: &Tx, input: &Input) -> Result<Option<Decided>, Failure> {
    let Some(foreseen) = core.foresee() else { return Ok(None) };
    let brakes = core.brakes.current(foreseen.brakes);
    let decided = desk(core, brakes.as_deref()).decide(foreseen.loaded(), std::slice::from_ref(input), false);
    // Whatever the workflow's code thinks of the input of a run that is there already, its start is a repetition.
    let Ok(decided) = decided else { return Ok(None) };
    let written = !decided.batch.is_empty() && storage::write_foreseen(&**tx, &decided.batch, foreseen).await?;
    Ok(written.then_some(decided))
}

impl Core {
    /// The clocks and the brakes as the database will tell of them, for all that this process has heard.
    fn foresee(&self) -> Option<Foreseen> {
        let (backend, brakes) = (self.db.backend(), self.brakes.heard());
        self.clock.foresee().map(|clocks| Foreseen::of(backend, clocks, brakes))
    }
}

const fn desk<'a>(core: &'a Core, brakes: Option<&'a Known>) -> Desk<'a> {
    Desk { registry: &core.registry, hands: &core.hands, brakes }
}

/// A group that was decided from memory, and what has to be so for that.
pub(crate) struct Remembered {
    decided: Decided,
    granted: Granted,
}

impl Remembered {
    /// Decides a group from what this process remembers, before its transaction begins; `None` when anything has to be asked.
    pub(crate) fn decide(core: &Core, inputs: &[Input]) -> Option<Self> {
        if matches!(inputs, [input] if input.begins()) {
            // A start that comes alone needs no rollback when it is a repetition.
            return None;
        }
        let foreseen = core.foresee()?;
        let (loaded, granted) = Recall::of(inputs, &core.recent)?.loaded(foreseen)?;
        let brakes = core.brakes.current(foreseen.brakes);
        let decided = desk(core, brakes.as_deref()).decide(loaded, inputs, false).ok()?;
        decided.is_all_written().then_some(Self { decided, granted })
    }

    /// As [`apply`]: writes it, if everything is as it was remembered.
    ///
    /// After [`Failure::Outdated`] the transaction has to be rolled back. So this is for the writer: a caller's transaction is not ours
    /// to roll back.
    pub(crate) async fn apply(self, core: &Core, tx: &Tx) -> Result<Applied, Failure> {
        let Self { decided, granted } = self;
        let same = match storage::write_granted(&**tx, &decided.batch, &granted).await {
            // Something that begins is there already.
            Err(error) if trouble(&error) == Trouble::Unique => false,
            written => written?,
        };
        if !granted.heads.is_empty() {
            core.observer.recalled(same);
        }
        if !same {
            return Err(Failure::Outdated);
        }
        finish(core, tx, decided).await
    }
}

/// What follows from a write: postings, and the rows for people.
async fn finish(core: &Core, tx: &Tx, decided: Decided) -> Result<Applied, Failure> {
    let Decided { verdicts, batch, changed, takes, leases, ring, news, mut soon } = decided;
    verdicts.iter().for_each(|verdict| misplaced(verdict, &batch.moved));
    if batch.queued.iter().any(|queued| queued.work.lane.is_some()) {
        // The next claim has to look for lanes.
        core.brakes.outdated();
    }
    if !batch.facts.is_empty() {
        core.registry.poster.post(tx, &batch.facts).await?;
    }
    for (workflow, changed) in changed {
        let process = core.registry.get(workflow).expect("a run moves only by a known workflow");
        let Some(run) = changed.first().map(|changed| changed.run) else { continue };
        process.project(tx, changed).await.map_err(|error| unprojected(error, run, takes))?;
    }
    let written = batch.born.into_iter().chain(batch.moved);
    let kept = written.filter_map(|row| soon.remove(&row.id).map(|quiet_until| Kept { row, quiet_until })).collect();
    Ok(Applied { verdicts, leases, ring, news, kept })
}

/// Says aloud that a fact found no place: only of what is written, for what was decided from memory may not be so.
fn misplaced(verdict: &Verdict, moved: &[RunRow]) {
    if let Verdict::Moved(Moved { run, state, unexpected: true, .. }) = verdict {
        let workflow = moved.iter().find(|row| row.id == *run).map_or("unknown", |row| &row.workflow);
        tracing::error!(run.id = %run, workflow, state, "a fact found no place in its run; it is kept and the run is flagged");
    }
}

/// Code that fails on its rows spoils the turn as code that fails on its state does. In a group it is open on which run it failed:
/// halving finds out.
fn unprojected(error: Unprojected, run: RunId, takes: Option<&'static str>) -> Failure {
    match error {
        Unprojected::Said(error) => contested(error, takes),
        Unprojected::Poison(why) => Failure::Spoiled(Spoiled { run, timer: None, why }),
    }
}

/// A projection's failure: a conflict, when the step said that one is possible.
pub(crate) fn contested(error: ProjectError<DbErr>, takes: Option<&'static str>) -> Failure {
    match (error, takes) {
        (ProjectError::Taken(conflict), Some(_)) => Failure::Taken(conflict),
        (ProjectError::Storage(error), Some(wanted)) if trouble(&error) == Trouble::Unique => {
            Failure::Taken(Conflict::over(wanted, "its key is held by somebody else"))
        }
        (ProjectError::Storage(error), _) => Failure::Storage(error),
        (ProjectError::Taken(conflict), None) => {
            Failure::Storage(DbErr::Custom(format!("{conflict}, although the step takes nothing")))
        }
    }
}
