//! Days on which the database is killed, full, slow, silent, or picks our statement as its victim: the engine waits and goes on.
//! Nothing is parked for it, because nothing about the work is wrong.

use super::toy::{Seat, Theatre, run, terms};
use engine::{Origin, TurnError};
use harness::proxy::{Lost, Proxy, Road, Way};
use harness::servers::Postgres;
use harness::{Backend, TestDatabase, on_both, wait};
use sea_orm::{ConnectionTrait, Database};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

on_both!(a_full_disk_is_waited_for);

/// Longer than anything takes on a busy machine.
const MOMENT: Duration = Duration::from_secs(90);

async fn start(theatre: &Theatre, n: u128) -> Result<engine::Moved, TurnError> {
    let seat = terms(i64::try_from(n).unwrap());
    theatre.engine.start::<Seat>(run(n), &format!("k{n}"), &seat, Origin::default()).await
}

/// Starts these runs together; all of them are told that they have begun, however long it takes.
async fn start_all(theatre: &Theatre, runs: std::ops::Range<u128>) {
    for started in futures::future::join_all(runs.map(|n| start(theatre, n))).await {
        assert_eq!(started.unwrap().seq, 0);
    }
}

/// Does what a worker does until everything is paid for, whatever its statements come to: claims, executes, sweeps.
async fn work_off(theatre: &Theatre, runs: u128) {
    let suspects = std::sync::Mutex::new(HashSet::new());
    let done = wait::until(MOMENT, "everything is paid for", async || {
        let _ = theatre.engine.beat().await;
        let _ = theatre.engine.settle().await;
        let _ = theatre.engine.rescue().await;
        let known = suspects.lock().unwrap().clone();
        if let Ok(seen) = theatre.engine.reclaim(&known).await {
            *suspects.lock().unwrap() = seen;
        }
        (paid(theatre).await == i64::try_from(runs).unwrap()).then_some(())
    });
    done.await.unwrap();
    assert!(theatre.engine.parked().await.unwrap().is_empty(), "nothing was wrong with the work");
    let sold = theatre.office.sold.lock().unwrap().len();
    assert_eq!(u128::try_from(sold).unwrap(), runs, "each is paid for once, under one key");
}

async fn paid(theatre: &Theatre) -> i64 {
    theatre.count("select count(*) from workflow_run where state_name = 'Paid'").await
}

async fn sql(db: &TestDatabase, text: &str) {
    db.connection.execute_unprepared(text).await.unwrap();
}

/// Has one statement in so many that writes to the engine's tables fail as the server's own trouble does. Sequences count, because
/// they do not roll back.
const VICTIMS: &str = "
    create sequence chances;
    create sequence strikes;
    create table victim_kinds as select * from unnest(array['40P01', '40001', '55P03', '57014', '53200', '53300', '57P01'])
      with ordinality k(code, n);
    create function victim() returns trigger language plpgsql as $$
    declare picked text; turn int8;
    begin
      if abs(hashint8(nextval('chances'))) % 10 = 3 then
        turn := nextval('strikes') % 7;
        select code into picked from victim_kinds where n = 1 + turn;
        perform nextval('struck_' || tg_table_name || '_' || lower(tg_op));
        raise exception 'a planted victim' using errcode = picked;
      end if;
      return null;
    end $$;";
/// What the engine does to which of its tables.
const WRITES: [(&str, &str); 6] = [
    ("workflow_run", "insert"),
    ("workflow_run", "update"),
    ("workflow_journal", "insert"),
    ("workflow_work", "insert"),
    ("workflow_work", "update"),
    ("workflow_work", "delete"),
];

#[test]
fn any_statement_may_be_the_victim() {
    harness::both::run(Backend::Postgres, |db| async move {
        let theatre = Theatre::open(db.clone()).await;
        // Somebody else queues the work, so that all of it is claimed.
        let idle = Theatre::beside(&db, theatre.office.clone(), 2).await;
        sql(&db, VICTIMS).await;
        for (table, write) in WRITES {
            let plant = format!(
                "create sequence struck_{table}_{write};
                 create trigger victim_{write} after {write} on {table} for each statement execute function victim()"
            );
            sql(&db, &plant).await;
        }
        for round in 0..12 {
            start_all(&idle, round * 20..(round + 1) * 20).await;
            let _ = idle.engine.let_go().await;
            let _ = theatre.engine.settle().await;
        }
        work_off(&theatre, 240).await;
        for (table, write) in WRITES {
            let struck = theatre
                .count(&format!("select case when is_called then last_value else 0 end from struck_{table}_{write}"))
                .await;
            assert!(struck > 1, "no {write} of {table} was a victim: the test saw nothing");
        }
    });
}

