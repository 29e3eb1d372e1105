//! A workflow of calls, each with its own queue, priority and lane, and a world that answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{
    Attempt, Changed, Engine, Fault, Found, Lane, Limits, Origin, Party, Perform, Policy, Priority, Project,
    ProjectError, Refusal, Registry, RunId, Settings, Step, Timestamp, Tx, Workflow,
};
use harness::TestDatabase;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};
use serde::{Deserialize, Serialize};

use super::toy::{BoxOffice, Seat, connect, run};

/// One call to make, then the run is over.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) line: Line,
    pub(super) urgency: Urgency,
    pub(super) lane: Option<(String, i32)>,
    /// How often it is called before it is given up, and how far apart.
    pub(super) patience: Option<(i32, u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Line {
    Phone,
    Post,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Urgency {
    High,
    Normal,
    Low,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum State {
    Calling,
    Answered,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    Answered,
    Declined,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Effect {
    Dial { order: Order },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Timer {}

impl Workflow for Call {
    const NAME: &'static str = "call";
    type Input = Order;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(order: &Order, _now: Timestamp) -> Step<Self> {
        Step::to(State::Calling).run(Effect::Dial { order: order.clone() })
    }

    fn on(_order: &Order, state: State, _event: Event, _now: Timestamp) -> Result<Step<Self>, Refusal> {
        match state {
            State::Calling => Ok(Step::to(State::Answered)),
            State::Answered => Err(Refusal::out_of_turn()),
        }
    }

    fn elapsed(timer: Timer) -> Event {
        match timer {}
    }

    fn is_final(state: &State) -> bool {
        *state == State::Answered
    }

    fn policy(Effect::Dial { order }: &Effect) -> Policy {
        let priority = match order.urgency {
            Urgency::High => Priority::High,
            Urgency::Normal => Priority::Normal,
            Urgency::Low => Priority::Low,
        };
        let policy = Policy::on(order.line.queue()).priority(priority);
        match order.patience {
            Some((attempts, base, cap)) => Policy {
                attempts,
                base: Duration::from_secs(base),
                cap: Duration::from_secs(cap),
                time_limit: Duration::from_millis(200),
                ..policy
            },
            None => Policy { base: Duration::ZERO, ..policy },
        }
    }

    fn lane(_order: &Order, Effect::Dial { order }: &Effect) -> Option<Lane> {
        order.lane.as_ref().map(|(key, most)| Lane::wide(key, *most))
    }
}

impl Line {
    pub(super) const fn queue(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Post => "post",
        }
    }
}

impl Project<Tx> for Call {
    type Error = DbErr;

    async fn project(_tx: &Tx, _changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tone {
    Answers,
    Declines,
    Engaged,
    EngagedFor(Duration),
    Breaks,
    NeverAnswers,
    NoSuchNumber,
}

/// The world at the other end: every line answers unless it is told otherwise.
#[derive(Clone, Default)]
pub(super) struct World {
    phone: Arc<Mutex<VecDeque<Tone>>>,
    pub(super) dialled: Arc<Mutex<Vec<RunId>>>,
}

impl World {
    /// The next calls by phone sound like this.
    pub(super) fn phone_will(&self, tones: &[Tone]) {
        self.phone.lock().unwrap().extend(tones);
    }

    pub(super) fn calls(&self) -> usize {
        self.dialled.lock().unwrap().len()
    }
}

impl Perform<Call> for World {
    async fn perform(&self, cx: &Attempt<Call>, Effect::Dial { order }: Effect) -> Result<Event, Fault> {
        self.dialled.lock().unwrap().push(cx.run());
        let told = if order.line == Line::Phone { self.phone.lock().unwrap().pop_front() } else { None };
        match told.unwrap_or(Tone::Answers) {
            Tone::Answers => Ok(Event::Answered),
            Tone::Declines => Ok(Event::Declined),
            Tone::Engaged => Err(Fault::transient("engaged")),
            Tone::EngagedFor(pause) => Err(Fault::Transient { what: "engaged".into(), retry_after: Some(pause) }),
            Tone::Breaks => Err(Fault::unknown("the line broke")),
            Tone::NeverAnswers => std::future::pending().await,
            Tone::NoSuchNumber => Err(Fault::misconfigured("no such number")),
        }
    }

    async fn look_up(&self, _cx: &Attempt<Call>, _effect: &Effect) -> Result<Found<Event>, Fault> {
        Ok(Found::Absent)
    }
}

/// One process's worth of engine that makes calls.
pub(super) struct Switchboard {
    pub(super) engine: Engine,
    pub(super) world: World,
    pub(super) db: TestDatabase,
}

/// How a switchboard is set up.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) process: u128,
    /// Room in each of the two lines' queues.
    pub(super) room: usize,
    /// How the phone is called.
    pub(super) phone: Limits,
}

impl Default for Plan {
    fn default() -> Self {
        Self { process: 1, room: 64, phone: Limits::default() }
    }
}

impl Plan {
    /// A process that only queues work.
    pub(super) fn idle() -> Self {
        Self { process: 99, room: 0, ..Self::default() }
    }

    pub(super) async fn open(self, db: &TestDatabase, world: &World) -> Switchboard {
        let callers = world.clone();
        db.proven_by(move || Registry::new().register::<Call>(callers.clone()).register::<Seat>(BoxOffice::default()));
        let registry = Registry::new()
            .register::<Call>(world.clone())
            .register::<Seat>(BoxOffice::default())
            .party(Party::new("telephone company", &["phone"]).limits(self.phone))
            .party(Party::new("post office", &["post"]));
        let rooms = [("phone", self.room), ("post", self.room), ("default", self.room), ("engine", self.room)];
        let mut settings = Settings::new("test", uuid::Uuid::from_u128(self.process), "test");
        settings.look = Duration::ZERO;
        if self.room > 0 {
            settings = settings.rooms(&rooms);
        }
        let engine = Engine::open(settings, connect(db).await, registry);
        engine.beat().await.unwrap();
        Switchboard { engine, world: world.clone(), db: db.clone() }
    }
}

pub(super) fn order(line: Line) -> Order {
    Order { line, urgency: Urgency::Normal, lane: None, patience: None }
}

#[derive(Debug, FromQueryResult)]
struct Counted {
    name: String,
    count: i64,
}

impl Switchboard {
    /// Queues a call in each of these runs.
    pub(super) async fn order(&self, numbers: impl IntoIterator<Item = u128>, order: &Order) {
        for n in numbers {
            self.engine.start::<Call>(run(n), &format!("k{n}"), order, Origin::default()).await.unwrap();
        }
    }

    /// Leases in somebody's hands, by a column of the work.
    pub(super) async fn leased(&self, by: &str) -> Vec<(String, i64)> {
        let sql = format!(
            "select {by} as name, count(*) as count from workflow_work where not_before = 9223372036854775806 and {by} is not null group by 1 order by 1"
        );
        let statement = Statement::from_string(self.db.connection.get_database_backend(), sql);
        let rows = Counted::find_by_statement(statement).all(&self.db.connection).await.unwrap();
        rows.into_iter().map(|row| (row.name, row.count)).collect()
    }

    pub(super) async fn answered(&self) -> i64 {
        super::toy::count(&self.db, "select count(*) from workflow_run where state_name = 'Answered'").await
    }

    /// What is in this process's hands now, without carrying it out: the runs, in the order they were handed out.
    pub(super) async fn in_hands(&self) -> Vec<RunId> {
        let mut runs = vec![];
        for _ in 0..self.engine.hands().holding() {
            runs.push(self.engine.hands().next().await.expect("the hands are open").work().run);
        }
        runs
    }

    /// Carries out everything in this process's hands.
    pub(super) async fn carry_out(&self) {
        for _ in 0..self.engine.hands().holding() {
            let lease = self.engine.hands().next().await.expect("the hands are open");
            self.engine.execute(lease).await;
        }
    }

    pub(super) async fn sql(&self, sql: &str) {
        self.db.connection.execute_unprepared(sql).await.unwrap();
    }
}
