//! Wires that fall silent and stay: nothing arrives, and nobody is told. What is cut is heard of; this is not.

use std::sync::Arc;
use std::time::Duration;

use engine::{Engine, Origin, Registry, Settings};
use harness::proxy::{Lost, Proxy};
use harness::{Backend, TestDatabase};

use super::toy::{BoxOffice, Seat, connect, count, run, terms};

/// How long a commit is waited for here; the product waits longer.
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
    async fn open(db: TestDatabase) -> Self {
        let sql = "create table toy_seat (seat bigint primary key, run uuid not null)";
        sea_orm::ConnectionTrait::execute_unprepared(&db.connection, sql).await.unwrap();
        db.proven_by(|| Registry::new().register::<Seat>(BoxOffice::default()));
        let (_, rest) = db.url.split_once("127.0.0.1:").expect("the tests' server is on loopback");
        let port = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        let proxy = Proxy::to(port).unwrap();
        let mut far = db.clone();
        far.url = proxy.instead_of(&db.url);
        let settings = Settings { silence: Some(SILENCE), ..Settings::new("test", uuid::Uuid::from_u128(1), "test") };
        let processes = Registry::new().register::<Seat>(BoxOffice::default());
        let engine = Engine::open(settings, connect(&far).await, processes);
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

    async fn has(&self, runs: i64) {
        for table in ["workflow_run", "workflow_journal", "toy_seat"] {
            assert_eq!(count(&self.db, &format!("select count(*) from {table}")).await, runs, "{table}");
        }
    }
}

#[test]
fn a_commit_on_a_wire_that_fell_silent_is_one_turn() {
    harness::both::run(Backend::Postgres, |db| async move {
        let shore = Arc::new(Seaside::open(db).await);
        shore.begins(0..3).await;
        for (nth, lost) in [Lost::Answer, Lost::Question].into_iter().enumerate() {
            shore.proxy.hush_commits(lost, 1);
            let first = 10 * (1 + nth as u128);
            shore.begins(first..first + 5).await;
            assert_eq!(shore.proxy.seen().commits_lost, 1 + nth as u64, "the test saw nothing");
        }
        shore.has(13).await;
        assert_eq!(shore.proxy.seen().resets, 0, "no wire was cut: nobody was told");
    });
}

#[test]
fn a_wire_that_fell_silent_is_not_used_again() {
    harness::both::run(Backend::Postgres, |db| async move {
        let shore = Seaside::open(db).await;
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
