//! A workflow small enough to see through: a seat in a theatre is held, paid for, and given up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{
    Attempt, Called, Changed, Conflict, Databases, Ended, Engine, Fact, Fault, Found, News, Observe, Party, Perform,
    Policy, PostFacts, Posted, Project, ProjectError, Refusal, Registry, RunId, Settings, Step, Timestamp, Tried, Tx,
    Workflow,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use harness::TestDatabase;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// The seat whose rows cannot be written: the projection panics.
pub(super) const JINXED: i64 = -13;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seat;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) seat: i64,
    pub(super) hold: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum State {
    Held,
    Paid { receipt: String },
    Away,
    Lost,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    Paid {
        receipt: String,
    },
    PaymentFailed,
    GivenUp,
    /// The hold ends at once.
    Hurried,
    ChangedMind,
    CameBack,
    NoSeatLeft,
    Elapsed(Timer),
    Greeted {
        by: RunId,
    },
    Explode,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Effect {
    Pay { seat: i64 },
    Notify,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Timer {
    HoldEnds,
    Reminder,
}

impl Workflow for Seat {
    const NAME: &'static str = "seat";
    type Input = Terms;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(terms: &Terms, now: Timestamp) -> Step<Self> {
        let ends = now + Duration::from_secs(u64::try_from(terms.hold).unwrap_or(0));
        Step::to(State::Held).takes("seat").run(Effect::Pay { seat: terms.seat }).timer(Timer::HoldEnds, ends)
    }

    fn on(terms: &Terms, state: State, event: Event, now: Timestamp) -> Result<Step<Self>, Refusal> {
        use Event as E;
        use State as S;
        Ok(match (state, event) {
            (S::Held, E::Paid { receipt }) => Step::to(S::Paid { receipt }).post(Fact::new("sold", &terms.seat)),
            (S::Held, E::PaymentFailed) => Step::to(S::Lost),
            (S::Held, E::Hurried) => Step::to(S::Held).timer(Timer::HoldEnds, now),
            (S::Held | S::Paid { .. }, E::GivenUp) => Step::to(S::Away),
            (S::Held, E::ChangedMind) => Step::to(S::Away).withdraw(Effect::Pay { seat: terms.seat }),
            (S::Held, E::Elapsed(Timer::HoldEnds)) => Step::to(S::Away),
            (S::Paid { receipt }, E::Elapsed(Timer::Reminder)) => Step::to(S::Paid { receipt }).run(Effect::Notify),
            (S::Away, E::CameBack) => Step::to(S::Held).takes("seat"),
            (S::Away, E::NoSeatLeft) => Step::to(S::Lost),
            (S::Away, E::Paid { .. }) => Step::to(S::Held).takes("seat"),
            (_, E::Greeted { .. }) => Step::ignore("a greeting needs no answer"),
            (_, E::Explode) => panic!("a planted panic"),
            _ => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed(timer: Timer) -> Event {
        Event::Elapsed(timer)
    }

    fn is_final(state: &State) -> bool {
        matches!(state, State::Lost)
    }

    fn contested(_event: Event, _conflict: &Conflict) -> Option<Event> {
        Some(Event::NoSeatLeft)
    }

    fn gave_up(effect: &Effect) -> Option<Event> {
        matches!(effect, Effect::Pay { .. }).then_some(Event::PaymentFailed)
    }

    fn policy(_effect: &Effect) -> Policy {
        Policy { base: Duration::from_millis(1), ..Policy::default().attempts(3) }
    }

    fn request(terms: &Terms, effect: &Effect) -> Option<String> {
        matches!(effect, Effect::Pay { .. }).then(|| format!("seat={}", terms.seat))
    }
}

impl Project<Tx> for Seat {
    type Error = DbErr;

    async fn project(tx: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        let backend = tx.get_database_backend();
        for one in changed {
            assert!(one.input.seat != JINXED, "a planted panic in the projection");
            let holds = matches!(one.state, State::Held | State::Paid { .. });
            let id: sea_orm::Value = one.run.uuid().into();
            let clear = Statement::from_sql_and_values(backend, "delete from toy_seat where run = $1", [id.clone()]);
            tx.execute_raw(clear).await?;
            if holds {
                let seat = one.input.seat.into();
                let sql = "insert into toy_seat (seat, run) values ($1, $2)";
                tx.execute_raw(Statement::from_sql_and_values(backend, sql, [seat, id])).await?;
            }
        }
        Ok(())
    }
}

/// What the box office does at the next call for a seat.
#[derive(Clone, Debug)]
pub(super) enum Mood {
    Fine,
    Down,
    LostReply,
    Mistaken,
    Panics,
    /// It answers when `BoxOffice::answer` is notified.
    Waits,
}

/// A call as the outside party saw it: the key and the saved request.
pub(super) type Call = (String, Option<String>);

/// The outside party: keeps its own books, by key.
#[derive(Clone, Default)]
pub(super) struct BoxOffice {
    pub(super) sold: Arc<Mutex<HashMap<String, i64>>>,
    pub(super) calls: Arc<Mutex<Vec<Call>>>,
    pub looked_up: Arc<Mutex<usize>>,
    /// Whether it has lost its books: it cannot say what became of a call.
    pub(super) lost_its_books: Arc<Mutex<bool>>,
    moods: Arc<Mutex<Vec<Mood>>>,
    /// Answers of those who wait.
    pub(super) answer: Arc<Notify>,
}

impl BoxOffice {
    pub(super) fn will(&self, moods: &[Mood]) {
        self.moods.lock().unwrap().extend(moods.iter().rev().cloned());
    }
}

impl Perform<Seat> for BoxOffice {
    async fn perform(&self, cx: &Attempt<Seat>, effect: Effect) -> Result<Event, Fault> {
        let Effect::Pay { seat } = effect else { return Ok(Event::Greeted { by: cx.run() }) };
        self.calls.lock().unwrap().push((cx.key.clone(), cx.request.clone()));
        let mood = self.moods.lock().unwrap().pop().unwrap_or(Mood::Fine);
        if matches!(mood, Mood::Waits) {
            self.answer.notified().await;
        }
        if matches!(mood, Mood::Fine | Mood::LostReply | Mood::Waits) {
            self.sold.lock().unwrap().insert(cx.key.clone(), seat);
        }
        match mood {
            Mood::Fine | Mood::Waits => Ok(Event::Paid { receipt: format!("r{seat}") }),
            Mood::Down => Err(Fault::transient("the box office is closed")),
            Mood::LostReply => Err(Fault::unknown("no reply")),
            Mood::Mistaken => Err(Fault::misconfigured("wrong password")),
            Mood::Panics => panic!("a planted panic"),
        }
    }

    async fn look_up(&self, cx: &Attempt<Seat>, _effect: &Effect) -> Result<Found<Event>, Fault> {
        *self.looked_up.lock().unwrap() += 1;
        if *self.lost_its_books.lock().unwrap() {
            return Ok(Found::Unknown);
        }
        Ok(match self.sold.lock().unwrap().get(&cx.key) {
            Some(seat) => Found::Done(Event::Paid { receipt: format!("r{seat}") }),
            None => Found::Absent,
        })
    }
}

/// Counts the facts that reach the poster.
#[derive(Clone, Default)]
pub(super) struct Posts(pub(super) Arc<Mutex<Vec<Posted>>>);

impl PostFacts for Posts {
    fn post<'a>(&'a self, _tx: &'a Tx, facts: &'a [Posted]) -> BoxFuture<'a, Result<(), DbErr>> {
        self.0.lock().unwrap().extend_from_slice(facts);
        async { Ok(()) }.boxed()
    }
}

/// A call as the engine tells of it: what it was for, and the class of its failure.
pub(super) type Told = (String, Option<&'static str>);

/// Remembers what the engine tells of itself.
#[derive(Clone, Default)]
pub(super) struct Heard {
    /// How every try ended.
    pub(super) ends: Arc<Mutex<Vec<Ended>>>,
    /// What was put aside, by the class of its failure.
    pub(super) parked: Arc<Mutex<Vec<String>>>,
    /// Calls to outside parties.
    pub(super) calls: Arc<Mutex<Vec<Told>>>,
    /// In which states runs ended, and how long they had lasted.
    pub(super) endings: Arc<Mutex<Vec<(String, Duration)>>>,
    /// Waits for connections, by the pool.
    pub(super) waits: Arc<Mutex<Vec<(&'static str, Duration)>>>,
    /// How many turns each commit of the writer had.
    pub(super) commits: Arc<Mutex<Vec<usize>>>,
    /// Whether what was remembered of runs was so.
    pub(super) recalled: Arc<Mutex<Vec<bool>>>,
    /// How many groups were split.
    pub(super) splits: Arc<AtomicUsize>,
}

impl Observe for Heard {
    fn committed(&self, turns: usize, _took: Duration) {
        self.commits.lock().unwrap().push(turns);
    }

    fn recalled(&self, same: bool) {
        self.recalled.lock().unwrap().push(same);
    }

    fn split(&self) {
        self.splits.fetch_add(1, Relaxed);
    }

    fn parked(&self, _queue: &str, class: &str) {
        self.parked.lock().unwrap().push(class.to_owned());
    }

    fn waited(&self, pool: &'static str, took: Duration) {
        self.waits.lock().unwrap().push((pool, took));
    }

    fn news(&self, news: &News) {
        if let News::Finished { state, lasted, .. } = news {
            self.endings.lock().unwrap().push((state.clone(), *lasted));
        }
    }

    fn called(&self, called: &Called<'_>) {
        self.calls.lock().unwrap().push((called.effect.to_owned(), called.failed));
    }

    fn tried(&self, tried: &Tried<'_>) {
        self.ends.lock().unwrap().push(tried.ended);
    }
}

/// An engine over a test's database, with the toy and its world.
pub(super) struct Theatre {
    pub(super) engine: Engine,
    pub(super) heard: Heard,
    pub(super) office: BoxOffice,
    pub(super) posts: Posts,
    pub(super) db: TestDatabase,
}

impl Theatre {
    pub(super) async fn open(db: TestDatabase) -> Self {
        build(&db).await;
        Self::beside(&db, BoxOffice::default(), 1).await
    }

    /// One whose calls to the box office are calls to an outside party.
    pub(super) async fn of_a_party(db: TestDatabase) -> Self {
        build(&db).await;
        let parties = Registry::new().party(Party::new("box office", &["default"]));
        Self::of(&db, BoxOffice::default(), parties, process(1).rooms(&ROOMS)).await
    }

    /// Another process's worth of engine over the same database and the same outside world.
    pub(super) async fn beside(db: &TestDatabase, office: BoxOffice, number: u128) -> Self {
        Self::of(db, office, Registry::new(), process(number).rooms(&ROOMS)).await
    }

    /// One that only takes orders, as an API does: it carries nothing out.
    pub(super) async fn without_hands(db: &TestDatabase, office: BoxOffice, number: u128) -> Self {
        Self::of(db, office, Registry::new(), process(number)).await
    }

    async fn of(db: &TestDatabase, office: BoxOffice, parties: Registry, mut settings: Settings) -> Self {
        let (posts, heard) = (Posts::default(), Heard::default());
        let processes = {
            let (office, posts) = (office.clone(), posts.clone());
            move |registry: Registry| registry.register::<Seat>(office.clone()).facts(posts.clone())
        };
        let registry = processes(parties);
        db.proven_by(move || processes(Registry::new()));
        settings.observer = Arc::new(heard.clone());
        let engine = Engine::open(settings, connect(db).await, registry);
        engine.beat().await.unwrap();
        Self { engine, heard, office, posts, db: db.clone() }
    }

    pub(super) async fn count(&self, sql: &str) -> i64 {
        count(&self.db, sql).await
    }

    pub(super) async fn state(&self, run: RunId) -> State {
        self.engine.read_state::<Seat>(run).await.unwrap().expect("the run exists").1
    }

    pub(super) async fn keys(&self, run: RunId) -> Vec<String> {
        self.engine.journal(run).await.unwrap().into_iter().map(|t| t.key).collect()
    }
}

const ROOMS: [(&str, usize); 2] = [("default", 64), ("engine", 64)];

fn process(number: u128) -> Settings {
    Settings::new("test", uuid::Uuid::from_u128(number), "test")
}

async fn build(db: &TestDatabase) {
    let sql = "create table toy_seat (seat bigint primary key, run uuid not null)";
    db.connection.execute_unprepared(sql).await.unwrap();
}

/// Connections as a process of its own has them.
pub(super) async fn connect(db: &TestDatabase) -> Databases {
    db.databases().await.unwrap()
}

pub(super) async fn count(db: &TestDatabase, sql: &str) -> i64 {
    let row =
        db.connection.query_one_raw(Statement::from_string(db.connection.get_database_backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

pub(super) fn run(n: u128) -> RunId {
    RunId::from_uuid(uuid::Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + n))
}

pub(super) fn terms(seat: i64) -> Terms {
    Terms { seat, hold: 900 }
}
