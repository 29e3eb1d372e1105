//! The workflows that are measured: a job of one effect, and a trip of three steps with its projection and its fact.

use super::board::Board;
use engine::{
    Attempt, Changed, DEFAULT_QUEUE, Ended, Fact, Fault, News, Observe, Perform, Project, ProjectError, Refusal, Step,
    Timestamp, Tried, Tx, Workflow,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// The queue of both.
pub(super) const QUEUE: &str = DEFAULT_QUEUE;

/// One effect that does nothing, durably: the job of a job queue.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Job;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) number: u64,
    pub(super) row: Row,
}

/// Who writes the business row of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Row {
    /// Its caller, in the transaction that the job's start shares; or nobody.
    Caller,
    /// The job, as its projection: that is how rows get into the commit of the group that its start is in.
    Job,
}

impl Task {
    /// A task that is its caller's.
    pub(super) const fn of(number: u64) -> Self {
        Self { number, row: Row::Caller }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    Waiting,
    Done,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Did {
    Worked,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Do {
    Work,
}

impl Workflow for Job {
    const NAME: &'static str = "job";
    type Input = Task;
    type State = Stage;
    type Event = Did;
    type Effect = Do;
    type Timer = ();

    fn start(_: &Task, _: Timestamp) -> Step<Self> {
        Step::to(Stage::Waiting).run(Do::Work)
    }

    fn on(_: &Task, state: Stage, event: Did, _: Timestamp) -> Result<Step<Self>, Refusal> {
        match (state, event) {
            (Stage::Waiting, Did::Worked) => Ok(Step::to(Stage::Done)),
            (Stage::Done, _) => Err(Refusal::out_of_turn()),
        }
    }

    fn elapsed((): ()) -> Did {
        Did::Worked
    }

    fn is_final(state: &Stage) -> bool {
        *state == Stage::Done
    }
}

/// The row that a caller's own transaction inserts otherwise, for each job that has one.
const PLACE: [&str; 2] = [
    "insert into bench_order (id, run, note) select unnest($1), unnest($2), 'two nights by the sea'",
    "insert into bench_order (id, run, note)
     select value ->> 0, unhex(value ->> 1), 'two nights by the sea' from json_each($1)",
];

impl Project<Tx> for Job {
    type Error = DbErr;

    async fn project(tx: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        let placed = changed.iter().filter(|one| one.input.row == Row::Job && one.state == Stage::Waiting);
        let rows: Vec<(i64, Uuid)> = placed.map(|one| (one.input.number.cast_signed(), one.run.uuid())).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let (sql, values): (&str, Vec<Value>) = match tx.get_database_backend() {
            DbBackend::Sqlite => {
                let rows: Vec<_> = rows.iter().map(|(id, run)| (id, run.simple().to_string())).collect();
                (PLACE[1], vec![encode(&rows).into()])
            }
            _ => {
                let (ids, runs): (Vec<i64>, Vec<Uuid>) = rows.into_iter().unzip();
                (PLACE[0], vec![ids.into(), runs.into()])
            }
        };
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
        Ok(())
    }
}

/// Three effects, one after the other, each outcome a durable turn; people see how far it is, and its end is a fact.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trip;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Leg {
    First,
    Second { total: u64 },
    Third { total: u64 },
    Home { total: u64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Arrived {
    At { total: u64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Travel {
    First { from: u64 },
    Second { from: u64 },
    Third { from: u64 },
}

impl Workflow for Trip {
    const NAME: &'static str = "trip";
    type Input = Task;
    type State = Leg;
    type Event = Arrived;
    type Effect = Travel;
    type Timer = ();

    fn start(task: &Task, _: Timestamp) -> Step<Self> {
        Step::to(Leg::First).run(Travel::First { from: task.number })
    }

    fn on(_: &Task, state: Leg, Arrived::At { total }: Arrived, _: Timestamp) -> Result<Step<Self>, Refusal> {
        Ok(match state {
            Leg::First => Step::to(Leg::Second { total }).run(Travel::Second { from: total }),
            Leg::Second { .. } => Step::to(Leg::Third { total }).run(Travel::Third { from: total }),
            Leg::Third { .. } => Step::to(Leg::Home { total }).post(Fact::new("arrived", &total)),
            Leg::Home { .. } => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed((): ()) -> Arrived {
        Arrived::At { total: 0 }
    }

    fn is_final(state: &Leg) -> bool {
        matches!(state, Leg::Home { .. })
    }
}

/// How far a trip is, as people read it.
const PROJECT: [&str; 2] = [
    "insert into bench_trip (run, leg, seq) select unnest($1), unnest($2), unnest($3)
     on conflict (run) do update set leg = excluded.leg, seq = excluded.seq",
    "insert into bench_trip (run, leg, seq)
     select unhex(value ->> 0), value ->> 1, value ->> 2 from json_each($1) where true
     on conflict (run) do update set leg = excluded.leg, seq = excluded.seq",
];

impl Project<Tx> for Trip {
    type Error = DbErr;

    async fn project(tx: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        let rows = changed.iter().map(|one| (one.run.uuid(), leg(&one.state), one.seq));
        let (sql, values): (&str, Vec<Value>) = match tx.get_database_backend() {
            DbBackend::Sqlite => {
                let rows: Vec<_> = rows.map(|(run, leg, seq)| (run.simple().to_string(), leg, seq)).collect();
                (PROJECT[1], vec![encode(&rows).into()])
            }
            _ => {
                let (mut runs, mut legs, mut seqs) = (vec![], vec![], vec![]);
                for (run, leg, seq) in rows {
                    runs.push(run);
                    legs.push(leg.to_owned());
                    seqs.push(seq);
                }
                (PROJECT[0], vec![runs.into(), legs.into(), seqs.into()])
            }
        };
        tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
        Ok(())
    }
}

fn leg(state: &Leg) -> &'static str {
    match state {
        Leg::First => "first",
        Leg::Second { .. } => "second",
        Leg::Third { .. } => "third",
        Leg::Home { .. } => "home",
    }
}

fn encode(rows: &impl Serialize) -> String {
    serde_json::to_string(rows).unwrap_or_default()
}

/// Performs effects, and notes on the board what is measured.
#[derive(Clone)]
pub(super) struct Hands {
    board: Arc<Board>,
    metrics: Arc<worker::metrics::Metrics>,
}

impl Hands {
    pub(super) fn new(metrics: Arc<worker::metrics::Metrics>) -> (Self, Arc<Board>) {
        let board = Arc::new(Board::default());
        (Self { board: Arc::clone(&board), metrics }, board)
    }
}

impl Perform<Job> for Hands {
    async fn perform(&self, cx: &Attempt<Job>, Do::Work: Do) -> Result<Did, Fault> {
        self.board.began(cx.input.number);
        Ok(Did::Worked)
    }
}

impl Perform<Trip> for Hands {
    async fn perform(&self, _: &Attempt<Trip>, effect: Travel) -> Result<Arrived, Fault> {
        let (Travel::First { from } | Travel::Second { from } | Travel::Third { from }) = effect;
        Ok(Arrived::At { total: from + 1 })
    }
}

/// The product's metrics hear everything too, as they do where it is shipped.
impl Observe for Hands {
    fn committed(&self, turns: usize, took: std::time::Duration) {
        self.metrics.committed(turns, took);
    }

    fn claimed(&self, count: usize, took: std::time::Duration) {
        self.metrics.claimed(count, took);
    }

    fn waited(&self, pool: &'static str, took: std::time::Duration) {
        self.metrics.waited(pool, took);
    }

    fn tried(&self, tried: &Tried<'_>) {
        self.metrics.tried(tried);
        if (tried.workflow, tried.effect, tried.ended) == (Trip::NAME, "Third", Ended::Done) {
            self.board.arrived(tried.work.run.uuid());
        }
    }

    fn news(&self, news: &News) {
        self.metrics.news(news);
        if let News::Finished { .. } = news {
            self.board.ended();
        }
    }

    fn rescued(&self, count: u64) {
        self.metrics.rescued(count);
    }

    fn reclaimed(&self, count: u64) {
        self.metrics.reclaimed(count);
    }

    fn split(&self) {
        self.metrics.split();
    }

    fn recalled(&self, same: bool) {
        self.metrics.recalled(same);
    }

    fn archived(&self, workflow: &str, runs: u64) {
        self.metrics.archived(workflow, runs);
    }

    fn purged(&self, workflow: &str, runs: u64) {
        self.metrics.purged(workflow, runs);
    }

    fn sealed(&self, count: u64) {
        self.metrics.sealed(count);
    }
}
