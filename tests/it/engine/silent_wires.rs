//! Wires that fall silent and stay: nothing arrives, and nobody is told. What is cut is heard of; this is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{
    Act, CatchUp, Databases, Engine, Fire, Origin, Pools, Registry, RunId, Schedule, Settings, Target, Workflow,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use harness::proxy::{Lost, Proxy, Road, Way};
use harness::{Backend, TestDatabase};
use sea_orm::{ConnectionTrait, DbErr};

use super::toy::{BoxOffice, Seat, count, run, terms};

/// How long an answer is waited for here; the product waits longer.
const SILENCE: Duration = Duration::from_millis(500);
/// By when everything has gone on. PostgreSQL gives up a transaction that has fallen silent after fifteen seconds.
const PATIENCE: Duration = Duration::from_secs(45);

/// A process behind a wire of its own.
struct Seaside {
    engine: Engine,
    proxy: Proxy,
    /// The database without the wire.
    db: TestDatabase,
}

impl Seaside {
    async fn open(db: TestDatabase, silence: Duration) -> Self {
        let sql = "create table toy_seat (seat bigint primary key, run uuid not null)";
        sea_orm::ConnectionTrait::execute_unprepared(&db.connection, sql).await.unwrap();
        db.proven_by(|| Registry::new().register::<Seat>(BoxOffice::default()));
        let (_, rest) = db.url.split_once("127.0.0.1:").expect("the tests' server is on loopback");
        let port = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        let proxy = Proxy::to(port).unwrap();
        let pools = Pools { write: 6, read: 3, patience: PATIENCE, silence };
        let databases = Databases::postgres(&proxy.instead_of(&db.url), pools).await.unwrap();
        let settings = Settings::new("test", uuid::Uuid::from_u128(1), "test").rooms(&[("default", 4)]);
        let nothing: Fire = Arc::new(|_, _| async { Ok(()) }.boxed());
        let minutes = Schedule::parse("minutes", "0 * * * * *", chrono_tz::Tz::UTC, nothing).unwrap();
        let processes =
            Registry::new().register::<Seat>(BoxOffice::default()).schedule(minutes.catch_up(CatchUp::Once));
        let engine = Engine::open(settings, databases, processes);
        Self { engine, proxy, db }
    }

    /// Begins runs, all at once, and each is one turn.
    async fn begins(&self, runs: std::ops::Range<u128>) {
        let begin = async |id: u128| {
            let (seat, key) = (terms(i64::try_from(id).unwrap()), format!("k{id}"));
            let begun = self.engine.start::<Seat>(run(id), &key, &seat, Origin::default());
            let begun = tokio::time::timeout(PATIENCE, begun).await.expect("nobody waits without end").unwrap();
            assert_eq!(begun.seq, 0);
        };
        futures::future::join_all(runs.map(begin)).await;
    }

    /// Every question is answered, one day: a busy machine may be silent for as long.
    async fn answers(&self) {
        for (what, ask) in QUESTIONS {
            let answered = || async { ask(&self.engine).await.ok() };
            harness::wait::until(PATIENCE, what, answered).await.unwrap();
        }
    }

    async fn has(&self, runs: i64) {
        for table in ["workflow_run", "workflow_journal", "toy_seat"] {
            assert_eq!(count(&self.db, &format!("select count(*) from {table}")).await, runs, "{table}");
        }
    }
}

#[test]
fn a_commit_on_a_wire_that_fell_silent_is_one_turn() {
    harness::both::run(Backend::Postgres, |db| async move {
        let shore = Arc::new(Seaside::open(db, SILENCE).await);
        shore.begins(0..3).await;
        for (nth, lost) in [Lost::Answer, Lost::Question].into_iter().enumerate() {
            shore.proxy.hush_commits(lost, 1);
            let first = 10 * (1 + nth as u128);
            shore.begins(first..first + 5).await;
            assert_eq!(shore.proxy.seen().commits_lost, 1 + nth as u64, "the test saw nothing");
            // But for that of the transaction that PostgreSQL has given up after a while, which the client let go long before.
            let given_up = u64::from(lost == Lost::Question);
            assert!(shore.proxy.seen().resets <= given_up, "no wire was cut: nobody was told");
        }
        shore.has(13).await;
    });
}

#[test]
fn a_wire_that_fell_silent_is_not_used_again() {
    harness::both::run(Backend::Postgres, |db| async move {
        let shore = Seaside::open(db, SILENCE).await;
        shore.begins(0..3).await;
        for round in 1..4 {
            // Whatever connections there are, idle ones among them.
            let connections = shore.proxy.seen().connections;
            shore.proxy.strand();
            shore.begins(round * 10..round * 10 + 5).await;
            assert!(shore.proxy.seen().connections > connections, "a new one was opened");
        }
        shore.has(18).await;
    });
}

