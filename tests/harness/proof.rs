//! Every run that a test makes is replayed when the test is over: its journal's chain holds, and each step comes out as recorded.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use domain::Provider;
use engine::{Engine, Registry, RunId, Settings};
use futures::{StreamExt, TryStreamExt, stream};
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use crate::TestDatabase;

/// Runs that are replayed at the same time.
const AT_ONCE: usize = 4;
/// Runs that are named at a time.
const PAGE: i64 = 500;

type Processes = Box<dyn Fn() -> Registry + Send>;

/// Who can judge the runs of a database.
#[derive(Clone, Default)]
pub(crate) struct Proof(Arc<Mutex<Judges>>);

#[derive(Default)]
struct Judges {
    processes: Vec<Processes>,
    forged: bool,
}

impl Proof {
    pub(crate) fn by(&self, processes: impl Fn() -> Registry + Send + 'static) {
        self.lock().processes.push(Box::new(processes));
    }

    pub(crate) fn give_up(&self) {
        self.lock().forged = true;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Judges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The registries, the one that was named last first, and the product's own; none for a test that forges.
    fn judges(&self) -> Option<Vec<Registry>> {
        let judges = self.lock();
        let named = judges.processes.iter().rev().map(|make| make());
        (!judges.forged).then(|| named.chain([workflows::onlookers(Provider::Sandbox)]).collect())
    }

    pub(crate) async fn check(&self, db: &TestDatabase) -> Result<()> {
        let Some(judges) = self.judges() else { return Ok(()) };
        let workflows = workflows(db).await?;
        if workflows.is_empty() {
            return Ok(());
        }
        let connections = db.databases().await?;
        let engine =
            |registry| Engine::open(Settings::new("test", Uuid::nil(), "proof"), connections.clone(), registry);
        let engines: Vec<Engine> = judges.into_iter().map(engine).collect();
        for workflow in workflows {
            let judge = engines.iter().find(|engine| engine.registry().names().any(|name| name == workflow));
            let Some(judge) = judge else {
                anyhow::bail!("nobody can replay the runs of {workflow:?}: name its processes with `proven_by`");
            };
            let broken = replays(judge, &workflow).await?;
            ensure!(broken.is_empty(), "{} runs of {workflow:?} do not replay:\n{}", broken.len(), broken.join("\n"));
        }
        Ok(())
    }
}

async fn workflows(db: &TestDatabase) -> Result<Vec<String>> {
    let sql = "select distinct workflow from workflow_run order by workflow";
    let statement = Statement::from_string(db.connection.get_database_backend(), sql);
    let rows = db.connection.query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
}

/// What does not hold, run by run.
async fn replays(engine: &Engine, workflow: &str) -> Result<Vec<String>> {
    let (mut after, mut broken) = (RunId::from_uuid(Uuid::nil()), vec![]);
    loop {
        let runs = engine.runs_after(workflow, after, PAGE).await?;
        let Some(last) = runs.last() else { return Ok(broken) };
        after = *last;
        let judged = stream::iter(runs).map(async |run| anyhow::Ok((run, engine.replay(run).await?)));
        let judged: Vec<_> = judged.buffer_unordered(AT_ONCE).try_collect().await?;
        for (run, replay) in judged {
            broken.extend(replay.into_iter().flat_map(|replay| replay.broken).map(|why| format!("{run}: {why}")));
        }
    }
}
