//! What operators are shown, as JSON.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use workflows::operating::{
    Became, Census, Damaged, Depth, Listed, OpenCount, Posting, QueuedWork, Readable, Replay, RunView as Run,
    Transcript, TryView as Tried, TurnStory, TurnView as Turn, WorkView as Work,
};

/// A row, or what can be said of one that is damaged.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Item<T> {
    /// As it is.
    Read(T),
    /// Damaged.
    Unreadable {
        /// As much of its name as can be read.
        unreadable: String,
        /// What is wrong with it.
        why: String,
    },
}

impl<T> Item<T> {
    pub(super) fn of<R>(row: Listed<R>, show: impl Fn(R) -> T) -> Self {
        match row {
            Listed::Read(row) => Self::Read(show(row)),
            Listed::Unreadable { what, why } => Self::Unreadable { unreadable: what, why },
        }
    }
}

/// What cannot be read.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminDamaged)]
pub(super) struct DamagedView {
    /// As much of its name as can be read.
    what: String,
    /// What is wrong with it.
    why: String,
}

impl From<Damaged> for DamagedView {
    fn from(Damaged { what, why }: Damaged) -> Self {
        Self { what, why }
    }
}

/// Everything of a kind, as far as it can be read.
#[derive(Serialize, ToSchema)]
pub(super) struct Whole<T> {
    /// In order.
    pub(super) data: Vec<T>,
    /// What cannot be read.
    pub(super) unread: Vec<DamagedView>,
}

impl<T> Whole<T> {
    pub(super) fn of<R>(read: Readable<R>) -> Self
    where
        T: From<R>,
    {
        let Readable { rows, damaged } = read;
        Self { data: rows.into_iter().map(T::from).collect(), unread: all(damaged) }
    }
}

fn all(damaged: Vec<Damaged>) -> Vec<DamagedView> {
    damaged.into_iter().map(DamagedView::from).collect()
}

/// A run.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminRun)]
pub(super) struct RunView {
    /// Names it.
    #[schema(example = "run_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: String,
    /// Its workflow.
    workflow: String,
    /// Its unique key within the workflow.
    key: String,
    /// The run that started it.
    parent: Option<String>,
    /// The name of its state.
    state: String,
    /// The number of its latest turn.
    turn: i32,
    /// The highest shape of persisted values that wrote it.
    shape: i32,
    /// Whether it has ended.
    finished: bool,
    /// Facts that found no place.
    unexpected: i32,
    /// When it began.
    created_at: DateTime<Utc>,
    /// When it last took something in.
    updated_at: DateTime<Utc>,
}

impl From<Run> for RunView {
    fn from(view: Run) -> Self {
        let Run { run, workflow, key, parent, state_name, seq, finished, unexpected, shape, .. } = view;
        let Run { created_at, updated_at, .. } = view;
        let (id, parent) = (run.to_string(), parent.map(|parent| parent.to_string()));
        let (state, turn) = (state_name, seq);
        Self { id, workflow, key, parent, state, turn, shape, finished, unexpected, created_at, updated_at }
    }
}

/// A piece of work that is still to be done.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminWork)]
pub(super) struct WorkItem {
    /// Names it.
    #[schema(example = "0192f0c1a2b37c4d8e5f60718293a4b5:1:2")]
    id: String,
    /// Its run.
    run: String,
    /// `effect`, `timer`, `spawn` or `tell`.
    kind: &'static str,
    /// The workflow whose turn queued it.
    workflow: String,
    /// Where it waits.
    queue: String,
    /// The effect's or timer's name.
    name: String,
    /// `waiting`, `leased` or `parked`.
    standing: &'static str,
    /// When it was meant to happen.
    due: DateTime<Utc>,
    /// Claims so far.
    attempts: i32,
    /// The class of the last failure.
    error_class: Option<String>,
    /// The last failure.
    last_error: Option<String>,
}

impl From<Work> for WorkItem {
    fn from(work: Work) -> Self {
        let Work { work, kind, workflow, queue, name, standing, due, attempt, error_class, last_error } = work;
        let (id, run, attempts) = (work.to_string(), work.run.to_string(), attempt);
        Self { id, run, kind, workflow, queue, name, standing, due, attempts, error_class, last_error }
    }
}

