//! Timers of a state and of a run, and what two builds of one workflow agree on: the bytes of a request, and every name.

use super::toy::{Call, connect, count, run};
use engine::{
    Attempt, Changed, Conflict, Engine, EventKey, Fault, Origin, Perform, Policy, Project, ProjectError, Refusal,
    Registry, RunId, Settings, Settling, Step, Timestamp, Tx, Workflow,
};
use harness::{TestDatabase, on_both};
use sea_orm::{ConnectionTrait, DbErr};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A lamp that is ordered by letter and burns out some day; `BUILD` words its letters in its own way.
#[derive(Clone, Debug, PartialEq)]
struct Lamp<const BUILD: u8>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Dim { level: u8 },
    Bright,
    Dead,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Turned,
    Switched,
    Delivered,
    Elapsed(Timer),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Effect {
    Order,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Timer {
    Flicker,
    BurnsOut,
}

impl<const BUILD: u8> Workflow for Lamp<BUILD> {
    const NAME: &'static str = "lamp";
    type Input = ();
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start((): &(), now: Timestamp) -> Step<Self> {
        let dim = Step::to(State::Dim { level: 1 }).run(Effect::Order);
        dim.timer(Timer::Flicker, now + Duration::from_secs(600))
            .deadline(Timer::BurnsOut, now + Duration::from_secs(900))
    }

    fn on((): &(), state: State, event: Event, _now: Timestamp) -> Result<Step<Self>, Refusal> {
        Ok(match (state, event) {
            (State::Dim { level }, Event::Turned) => Step::to(State::Dim { level: level + 1 }),
            (State::Dim { .. }, Event::Switched | Event::Elapsed(Timer::Flicker)) => Step::to(State::Bright),
            (_, Event::Elapsed(Timer::BurnsOut)) => Step::to(State::Dead),
            (_, Event::Delivered) => Step::stay(),
            _ => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed(timer: Timer) -> Event {
        Event::Elapsed(timer)
    }

    fn is_final(state: &State) -> bool {
        *state == State::Dead
    }

    fn contested(_event: Event, _conflict: &Conflict) -> Option<Event> {
        None
    }

    fn policy(_effect: &Effect) -> Policy {
        Policy { base: Duration::from_millis(1), ..Policy::default() }
    }

    fn request((): &(), _effect: &Effect) -> Option<String> {
        Some(format!("one lamp, in the words of build {BUILD}"))
    }
}

impl<const BUILD: u8> Project<Tx> for Lamp<BUILD> {
    type Error = DbErr;

    async fn project(_tx: &Tx, _changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

/// Letters as the shop received them: the key and the bytes.
#[derive(Clone, Default)]
struct Shop {
    letters: Arc<Mutex<Vec<Call>>>,
    closed: bool,
}

impl<const BUILD: u8> Perform<Lamp<BUILD>> for Shop {
    async fn perform(&self, cx: &Attempt<Lamp<BUILD>>, _effect: Effect) -> Result<Event, Fault> {
        self.letters.lock().unwrap().push((cx.key.clone(), cx.request.clone()));
        if self.closed { Err(Fault::transient("the shop is closed")) } else { Ok(Event::Delivered) }
    }
}

/// A process of this build, in this environment.
async fn process<const BUILD: u8>(db: &TestDatabase, environment: &str, shop: &Shop) -> Engine {
    let settings = Settings::new(environment, uuid::Uuid::from_u128(rand::random()), "test");
    let known = shop.clone();
    let processes = move || Registry::new().register::<Lamp<BUILD>>(known.clone());
    let registry = processes();
    db.proven_by(processes);
    let engine = Engine::open(settings.rooms(&[("default", 8), ("engine", 8)]), connect(db).await, registry);
    engine.beat().await.unwrap();
    engine
}

async fn lit<const BUILD: u8>(engine: &Engine) -> RunId {
    engine.start::<Lamp<BUILD>>(run(1), "lamp", &(), Origin::default()).await.unwrap();
    run(1)
}

async fn armed(engine: &Engine) -> Vec<String> {
    let work = engine.work_of(run(1)).await.unwrap();
    work.into_iter().filter(|work| work.kind == "timer").map(|work| work.name).collect()
}

async fn timers_of_a_state_go_with_it_and_those_of_the_run_stay(db: TestDatabase) {
    let engine = process::<1>(&db, "test", &Shop::default()).await;
    let id = lit::<1>(&engine).await;
    let send = |event, key| {
        let engine = engine.clone();
        async move { engine.send::<Lamp<1>>(id, &event, EventKey::operator(key), Origin::default()).await.unwrap() }
    };
    assert_eq!(armed(&engine).await, ["Flicker", "BurnsOut"]);
    send(Event::Turned, "1").await;
    assert_eq!(armed(&engine).await, ["Flicker", "BurnsOut"], "another level is the same state");
    send(Event::Switched, "2").await;
    assert_eq!(armed(&engine).await, ["BurnsOut"], "the flicker was the dim state's");
    let end = engine.now().await.unwrap() + Duration::from_secs(3600);
    engine.advance_to(end, Settling::Inline).await.unwrap();
    let journal = engine.journal(id).await.unwrap();
    let last = journal.last().unwrap();
    assert_eq!((last.key.as_str(), last.to.as_str()), ("tm:BurnsOut:0:2", "Dead"));
    assert_eq!((last.at - journal[0].at).num_seconds(), 900, "it kept its own instant");
    assert!(!journal.iter().any(|turn| turn.key.starts_with("tm:Flicker")), "nothing flickered");
}

async fn a_later_build_repeats_the_bytes_that_were_saved(db: TestDatabase) {
    let closed = Shop { closed: true, ..Shop::default() };
    let first = process::<1>(&db, "test", &closed).await;
    lit::<1>(&first).await;
    let lease = first.hands().next().await.expect("the turn leased its effect to this process");
    first.execute(lease).await;
    let shop = Shop { letters: closed.letters.clone(), closed: false };
    let second = process::<2>(&db, "test", &shop).await;
    let later = second.now().await.unwrap() + Duration::from_secs(60);
    second.advance_to(later, Settling::Inline).await.unwrap();
    let letters = shop.letters.lock().unwrap().clone();
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[1].1.as_deref(), Some("one lamp, in the words of build 1"));
    assert_eq!(letters[0], letters[1], "one key, one request, whoever sends it");
}

/// Restores the backup that was taken before anything happened.
async fn restore(db: &TestDatabase) {
    for table in ["workflow_run", "workflow_journal", "workflow_work"] {
        db.connection.execute_unprepared(&format!("delete from {table}")).await.unwrap();
    }
    assert_eq!(count(db, "select count(*) from workflow_run").await, 0);
}

async fn what_is_done_again_after_a_restore_has_the_same_names(db: TestDatabase) {
    let shop = Shop::default();
    let mut journals = vec![];
    for environment in ["test", "test", "elsewhere"] {
        let engine = process::<1>(&db, environment, &shop).await;
        let id = lit::<1>(&engine).await;
        engine.settle().await.unwrap();
        journals.push(engine.journal(id).await.unwrap().into_iter().map(|turn| turn.key).collect::<Vec<_>>());
        engine.let_go().await.unwrap();
        restore(&db).await;
    }
    let keys: Vec<String> = shop.letters.lock().unwrap().iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys[0], "test:01920000000070008000000000000001:0:0");
    assert_eq!(keys[0], keys[1], "the outside party recognises what it has done already");
    assert_eq!(keys[2], "elsewhere:01920000000070008000000000000001:0:0", "two environments never share a key");
    assert_eq!(journals[0], ["start", "fx:0:0"]);
    assert_eq!(journals[0], journals[1]);
}

on_both!(
    timers_of_a_state_go_with_it_and_those_of_the_run_stay,
    a_later_build_repeats_the_bytes_that_were_saved,
    what_is_done_again_after_a_restore_has_the_same_names,
);