/// The sessions of an engine are cancelled and ended in the middle of whatever they do, again and again, while effects are under way.
#[test]
fn sessions_that_are_cancelled_and_ended_cost_nothing() {
    harness::both::run(Backend::Postgres, |db| async move {
        let theatre = Theatre::open(db.clone()).await;
        let (stop, struck) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let villain = tokio::spawn(villain(db.clone(), Arc::clone(&stop), Arc::clone(&struck)));
        for round in 0..20 {
            start_all(&theatre, round * 15..(round + 1) * 15).await;
            let _ = theatre.engine.settle().await;
        }
        stop.store(true, Ordering::Relaxed);
        villain.await.unwrap();
        work_off(&theatre, 300).await;
        assert!(struck.load(Ordering::Relaxed) > 10, "hardly anybody was struck: {struck:?}");
    });
}

/// Strikes whoever is at work, each time that a few more runs have begun: nobody gets on without being struck, and everybody gets on.
async fn villain(db: TestDatabase, stop: Arc<AtomicBool>, struck: Arc<AtomicUsize>) {
    let mut begun = 0;
    for strike in 0.. {
        let more = async || {
            let now = super::toy::count(&db, "select count(*) from workflow_run").await;
            (now > begun + 3 || stop.load(Ordering::Relaxed)).then_some(now)
        };
        begun = wait::until(MOMENT, "a few more have begun", more).await.unwrap();
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let deed = if strike % 4 == 0 { "pg_terminate_backend" } else { "pg_cancel_backend" };
        let text = format!(
            "select count({deed}(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
             and application_name like 'innkeeper%' and (state = 'active' or state like 'idle in transaction%')"
        );
        let hit = super::toy::count(&db, &text).await;
        struck.fetch_add(usize::try_from(hit).unwrap(), Ordering::Relaxed);
    }
}

/// A rival that holds the file's one lock for longer than anybody's patience.
#[test]
fn a_busy_file_is_waited_for() {
    harness::both::run(Backend::Sqlite, |db| async move {
        let theatre = Theatre::open(db.clone()).await;
        theatre.engine.databases().write().execute_unprepared("pragma busy_timeout = 5").await.unwrap();
        let rival = harness::begin(&db.connection).await.unwrap();
        rival.execute_unprepared("update business_clock set offset_us = offset_us").await.unwrap();
        let tries = AtomicUsize::new(0);
        let give_way = async {
            // The engine's own attempts are seen by what its other statements meet.
            while tries.load(Ordering::Relaxed) < 5 {
                if theatre.engine.beat().await.is_err() {
                    tries.fetch_add(1, Ordering::Relaxed);
                }
            }
            rival.rollback().await.unwrap();
        };
        futures::join!(start_all(&theatre, 0..20), give_way);
        work_off(&theatre, 20).await;
    });
}