/// A queue.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminQueue)]
pub(super) struct QueueView {
    /// Its name.
    queue: String,
    /// Due now, in nobody's hands.
    ready: i64,
    /// Due later.
    scheduled: i64,
    /// In some process's hands.
    leased: i64,
    /// Waiting for a person.
    parked: i64,
    /// Age of the oldest due piece of work.
    oldest_seconds: i64,
}

impl From<Depth> for QueueView {
    fn from(depth: Depth) -> Self {
        let Depth { queue, ready, scheduled, leased, parked, oldest_us } = depth;
        Self { queue, ready, scheduled, leased, parked, oldest_seconds: oldest_us / 1_000_000 }
    }
}

/// A run's story.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminStory)]
pub(super) struct StoryView {
    /// The run as it is.
    run: RunView,
    /// Its input, as it was serialised.
    input: String,
    /// Its state, as it is serialised.
    state: String,
    /// Its turns, first to last.
    turns: Vec<TurnView>,
    /// What it still has to do.
    waiting: Vec<WorkItem>,
    /// The tries at its work that failed, oldest first.
    tries: Vec<TryView>,
    /// What cannot be read of all this, or contradicts itself.
    unread: Vec<DamagedView>,
}

/// A try that failed, or the death of a process that held the work.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminTry)]
pub(super) struct TryView {
    /// The work's name.
    work: String,
    /// The claim that it came with: the first is 1.
    attempt: i32,
    /// When it failed.
    at: DateTime<Utc>,
    /// The class of the failure; `crashed` for a death.
    class: String,
    /// The failure, in words.
    why: String,
}

impl From<Tried> for TryView {
    fn from(tried: Tried) -> Self {
        let Tried { work, attempt, at, class, why } = tried;
        Self { work: work.to_string(), attempt, at, class, why }
    }
}

impl From<Transcript> for StoryView {
    fn from(story: Transcript) -> Self {
        let Transcript { run, turns, waiting, tries, damaged } = story;
        Self {
            input: run.input.clone(),
            state: run.state.clone(),
            run: run.into(),
            turns: turns.into_iter().map(TurnView::from).collect(),
            waiting: waiting.into_iter().map(WorkItem::from).collect(),
            tries: tries.into_iter().map(TryView::from).collect(),
            unread: all(damaged),
        }
    }
}

/// A turn.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminTurn)]
pub(super) struct TurnView {
    /// Its number.
    turn: i32,
    /// The event's key.
    key: String,
    /// Its instant.
    at: DateTime<Utc>,
    /// `moved`, `ignored` or `unexpected`.
    verdict: &'static str,
    /// The event, as it was serialised.
    event: String,
    /// The name of the state before.
    from: String,
    /// The name of the state after.
    to: String,
    /// The state after, as it was serialised; absent when this build cannot tell.
    state: Option<String>,
    /// Why it was ignored or unexpected, or the conflict that it met.
    note: Option<String>,
    /// Who caused it.
    actor: Option<String>,
    /// The request that caused it.
    request_id: Option<String>,
    /// Tries that the outcome took.
    attempts: i32,
    /// The last failure before it.
    last_error: Option<String>,
    /// What it queued; absent when this build cannot tell.
    queued: Option<Vec<QueuedView>>,
    /// What it posted.
    postings: Vec<PostingView>,
}

impl From<TurnStory> for TurnView {
    fn from(story: TurnStory) -> Self {
        let TurnStory { turn, state, queued, postings } = story;
        let Turn { seq, key, at, verdict, event, from, to, note, actor, request_id, attempts, last_error } = turn;
        Self {
            turn: seq,
            key,
            at,
            verdict,
            event,
            from,
            to,
            state,
            note,
            actor,
            request_id,
            attempts,
            last_error,
            queued: queued.map(|all| all.into_iter().map(QueuedView::from).collect()),
            postings: postings.into_iter().map(PostingView::from).collect(),
        }
    }
}

/// Work that a turn queued.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminQueued)]
pub(super) struct QueuedView {
    /// Names it.
    id: String,
    /// `effect`, `timer`, `spawn` or `tell`.
    kind: &'static str,
    /// The effect's or timer's name, the workflow that was started, the workflow and event of a tell.
    name: String,
    /// For a timer: when.
    due: Option<DateTime<Utc>>,
    /// For a spawn or a tell: to which run.
    to: Option<String>,
    /// `answered`, `fired`, `started`, `delivered`, `taken_back`, `waiting`, `leased` or `parked`; `unreadable` where what would tell is damaged.
    became: &'static str,
    /// The turn in which it answered or fired.
    turn: Option<i32>,
}

