//! Measured: what a million finished runs cost a claim and a turn, before and after they go to the archive. A claim must not be slower.
//!
//! Two databases side by side, one of them full, are measured in turns, so that whatever else the machine does meets both alike.

use super::toy::{connect, count, run};
use engine::{
    Attempt, Changed, Engine, EventKey, Fault, Origin, Perform, Project, ProjectError, Refusal, Registry, Retention,
    Settings, Step, Timestamp, Tx, Workflow,
};
use harness::{Backend, TestDatabase};
use sea_orm::{ConnectionTrait, DbErr};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Finished runs in the full database, each with three turns.
const FINISHED: i64 = 1_000_000;
/// Runs that live in both, each with an effect that is due and a timer that is not.
const LIVING: u128 = 2_000;
/// Measurements of each kind in each database.
const ROUNDS: usize = 40;
/// How many times as long a claim may take beside a million finished runs: what two equal databases differ by on a busy machine.
const AS_FAST: f64 = 1.5;
/// Events of one measured group of turns.
const GROUP: u128 = 200;

/// A parcel on its way: handed over once, traced often.
#[derive(Clone, Debug, PartialEq)]
struct Parcel;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Underway { traces: u32 },
    Delivered,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Traced,
    Delivered,
    Overdue,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Effect {
    Deliver,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Timer {
    Overdue,
}

impl Workflow for Parcel {
    const NAME: &'static str = "parcel";
    type Input = String;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(_: &String, now: Timestamp) -> Step<Self> {
        let week = Duration::from_secs(7 * 86_400);
        Step::to(State::Underway { traces: 0 }).run(Effect::Deliver).timer(Timer::Overdue, now + week)
    }

    fn on(_: &String, state: State, event: Event, _: Timestamp) -> Result<Step<Self>, Refusal> {
        Ok(match (state, event) {
            (State::Underway { traces }, Event::Traced) => Step::to(State::Underway { traces: traces + 1 }),
            (State::Underway { .. }, Event::Delivered) => Step::to(State::Delivered),
            _ => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed(_: Timer) -> Event {
        Event::Overdue
    }

    fn is_final(state: &State) -> bool {
        *state == State::Delivered
    }

    fn retention() -> Retention {
        Retention::default()
    }
}

struct Idle;
impl Perform<Parcel> for Idle {
    async fn perform(&self, _: &Attempt<Parcel>, _: Effect) -> Result<Event, Fault> {
        Ok(Event::Delivered)
    }
}
impl Project<Tx> for Parcel {
    type Error = DbErr;
    async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

/// A database with its living runs, measured.
struct Depot {
    engine: Engine,
    db: TestDatabase,
    traced: u128,
    claims: Vec<Duration>,
    turns: Vec<Duration>,
}

impl Depot {
    async fn open(db: TestDatabase) -> Self {
        let registry = || Registry::new().register::<Parcel>(Idle);
        let settings = |process| Settings::new("test", uuid::Uuid::from_u128(process), "test");
        // Whoever starts the runs has no room: their effects wait for the claim that is measured.
        let post = Engine::open(settings(1), connect(&db).await, registry());
        let address = "12 Rue des Martyrs".to_owned();
        let (post, address) = (&post, &address);
        let sent = (0..LIVING).map(|n| async move {
            post.start::<Parcel>(run(n), &format!("parcel-{n}"), address, Origin::default()).await.unwrap();
        });
        futures::future::join_all(sent).await;
        let engine = Engine::open(settings(2).rooms(&[("default", 64)]), connect(&db).await, registry());
        engine.beat().await.unwrap();
        Self { engine, db, traced: 0, claims: vec![], turns: vec![] }
    }

    /// One claim of a full room, and one group of turns.
    async fn measure(&mut self) {
        let began = Instant::now();
        // Now and then a claim leaves three quarters of its room to less urgent work; the next one fills it.
        let mut claimed = 0;
        while claimed < 64 {
            claimed += self.engine.claim().await.unwrap();
        }
        self.claims.push(began.elapsed());
        for _ in 0..64 {
            drop(self.engine.hands().next().await);
        }
        // As it was, for the next claim.
        self.execute("update workflow_work set holder = null, not_before = due, attempt = 0, first_claimed_at = null where kind = 0").await;

        let engine = &self.engine;
        let word = self.traced;
        let traces = (0..GROUP).map(|n| {
            let key = EventKey::webhook("post", &format!("{word}"));
            async move {
                engine
                    .note::<Parcel>(run((word * GROUP + n) % LIVING), &Event::Traced, key, Origin::default())
                    .await
                    .unwrap()
            }
        });
        let began = Instant::now();
        futures::future::join_all(traces).await;
        self.turns.push(began.elapsed());
        self.traced += 1;
    }

    async fn execute(&self, sql: &str) {
        self.db.connection.execute_unprepared(sql).await.unwrap();
    }

    /// Fills in runs that finished a minute apart, oldest first, with the journals that such runs have.
    async fn fill(&self) {
        let (series, id, bytes, at) = match self.db.backend {
            Backend::Postgres => (
                format!("generate_series(1, {FINISHED}) i(n)"),
                "(lpad(to_hex(1600000000000 + n::int8 * 60000), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid",
                "sha256(n::text::bytea)",
                "1600000000000000 + n::int8 * 60000000",
            ),
            Backend::Sqlite => (
                format!(
                    "(with recursive i(n) as (select 1 union all select n + 1 from i where n < {FINISHED}) select n from i) i"
                ),
                "unhex(printf('%012x7%s8%s', 1600000000000 + n * 60000, substr(hex(randomblob(2)), 1, 3), substr(hex(randomblob(8)), 1, 15)))",
                "randomblob(32)",
                "1600000000000000 + n * 60000000",
            ),
        };
        self.execute(&format!(
            "insert into workflow_run (id, workflow, key, parent, input, state, state_name, shape, seq, status, unexpected, head, created_at, updated_at)
             select {id}, 'parcel', 'old-' || n, null, '\"12 Rue des Martyrs, 75009 Paris, first floor, ring twice\"', '\"Delivered\"', 'Delivered',
               1, 2, 1, 0, {bytes}, {at}, {at} from {series}"
        ))
        .await;
        self.execute(
            "insert into workflow_journal (run, key, seq, at, verdict, event, from_state, to_state, note, shape, attempts, last_error, actor,
               on_behalf_of, request_id, trace, state_digest, hash)
             select r.id, k.key, k.seq, r.updated_at, 0, k.event, k.before, k.after, null, 1, 0, null, 'usr_0196', null, 'req_0196', null, r.head, r.head
             from workflow_run r, (select 'start' as key, 0 as seq, '\"start\"' as event, '' as before, 'Underway' as after
               union all select 'wh:post:0', 1, '\"Traced\"', 'Underway', 'Underway'
               union all select 'fx:0:0', 2, '\"Delivered\"', 'Underway', 'Delivered') k
             where r.status = 1",
        )
        .await;
    }

    /// What the servers' own housekeeping would have done by the next day.
    async fn tidy(&self) {
        match self.db.backend {
            Backend::Postgres => self.execute("vacuum analyze").await,
            Backend::Sqlite => self.execute("pragma wal_checkpoint(truncate)").await,
        }
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Measures both in turns and says how the full one compares.
async fn compare(when: &str, empty: &mut Depot, full: &mut Depot) {
    empty.tidy().await;
    full.tidy().await;
    for round in 0..ROUNDS + 5 {
        if round == 5 {
            // The first ones warm up.
            for depot in [&mut *empty, &mut *full] {
                depot.claims.clear();
                depot.turns.clear();
            }
        }
        empty.measure().await;
        full.measure().await;
    }
    let mut say = |what: &str, times: fn(&mut Depot) -> &mut Vec<Duration>| {
        let (without, with) = (median(std::mem::take(times(empty))), median(std::mem::take(times(full))));
        println!(
            "{}: {what}: {without:.2} ms without, {with:.2} ms with the million {when}: {:.2}×",
            empty.db.backend,
            with / without
        );
        with / without
    };
    let slower = say("a claim of 64", |depot| &mut depot.claims);
    assert!(slower < AS_FAST, "the million {when} makes a claim slower");
    say("200 turns", |depot| &mut depot.turns);
}

async fn a_million_finished_runs(db: TestDatabase) {
    let other = TestDatabase::fresh(db.backend).await.unwrap();
    // What fills one of them has no history that could be proven.
    db.is_forged();
    let (mut empty, mut full) = (Depot::open(other.clone()).await, Depot::open(db).await);
    let began = Instant::now();
    full.fill().await;
    println!("{}: {FINISHED} finished runs and their journals came in {:?}", full.db.backend, began.elapsed());
    compare("finished", &mut empty, &mut full).await;

    let began = Instant::now();
    let moved = full.engine.archive(u64::MAX).await.unwrap();
    let rate = moved as f64 / began.elapsed().as_secs_f64();
    println!("{}: {moved} went to the archive in {:?}, {rate:.0} a second", full.db.backend, began.elapsed());
    assert_eq!(count(&full.db, "select count(*) from workflow_archive").await, FINISHED);
    compare("archived", &mut empty, &mut full).await;
    other.remove().await.unwrap();
}

#[test]
#[ignore = "measured run of some minutes: ./ops/test --run-ignored only --no-capture -E 'test(million::postgres)'"]
fn postgres() {
    harness::both::run(Backend::Postgres, a_million_finished_runs);
}

#[test]
#[ignore = "measured run of some minutes: ./ops/test --run-ignored only --no-capture -E 'test(million::sqlite)'"]
fn sqlite() {
    harness::both::run(Backend::Sqlite, a_million_finished_runs);
}
