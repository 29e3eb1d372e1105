//! The archive: what has finished long ago goes there whole, can still be read, proven and called back, and is forgotten by policy.

use super::toy::{connect, count, run};
use chrono::TimeDelta;
use chrono_tz::Tz;
use engine::{
    Attempt, CatchUp, Changed, Engine, EventKey, Fact, Fault, Fire, Kept, Origin, Perform, Project, ProjectError,
    Refusal, Registry, Retention, RunId, Schedule, Settings, Step, Timestamp, TurnError, Tx, Workflow,
};
use futures::FutureExt;
use harness::{Beside, TestDatabase, on_both};
use sea_orm::{ConnectionTrait, DbErr};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A favour: done, and thanked for, perhaps much later.
#[derive(Clone, Debug, PartialEq)]
struct Favour;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum State {
    Promised,
    Done { thanks: u32 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    Finished,
    Thanked,
    Returned,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Nothing {}

impl Workflow for Favour {
    const NAME: &'static str = "favour";
    type Input = String;
    type State = State;
    type Event = Event;
    type Effect = Nothing;
    type Timer = Nothing;

    fn start(_: &String, _: Timestamp) -> Step<Self> {
        Step::to(State::Promised)
    }

    fn on(_: &String, state: State, event: Event, _: Timestamp) -> Result<Step<Self>, Refusal> {
        Ok(match (state, event) {
            (State::Promised, Event::Finished) => Step::to(State::Done { thanks: 0 }),
            (State::Done { thanks }, Event::Thanked) => {
                Step::to(State::Done { thanks: thanks + 1 }).post(Fact::new("thanked", &thanks))
            }
            _ => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed(timer: Nothing) -> Event {
        match timer {}
    }

    fn is_final(state: &State) -> bool {
        matches!(state, State::Done { .. })
    }

    fn retention() -> Retention {
        Retention::default().purged_after(400)
    }
}

struct Idle;
impl Perform<Favour> for Idle {
    async fn perform(&self, _: &Attempt<Favour>, effect: Nothing) -> Result<Event, Fault> {
        match effect {}
    }
}
impl Project<Tx> for Favour {
    type Error = DbErr;
    async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

pub(super) async fn open(db: &TestDatabase, process: u128) -> Engine {
    db.proven_by(|| Registry::new().register::<Favour>(Idle));
    with(db, process, Registry::new().register::<Favour>(Idle)).await
}

async fn with(db: &TestDatabase, process: u128, registry: Registry) -> Engine {
    Engine::open(Settings::new("test", uuid::Uuid::from_u128(process), "test"), connect(db).await, registry)
}

fn key(n: u128) -> String {
    format!("favour-{n}")
}

async fn promise(engine: &Engine, n: u128) -> RunId {
    engine.start::<Favour>(run(n), &key(n), &"a loaf of bread".to_owned(), Origin::actor("usr_1")).await.unwrap();
    run(n)
}

pub(super) async fn tell(engine: &Engine, n: u128, event: Event, word: &str) -> Result<engine::Moved, TurnError> {
    engine.note::<Favour>(run(n), &event, EventKey::webhook("friend", word), Origin::default()).await
}

pub(super) async fn done(engine: &Engine, n: u128) -> RunId {
    promise(engine, n).await;
    tell(engine, n, Event::Finished, "finished").await.unwrap();
    run(n)
}

/// As many as there are, all at once: they share their commits.
async fn all_done(engine: &Engine, count: u128) {
    futures::future::join_all((0..count).map(|n| done(engine, n))).await;
}

pub(super) async fn days_pass(db: &TestDatabase, days: i64) {
    let more = TimeDelta::days(days).num_microseconds().unwrap();
    let sql = format!("update business_clock set offset_us = offset_us + {more}");
    db.connection.execute_unprepared(&sql).await.unwrap();
}

pub(super) async fn state(engine: &Engine, n: u128) -> State {
    engine.read_state::<Favour>(run(n)).await.unwrap().expect("the run exists").1
}

/// Every run is in one of the two places, with all of its turns.
async fn every_run_is_whole(db: &TestDatabase, engine: &Engine, runs: u128, turns: usize) {
    let stubs = "select count(*) from workflow_run where status = 2";
    assert_eq!(count(db, stubs).await, count(db, "select count(*) from workflow_archive").await);
    let torn = "select count(*) from workflow_journal j join workflow_run r on r.id = j.run where r.status = 2";
    assert_eq!(count(db, torn).await, 0, "turns of archived runs were left behind");
    let strays =
        "select count(*) from workflow_journal_archive j join workflow_run r on r.id = j.run where r.status <> 2";
    assert_eq!(count(db, strays).await, 0, "turns of living runs lie in the archive");
    for n in 0..runs {
        let replay = engine.replay(run(n)).await.unwrap().unwrap();
        assert_eq!((replay.proven, replay.broken), (turns, vec![]), "run {n}");
    }
}

async fn what_has_finished_goes_to_the_archive_and_can_still_be_read_and_proven(db: TestDatabase) {
    let engine = open(&db, 1).await;
    done(&engine, 1).await;
    promise(&engine, 2).await;
    done(&engine, 3).await;
    tell(&engine, 3, Event::Returned, "odd").await.unwrap();
    let before = engine.journal(run(1)).await.unwrap();
    days_pass(&db, 29).await;
    assert_eq!(engine.archive(1000).await.unwrap(), 0, "it is not old enough");
    done(&engine, 4).await;
    days_pass(&db, 2).await;
    // Not what is alive, nor what holds a fact without a place, nor what is young.
    assert_eq!(engine.archive(1000).await.unwrap(), 1);
    assert_eq!(count(&db, "select count(*) from workflow_journal_archive").await, 2);
    let view = engine.run(run(1)).await.unwrap().unwrap();
    assert!(view.archived.is_some() && view.finished && view.input == r#""a loaf of bread""#, "{view:?}");
    assert_eq!(state(&engine, 1).await, State::Done { thanks: 0 });
    assert_eq!(engine.journal(run(1)).await.unwrap(), before);
    assert_eq!(engine.states(run(1)).await.unwrap().last().unwrap().as_deref(), Some(view.state.as_str()));
    let replay = engine.replay(run(1)).await.unwrap().unwrap();
    assert_eq!((replay.proven, replay.broken.len()), (2, 0));

    db.is_forged();
    let forge = "update workflow_journal_archive set event = '\"Thanked\"' where seq = 1";
    db.connection.execute_unprepared(forge).await.unwrap();
    assert!(
        !engine.replay(run(1)).await.unwrap().unwrap().broken.is_empty(),
        "whoever rewrites the archive is found out"
    );
}

async fn an_archived_run_still_refuses_its_key(db: TestDatabase) {
    let engine = open(&db, 1).await;
    done(&engine, 1).await;
    days_pass(&db, 31).await;
    assert_eq!(engine.archive(1000).await.unwrap(), 1);
    let bread = "a loaf of bread".to_owned();
    let again = engine.start::<Favour>(run(1), &key(1), &bread, Origin::default()).await;
    assert!(matches!(again, Err(TurnError::Duplicate)), "{again:?}");
    let other = engine.start::<Favour>(run(2), &key(1), &bread, Origin::default()).await;
    assert!(matches!(other, Err(TurnError::Storage(_))), "{other:?}");
    assert_eq!(count(&db, "select count(*) from workflow_archive").await, 1, "it was not woken");
}

async fn a_late_fact_brings_an_archived_run_back(db: TestDatabase) {
    let engine = open(&db, 1).await;
    all_done(&engine, 2).await;
    days_pass(&db, 31).await;
    assert_eq!(engine.archive(1000).await.unwrap(), 2);
    // Known words are still known, and new ones are heard, through the writer as within a caller's own transaction.
    assert!(matches!(tell(&engine, 0, Event::Finished, "finished").await, Err(TurnError::Duplicate)));
    tell(&engine, 0, Event::Thanked, "thanks").await.unwrap();
    let beside = engine.clone();
    engine::detached(async move {
        let tx = beside.begin().await.unwrap();
        let word = EventKey::webhook("friend", "thanks");
        tx.note::<Favour>(run(1), &Event::Thanked, word, &Origin::default()).await.unwrap();
        tx.commit().await.unwrap();
    })
    .await;
    for n in 0..2 {
        assert_eq!(state(&engine, n).await, State::Done { thanks: 1 });
        assert_eq!(engine.journal(run(n)).await.unwrap().len(), 3);
    }
    assert_eq!(count(&db, "select count(*) from workflow_archive").await, 0);
    every_run_is_whole(&db, &engine, 2, 3).await;
    assert_eq!(engine.archive(1000).await.unwrap(), 0, "they are young again");
    days_pass(&db, 31).await;
    assert_eq!(engine.archive(1000).await.unwrap(), 2);
    every_run_is_whole(&db, &engine, 2, 3).await;
}

async fn facts_that_meet_the_archiving_lose_nothing(db: TestDatabase) {
    let (first, second) = (open(&db, 1).await, open(&db, 2).await);
    all_done(&first, 450).await;
    days_pass(&db, 31).await;
    let thanks = futures::future::join_all((0..450).map(|n| tell(&second, n, Event::Thanked, "thanks")));
    let (one, two, thanked) = futures::join!(first.archive(1000), second.archive(1000), thanks);
    one.unwrap();
    two.unwrap();
    assert!(thanked.iter().all(Result::is_ok), "{thanked:?}");
    every_run_is_whole(&db, &first, 450, 3).await;
    assert_eq!(count(&db, "select count(*) from workflow_archive").await, 0, "everybody was thanked just now");
}

async fn a_killed_round_leaves_every_run_whole(db: TestDatabase) {
    let survivor = open(&db, 1).await;
    all_done(&survivor, 900).await;
    days_pass(&db, 31).await;
    let other = Beside::start(&db, |theirs| async move { open(&theirs, 2).await.archive(1000).await }).unwrap();
    harness::wait::until(std::time::Duration::from_secs(20), "the round has begun", async || {
        (count(&db, "select count(*) from workflow_archive").await > 0).then_some(())
    })
    .await
    .unwrap();
    other.kill();
    survivor.archive(1000).await.unwrap();
    survivor.archive(1000).await.unwrap();
    assert_eq!(count(&db, "select count(*) from workflow_archive").await, 900);
    every_run_is_whole(&db, &survivor, 900, 2).await;
}

async fn a_batch_that_fails_half_way_has_not_happened(db: TestDatabase) {
    let engine = open(&db, 1).await;
    all_done(&engine, 10).await;
    days_pass(&db, 31).await;
    let in_the_way = "insert into workflow_journal_archive select * from workflow_journal where seq = 1 limit 1";
    db.connection.execute_unprepared(in_the_way).await.unwrap();
    engine.archive(1000).await.unwrap_err();
    assert_eq!(count(&db, "select count(*) from workflow_archive").await, 0);
    assert_eq!(count(&db, "select count(*) from workflow_journal").await, 20);
    db.connection.execute_unprepared("delete from workflow_journal_archive").await.unwrap();
    assert_eq!(engine.archive(1000).await.unwrap(), 10);
    every_run_is_whole(&db, &engine, 10, 2).await;
}

async fn the_archive_forgets_by_policy(db: TestDatabase) {
    let engine = open(&db, 1).await;
    all_done(&engine, 3).await;
    let failed = "insert into workflow_try select id, 0, 0, 1, 0, 'transient', 'no answer' from workflow_run";
    db.connection.execute_unprepared(failed).await.unwrap();
    days_pass(&db, 399).await;
    engine.archive(1000).await.unwrap();
    assert_eq!(engine.purge(1000).await.unwrap(), 0);
    days_pass(&db, 2).await;
    // Somebody else's configuration keeps them for ever.
    let never = serde_json::from_str::<Kept>(r#"{"purge_after_days":"never"}"#).unwrap();
    let keeping = Registry::new().register::<Favour>(Idle).keep([(&"favour".to_owned(), &never)]).unwrap();
    assert_eq!(with(&db, 2, keeping).await.purge(1000).await.unwrap(), 0);
    assert_eq!(engine.purge(1000).await.unwrap(), 3);
    for table in ["workflow_run", "workflow_journal", "workflow_archive", "workflow_journal_archive", "workflow_try"] {
        assert_eq!(count(&db, &format!("select count(*) from {table}")).await, 0, "{table}");
    }
    assert!(matches!(tell(&engine, 1, Event::Thanked, "thanks").await, Err(TurnError::NoSuchRun)));
    promise(&engine, 1).await;
}

async fn who_has_posted_is_never_forgotten(db: TestDatabase) {
    let engine = open(&db, 1).await;
    all_done(&engine, 2).await;
    tell(&engine, 1, Event::Thanked, "thanks").await.unwrap();
    days_pass(&db, 401).await;
    engine.archive(1000).await.unwrap();
    assert_eq!(engine.purge(1000).await.unwrap(), 1);
    // A namesake would post where these facts stand already, which nobody may.
    assert_eq!(state(&engine, 1).await, State::Done { thanks: 1 });
    let again = engine.start::<Favour>(run(1), &key(1), &"more bread".to_owned(), Origin::default()).await;
    assert!(matches!(again, Err(TurnError::Duplicate)), "{again:?}");
    tell(&engine, 1, Event::Thanked, "more thanks").await.unwrap();
    assert_eq!(count(&db, "select count(*) from event_log").await, 2);
}

async fn old_ticks_are_forgotten_but_never_the_latest(db: TestDatabase) {
    let fire: Fire = Arc::new(|_, _| async { Ok(()) }.boxed());
    let hourly = Schedule::parse("hourly", "0 0 * * * *", Tz::UTC, fire).unwrap().catch_up(CatchUp::All);
    let engine = with(&db, 1, Registry::new().schedule(hourly)).await;
    engine.fire_ticks().await.unwrap();
    days_pass(&db, 10).await;
    assert_eq!(engine.fire_ticks().await.unwrap(), 240);
    days_pass(&db, 85).await;
    engine.purge(1000).await.unwrap();
    let left = count(&db, "select count(*) from schedule_tick").await;
    assert!((119..=121).contains(&left), "{left} ticks are younger than ninety days");
    days_pass(&db, 100).await;
    engine.purge(1000).await.unwrap();
    assert_eq!(count(&db, "select count(*) from schedule_tick").await, 1);
}

on_both!(
    what_has_finished_goes_to_the_archive_and_can_still_be_read_and_proven,
    an_archived_run_still_refuses_its_key,
    a_late_fact_brings_an_archived_run_back,
    facts_that_meet_the_archiving_lose_nothing,
    a_killed_round_leaves_every_run_whole,
    a_batch_that_fails_half_way_has_not_happened,
    the_archive_forgets_by_policy,
    who_has_posted_is_never_forgotten,
    old_ticks_are_forgotten_but_never_the_latest,
);