impl From<QueuedWork> for QueuedView {
    fn from(queued: QueuedWork) -> Self {
        let QueuedWork { work, kind, name, payload: _, due, to, became } = queued;
        let (became, turn) = match became {
            Became::Turn { seq, .. } => (if kind == "timer" { "fired" } else { "answered" }, Some(seq)),
            Became::Delivered { .. } => (if kind == "spawn" { "started" } else { "delivered" }, None),
            Became::Pending { standing, .. } => (standing, None),
            Became::TakenBack => ("taken_back", None),
            Became::Unreadable => ("unreadable", None),
        };
        Self { id: work.to_string(), kind, name, due, to: to.map(|run| run.to_string()), became, turn }
    }
}

/// A fact in the event log.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminPosting)]
pub(super) struct PostingView {
    /// Its kind.
    kind: String,
    /// The record, as it was serialised.
    body: String,
    /// Its place in the sealed log; absent while it is not sealed yet.
    position: Option<i64>,
}

impl From<Posting> for PostingView {
    fn from(posting: Posting) -> Self {
        let Posting { kind, body, position, .. } = posting;
        Self { kind, body, position }
    }
}

/// Runs of one workflow that have not ended, in one state.
#[derive(Serialize)]
pub(super) struct OpenView {
    workflow: String,
    state: String,
    runs: i64,
}

impl From<OpenCount> for OpenView {
    fn from(OpenCount { workflow, state, runs }: OpenCount) -> Self {
        Self { workflow, state, runs }
    }
}

/// What a journal proves.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminReplay)]
pub(super) struct ReplayView {
    /// Turns whose step came out as journalled.
    proven: usize,
    /// Turns of another shape: not judged.
    not_judged: Vec<i32>,
    /// What does not hold.
    broken: Vec<String>,
}

impl From<Replay> for ReplayView {
    fn from(replay: Replay) -> Self {
        let Replay { proven, not_judged, broken } = replay;
        Self { proven, not_judged, broken }
    }
}

/// Who is still there.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminCensus)]
pub(super) struct CensusView {
    /// Runs by state and shape.
    runs: Vec<RunCountView>,
    /// Waiting work by name.
    work: Vec<WorkCountView>,
    /// What this build makes of the shapes.
    known: Vec<ShapeView>,
    /// What could not be counted, because it cannot be read.
    unread: Vec<DamagedView>,
}

/// Runs of one workflow in one state, written by one shape.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminRunCount)]
struct RunCountView {
    /// The workflow.
    workflow: String,
    /// The state's name.
    state: String,
    /// The highest shape that wrote them.
    shape: i32,
    /// Whether they have ended.
    finished: bool,
    /// How many.
    runs: i64,
}

/// Waiting work of one workflow under one name.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminWorkCount)]
struct WorkCountView {
    /// The workflow.
    workflow: String,
    /// `effect`, `timer`, `spawn` or `tell`.
    kind: &'static str,
    /// The name.
    name: String,
    /// How much.
    work: i64,
}

/// What this build makes of a workflow's shapes.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminShape)]
struct ShapeView {
    /// The workflow.
    workflow: &'static str,
    /// The shape that it writes.
    writes: i16,
    /// The highest shape that it reads.
    reads: i16,
}

impl From<Census> for CensusView {
    fn from(census: Census) -> Self {
        let Census { runs, work, known, damaged } = census;
        let run = |one: workflows::operating::RunCount| RunCountView {
            workflow: one.workflow,
            state: one.state,
            shape: one.shape,
            finished: one.finished,
            runs: one.runs,
        };
        let work_of = |one: workflows::operating::WorkCount| WorkCountView {
            workflow: one.workflow,
            kind: one.kind,
            name: one.name,
            work: one.work,
        };
        let shape = |one: workflows::operating::ShapeKnown| ShapeView {
            workflow: one.workflow,
            writes: one.writes,
            reads: one.reads,
        };
        Self {
            runs: runs.into_iter().map(run).collect(),
            work: work.into_iter().map(work_of).collect(),
            known: known.into_iter().map(shape).collect(),
            unread: all(damaged),
        }
    }
}