/// Nothing can be stored for a while: the file may not grow, or the server says that its disk is full.
async fn a_full_disk_is_waited_for(db: TestDatabase) {
    let theatre = Theatre::open(db.clone()).await;
    start_all(&theatre, 0..5).await;
    fill(&theatre).await;
    let (refused, relief) = (AtomicUsize::new(0), AtomicBool::new(false));
    let make_room = async {
        // A request that writes rows of its own is told at once; what is in the engine's hands waits.
        while refused.load(Ordering::Relaxed) < 3 {
            let tx = theatre.engine.begin().await.unwrap();
            let seat = terms(900);
            if let Err(error) = tx.start::<Seat>(run(900), "k900", &seat, &Origin::default()).await {
                assert!(matches!(error, TurnError::Storage(_)), "{error:?}");
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        assert!(!relief.swap(true, Ordering::Relaxed));
        empty(&theatre).await;
    };
    let begin = async {
        start_all(&theatre, 5..400).await;
        assert!(relief.load(Ordering::Relaxed), "the disk was never full");
    };
    futures::join!(begin, make_room);
    work_off(&theatre, 400).await;
}

async fn fill(theatre: &Theatre) {
    match theatre.db.backend {
        // No page more than there are: the limit cannot go below what is in use.
        Backend::Sqlite => most_pages(theatre, 1).await,
        Backend::Postgres => {
            let full = "create function full_disk() returns trigger language plpgsql as $$ begin
                  raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
                create trigger full_disk after insert on workflow_journal for each statement execute function full_disk()";
            sql(&theatre.db, full).await;
        }
    }
}

async fn empty(theatre: &Theatre) {
    match theatre.db.backend {
        Backend::Sqlite => most_pages(theatre, 1_000_000).await,
        Backend::Postgres => sql(&theatre.db, "drop trigger full_disk on workflow_journal").await,
    }
}

async fn most_pages(theatre: &Theatre, pages: u32) {
    let limit = format!("pragma max_page_count = {pages}");
    theatre.engine.databases().write().execute_unprepared(&limit).await.unwrap();
}

/// A server of the test's own, which may be killed, with a wire of its own, which may be cut.
struct Server {
    server: Postgres,
    proxy: Proxy,
    db: TestDatabase,
}

impl Server {
    /// Puts it in the place of a test's database.
    async fn instead_of(mut db: TestDatabase) -> Self {
        let server = Postgres::start().unwrap();
        let url = server.url();
        db.connection = Database::connect(url.clone()).await.unwrap();
        migrations::up(&db.connection).await.unwrap();
        let proxy = Proxy::to(server.port()).unwrap();
        db.url = proxy.instead_of(&url);
        Self { server, proxy, db }
    }
}

/// Everything that was acknowledged is there after a loss of power, and the engine is back within five seconds of the server.
#[test]
fn a_database_that_loses_its_power_loses_nothing() {
    const CALLERS: u128 = 16;
    const EACH: u128 = 30;
    harness::both::run(Backend::Postgres, |db| async move {
        let Server { mut server, proxy: _proxy, db } = Server::instead_of(db).await;
        let theatre = Theatre::open(db.clone()).await;
        let acknowledged = AtomicUsize::new(0);
        let callers = (0..CALLERS).map(async |caller| {
            for n in caller * EACH..(caller + 1) * EACH {
                assert_eq!(start(&theatre, n).await.unwrap().seq, 0);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        });
        let outages = async {
            for outage in 1..=3 {
                let before = outage * 100;
                let some = async || (acknowledged.load(Ordering::Relaxed) >= before).then_some(());
                wait::until(MOMENT, "some are acknowledged", some).await.unwrap();
                server.kill();
                let known = acknowledged.load(Ordering::Relaxed);
                server.start_again().unwrap();
                let back = Instant::now();
                let more = async || (acknowledged.load(Ordering::Relaxed) > known).then_some(());
                wait::until(MOMENT, "the engine goes on", more).await.unwrap();
                assert!(back.elapsed() < Duration::from_secs(5), "the engine was back after {:?}", back.elapsed());
                let stored = theatre.count("select count(*) from workflow_run").await;
                assert!(usize::try_from(stored).unwrap() >= known, "{known} were acknowledged and {stored} are there");
            }
        };
        futures::join!(futures::future::join_all(callers), outages);
        work_off(&theatre, CALLERS * EACH).await;
        db.prove().await.unwrap();
    });
}

/// Two seconds there and back, then resets in the middle of everything, then half of the commits' answers, then silence.
#[test]
fn a_bad_wire_costs_time_and_nothing_else() {
    harness::both::run(Backend::Postgres, |db| async move {
        let Server { server: _server, proxy, db } = Server::instead_of(db).await;
        let theatre = Theatre::open(db.clone()).await;
        start_all(&theatre, 0..10).await;

        proxy.slow(Duration::from_secs(1));
        let began = Instant::now();
        start_all(&theatre, 10..11).await;
        assert!(began.elapsed() > Duration::from_secs(8), "begin, load, write and commit each take two seconds");
        proxy.heal();

        for n in 11..41 {
            proxy.cut_after(if n % 2 == 0 { Way::Up } else { Way::Down }, 400);
            start_all(&theatre, n..n + 1).await;
        }
        proxy.lose_commits(Lost::Answer, 5);
        proxy.lose_commits(Lost::Question, 5);
        for n in 41..61 {
            start_all(&theatre, n..n + 1).await;
        }
        proxy.heal();

        // Half open: the server hears and is not heard, and nobody hangs up until the wire is cut.
        proxy.road(Way::Down, Road { closed: true, ..Road::default() });
        let silence = async {
            let heard = async || (theatre.count("select count(*) from workflow_run").await > 61).then_some(());
            let _ = wait::until(Duration::from_secs(3), "the server hears what it cannot answer", heard).await;
            proxy.heal();
            proxy.cut();
        };
        futures::join!(start_all(&theatre, 61..81), silence);
        work_off(&theatre, 81).await;
        let seen = proxy.seen();
        assert!(seen.resets > 20 && seen.commits_lost == 10, "{seen:?}");
        db.prove().await.unwrap();
    });
}
