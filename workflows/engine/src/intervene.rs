//! What an operator does: retries and answers for parked work, and ends a run where its workflow says how. Each leaves the name of
//! whoever did it: an event in the run's journal, and what is no event (a retry, a brake, a schedule) as a fact in the event log.

use crate::engine::Engine;
use crate::event::{EventKey, Fence, Input, Manner, Origin, What};
use crate::operate::{WORK, work_view};
use crate::process::RawStep;
use crate::step::variant;
use crate::storage::schema::PARKED;
use crate::storage::single::{clock, execute, named, query};
use crate::tx::TurnError;
use crate::{Moved, Refusal, Registry, RunId, Tx, WorkId, record};
use sea_orm::{ConnectionTrait, DbErr};

/// The answer for a workflow that cannot be ended by hand.
const NOT_CANCELABLE: Refusal = Refusal::new(
    "not_cancelable",
    "this workflow declares no way to be ended by hand; answer for its parked work instead",
);

impl Tx {
    /// Has parked work tried again, now; false when it is not parked. It begins anew: as many tries and deaths as at first are before it.
    /// Only its age still counts: past the safe window it is looked up first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry(&self, work: WorkId, origin: &Origin) -> Result<bool, DbErr> {
        let now = clock(self.get_database_backend());
        let sql = format!(
            "update workflow_work set not_before = {now}, failures = 0, deaths = 0 where run = $1 and seq = $2 and n = $3 and not_before = $4"
        );
        let mut values = named(work);
        values.push(PARKED.into());
        let changed = execute(&**self, &sql, values).await? == 1;
        if changed {
            record::on_work(&**self, "retry", work, origin).await?;
            self.ring_after();
        }
        Ok(changed)
    }

    /// Answers for a parked effect: the event becomes its outcome, with who said so.
    ///
    /// # Errors
    /// [`TurnError::Stale`] when the work is not parked, [`TurnError::Poison`] when this is no event of its workflow.
    pub async fn resolve(&self, work: WorkId, event: &str, origin: &Origin) -> Result<Moved, TurnError> {
        let input = answer(&**self, self.registry(), (work, event), origin).await?;
        self.take(input).await
    }

    /// Ends a run by its workflow's own command for that; the run's `on` judges it like any other.
    ///
    /// # Errors
    /// [`TurnError::Refused`] when the workflow has no such command, or it has no place in the state.
    pub async fn cancel(&self, run: RunId, key: EventKey, origin: &Origin) -> Result<Moved, TurnError> {
        let rows = query(&**self, "select workflow from workflow_run where id = $1", vec![run.uuid().into()]).await?;
        let workflow: String = rows.first().ok_or(TurnError::NoSuchRun)?.try_get_by_index(0)?;
        let event = ending(self.registry(), &workflow, run)?;
        let what = What::Event { key, event, manner: Manner::Command };
        self.take(Input::new(run, what).caused_by(origin.clone())).await
    }
}

/// The workflow's own command to end a run.
fn ending(registry: &Registry, workflow: &str, run: RunId) -> Result<String, TurnError> {
    let process = registry.get(workflow).ok_or(TurnError::NewerShape)?;
    let event = process.canceled_by_operator().map_err(|why| TurnError::Poison { run, why })?;
    event.ok_or(TurnError::Refused(NOT_CANCELABLE))
}

/// The input that answers for parked work.
async fn answer(
    db: &impl ConnectionTrait,
    registry: &Registry,
    (work, event): (WorkId, &str),
    origin: &Origin,
) -> Result<Input, TurnError> {
    let sql = format!("{WORK} where run = $1 and seq = $2 and n = $3 and not_before = $4 and kind = 0");
    let mut values = named(work);
    values.push(PARKED.into());
    let view = query(db, &sql, values).await?.first().map(work_view).transpose()?.ok_or(TurnError::Stale)?;
    let process = registry.get(&view.workflow).ok_or(TurnError::NewerShape)?;
    let event = process.event(event).map_err(|why| TurnError::Poison { run: work.run, why })?;
    let what = What::Event { key: EventKey::outcome(work), event, manner: Manner::Fact };
    let fence = Fence { work, attempt: view.attempt };
    Ok(Input::new(work.run, what).fenced(fence).caused_by(origin.clone()))
}

impl Engine {
    /// Has parked work tried again, now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry(&self, work: WorkId, origin: Origin) -> Result<bool, DbErr> {
        let engine = self.clone();
        crate::detached(async move {
            let tx = engine.begin().await?;
            let done = tx.retry(work, &origin).await?;
            tx.commit().await.map(|()| done)
        })
        .await
    }

    /// Answers for a parked effect: the event becomes its outcome, with who said so.
    ///
    /// # Errors
    /// As [`Tx::resolve`].
    pub async fn resolve(&self, work: WorkId, event: &str, origin: Origin) -> Result<(), TurnError> {
        let input = answer(&self.core.db.write, self.registry(), (work, event), &origin).await?;
        TurnError::of(self.submit(input).await?).map(drop)
    }

    /// Whether this is an event of that workflow.
    ///
    /// # Errors
    /// Why it is not, in words.
    pub fn reads_event(&self, workflow: &str, event: &str) -> Result<(), String> {
        let process = self.registry().get(workflow).ok_or_else(|| format!("this build knows no {workflow}"))?;
        process.event(event).map(drop)
    }

    /// Ends a run by its workflow's own command for that.
    ///
    /// # Errors
    /// As [`Tx::cancel`].
    pub async fn cancel(&self, run: RunId, key: EventKey, origin: Origin) -> Result<Moved, TurnError> {
        let view = self.run(run).await?.ok_or(TurnError::NoSuchRun)?;
        let event = ending(self.registry(), &view.workflow, run)?;
        let what = What::Event { key, event, manner: Manner::Command };
        TurnError::of(self.submit(Input::new(run, what).caused_by(origin)).await?)
    }

    /// The name of the state that [`cancel`](Self::cancel) would lead to at this instant, timers that are due apart.
    ///
    /// # Errors
    /// Why it would not.
    pub async fn would_cancel(&self, run: RunId) -> Result<String, TurnError> {
        let view = self.run(run).await?.ok_or(TurnError::NoSuchRun)?;
        let event = ending(self.registry(), &view.workflow, run)?;
        let process = self.registry().get(&view.workflow).ok_or(TurnError::NewerShape)?;
        let decided = process.on(&view.input, &view.state, &event, self.now().await?);
        let RawStep { state, .. } =
            decided.map_err(|why| TurnError::Poison { run, why })?.map_err(TurnError::Refused)?;
        Ok(state.as_deref().map_or(view.state_name, |state| variant(state).to_owned()))
    }
}