/// Something that is asked of the database by itself.
type Question = (&'static str, fn(&Engine) -> BoxFuture<'_, Result<(), DbErr>>);

/// What people look at, and what a worker does again and again.
const QUESTIONS: [Question; 16] = [
    ("a run", |engine| engine.run(run(0)).map(|answer| answer.map(drop)).boxed()),
    ("a transcript", |engine| engine.transcript(run(0)).map(|answer| answer.map(drop)).boxed()),
    ("a replay", |engine| engine.replay(run(0)).map(|answer| answer.map(drop)).boxed()),
    ("the depths", |engine| engine.depths().map(|answer| answer.map(drop)).boxed()),
    ("the brakes", |engine| engine.brakes().map(|answer| answer.map(drop)).boxed()),
    ("the schedules", |engine| engine.schedules().map(|answer| answer.map(drop)).boxed()),
    ("the vitals", |engine| engine.vitals().map(|answer| answer.map(drop)).boxed()),
    ("the clock", |engine| engine.now().map(|answer| answer.map(drop)).boxed()),
    ("a beat", |engine| engine.beat().boxed()),
    ("a rescue", |engine| engine.rescue().map(|answer| answer.map(drop)).boxed()),
    ("a seal", |engine| engine.seal().map(|answer| answer.map(drop)).boxed()),
    ("a tick", |engine| engine.fire_ticks().map(|answer| answer.map(drop)).boxed()),
    ("a round of the archive", |engine| engine.archive(10).map(|answer| answer.map(drop)).boxed()),
    ("a claim", |engine| engine.claim().map(|answer| answer.map(drop)).boxed()),
    ("a projection", |engine| {
        let from = RunId::from_uuid(uuid::Uuid::nil());
        engine.reproject(Seat::NAME, (from, 10), Act::Write).map(|answer| answer.map(drop)).boxed()
    }),
    ("a pause", |engine| {
        let queue = Target::Queue("default".to_owned());
        async move { engine.pause(&queue, "the test", "test").await.map(drop) }.boxed()
    }),
];

#[test]
fn whatever_is_asked_on_a_wire_that_fell_silent_fails_and_is_answered_on_the_next() {
    harness::both::run(Backend::Postgres, |db| async move {
        let shore = Seaside::open(db, SILENCE).await;
        shore.begins(0..3).await;
        shore.answers().await;
        shore.proxy.road(Way::Down, Road { closed: true, ..Road::default() });
        for (what, ask) in QUESTIONS {
            let answer = tokio::time::timeout(PATIENCE, ask(&shore.engine)).await;
            assert!(answer.unwrap_or_else(|_| panic!("{what} is waited for without end")).is_err(), "{what}");
        }
        let silences: u64 = shore.engine.databases().pools().iter().map(|pool| pool.silences).sum();
        assert!(silences >= 10, "{silences}: operators see them, but for the heart's");
        shore.proxy.heal();
        shore.answers().await;
    });
}

#[test]
fn a_long_reading_goes_on_as_long_as_there_are_answers() {
    harness::both::run(Backend::Postgres, |db| async move {
        let silence = 4 * SILENCE;
        let shore = Seaside::open(db, silence).await;
        shore.begins(0..6).await;
        shore.proxy.road(Way::Down, Road { delay: silence / 16, ..Road::default() });
        let began = Instant::now();
        for n in 0..20 {
            assert!(shore.engine.replay(run(n % 6)).await.unwrap().is_some());
        }
        assert!(began.elapsed() > silence, "the whole took longer than one answer may");
    });
}

/// The driver forgets a transaction whose future is dropped while the server's answer to BEGIN is on its way.
#[test]
fn a_begin_that_is_answered_when_nobody_waits_any_more_leaves_nothing_open() {
    harness::both::run(Backend::Postgres, |db| async move {
        let shore = Seaside::open(db, SILENCE).await;
        shore.db.connection.execute_unprepared("create table note (n bigint primary key)").await.unwrap();
        let begun = || async { shore.engine.begin().await.ok() };
        drop(harness::wait::until(PATIENCE, "a first connection", begun).await.unwrap());
        for n in 0..5 {
            shore.proxy.road(Way::Down, Road { closed: true, ..Road::default() });
            let begun = tokio::time::timeout(PATIENCE, shore.engine.begin()).await.expect("nobody waits without end");
            assert!(begun.is_err(), "the answer is held up");
            shore.proxy.heal();
            let write = || async {
                let insert = format!("insert into note values ({n}) on conflict do nothing");
                shore.engine.databases().write().execute_unprepared(&insert).await.ok()
            };
            harness::wait::until(PATIENCE, "somebody else writes", write).await.unwrap();
            assert_eq!(count(&shore.db, "select count(*) from note").await, n + 1, "and it is written");
        }
    });
}
