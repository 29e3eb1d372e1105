//! A workflow of three errands, a world that can be held up, and worker processes' worth of engines around one database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use engine::{
    Attempt, Changed, Engine, Fault, Found, Origin, Perform, Policy, Project, ProjectError, Refusal, Registry, RunId,
    Settings, Step, Timestamp, Tx, Workflow,
};
use harness::{TestDatabase, wait};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Longer than anything takes on a busy machine.
pub(super) const MOMENT: Duration = Duration::from_secs(60);
/// A pace at which nothing happens by the clock within a test.
pub(super) const NEVER: Duration = Duration::from_secs(3600);

/// How many errands a messenger runs, one after the other.
pub(super) const ERRANDS: u32 = 3;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Messenger;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) panics: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum State {
    Running { errand: u32 },
    Home,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    Ran { errand: u32 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Effect {
    Run { errand: u32 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Timer {}

impl Workflow for Messenger {
    const NAME: &'static str = "messenger";
    type Input = Terms;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(_terms: &Terms, _now: Timestamp) -> Step<Self> {
        Step::to(State::Running { errand: 1 }).run(Effect::Run { errand: 1 })
    }

    fn on(_terms: &Terms, state: State, event: Event, _now: Timestamp) -> Result<Step<Self>, Refusal> {
        let Event::Ran { errand } = event;
        match state {
            State::Running { errand: at } if at == errand && errand < ERRANDS => {
                let next = errand + 1;
                Ok(Step::to(State::Running { errand: next }).run(Effect::Run { errand: next }))
            }
            State::Running { errand: at } if at == errand => Ok(Step::to(State::Home)),
            _ => Err(Refusal::out_of_turn()),
        }
    }

    fn elapsed(timer: Timer) -> Event {
        match timer {}
    }

    fn is_final(state: &State) -> bool {
        matches!(state, State::Home)
    }

    fn policy(_effect: &Effect) -> Policy {
        Policy::default().time_limit(NEVER)
    }
}

impl Project<Tx> for Messenger {
    type Error = DbErr;

    async fn project(_tx: &Tx, _changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

/// The world that messengers run in: counts every errand by its key, and has a gate.
#[derive(Clone)]
pub(super) struct Town {
    begun: Arc<Mutex<BTreeMap<String, u32>>>,
    gate: watch::Sender<bool>,
    /// Who alone has to go through the gate, if not everybody.
    only: Option<RunId>,
}

impl Town {
    pub(super) fn open() -> Self {
        Self { begun: Arc::default(), gate: watch::Sender::new(true), only: None }
    }

    pub(super) fn closed() -> Self {
        let town = Self::open();
        town.gate.send_replace(false);
        town
    }

    pub(super) fn closed_to(messenger: u128) -> Self {
        Self { only: Some(run(messenger)), ..Self::closed() }
    }

    pub(super) fn open_the_gate(&self) {
        self.gate.send_replace(true);
    }

    /// Errands that were begun, each with how often.
    pub(super) fn begun(&self) -> Vec<u32> {
        self.begun.lock().unwrap().values().copied().collect()
    }
}

impl Perform<Messenger> for Town {
    async fn perform(&self, cx: &Attempt<Messenger>, effect: Effect) -> Result<Event, Fault> {
        let Effect::Run { errand } = effect;
        *self.begun.lock().unwrap().entry(cx.key.clone()).or_default() += 1;
        if self.only.is_none_or(|only| only == cx.run()) {
            let _ = self.gate.subscribe().wait_for(|open| *open).await;
        }
        assert!(!cx.input.panics, "a planted panic");
        Ok(Event::Ran { errand })
    }

    async fn look_up(&self, _cx: &Attempt<Messenger>, _effect: &Effect) -> Result<Found<Event>, Fault> {
        Ok(Found::Absent)
    }
}

/// One process's worth: an engine with room for work, or none.
pub(super) struct House {
    pub(super) engine: Engine,
    pub(super) process: Uuid,
}

/// How a house is set up.
pub(super) struct Plan<'a> {
    pub(super) town: &'a Town,
    pub(super) rooms: &'a [(&'static str, usize)],
    /// The wire to Redis, when it has one.
    pub(super) redis: Option<&'a str>,
    pub(super) chores: Option<&'a worker::Chores>,
    pub(super) metrics: Option<Arc<worker::metrics::Metrics>>,
}

pub(super) const ROOMS: &[(&str, usize)] = &[("default", 8), ("engine", 8)];

impl<'a> Plan<'a> {
    pub(super) fn with_room(town: &'a Town) -> Self {
        Self { town, rooms: ROOMS, redis: None, chores: None, metrics: None }
    }

    /// It only queues work, as a process of the API does.
    pub(super) fn without_room(town: &'a Town) -> Self {
        Self { rooms: &[], ..Self::with_room(town) }
    }

    pub(super) fn redis(self, url: &'a str) -> Self {
        Self { redis: Some(url), ..self }
    }

    pub(super) async fn open(self, db: &TestDatabase) -> Result<House> {
        let process = Uuid::from_u128(rand::random());
        let town = self.town.clone();
        let processes = move || Registry::new().register::<Messenger>(town.clone());
        let registry = processes();
        db.proven_by(processes);
        let registry = match self.chores {
            Some(chores) => chores.scheduled(registry),
            None => registry,
        };
        let mut settings = Settings::new("test", process, "test").rooms(self.rooms);
        if let Some(url) = self.redis {
            settings.ring = Some(Arc::new(worker::RedisBell::new(wire(url, process)?)));
        }
        if let Some(metrics) = self.metrics {
            settings.observer = metrics;
        }
        Ok(House { engine: Engine::open(settings, db.databases().await?, registry), process })
    }
}

pub(super) fn wire(url: &str, process: Uuid) -> Result<worker::Wire> {
    Ok(worker::Wire::open(url, "test", process)?)
}

impl House {
    pub(super) async fn send(&self, messengers: std::ops::Range<u128>) -> Result<()> {
        for n in messengers {
            self.send_one(n, Terms { panics: false }).await?;
        }
        Ok(())
    }

    pub(super) async fn send_one(&self, n: u128, terms: Terms) -> Result<()> {
        self.engine.start::<Messenger>(run(n), &format!("m{n}"), &terms, Origin::default()).await?;
        Ok(())
    }

    /// A worker over this engine; it stops when asked to.
    pub(super) fn work(&self, settings: worker::Settings) -> Working {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(worker::run(self.engine.clone(), settings, async {
            let _ = stopped.await;
        }));
        Working { stop, task }
    }

    pub(super) async fn state(&self, n: u128) -> Result<State> {
        Ok(self.engine.read_state::<Messenger>(run(n)).await?.expect("the messenger was sent").1)
    }

    /// Waits until nothing new is taken here.
    pub(super) async fn hands_are_closed(&self) -> Result<()> {
        let closed = async || self.engine.hands().is_closed().then_some(());
        wait::until(MOMENT, "the hands are closed", closed).await
    }

    /// Waits until these are home.
    pub(super) async fn are_home(&self, messengers: std::ops::Range<u128>) -> Result<()> {
        for n in messengers {
            let home = async || (self.state(n).await.ok()? == State::Home).then_some(());
            wait::until(MOMENT, "every messenger is home", home).await?;
        }
        Ok(())
    }
}

/// A worker at work.
pub(super) struct Working {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), worker::Died>>,
}

impl Working {
    /// Asks it to stop; it goes on while it drains.
    pub(super) fn ask_to_stop(self) -> JoinHandle<Result<(), worker::Died>> {
        let _ = self.stop.send(());
        self.task
    }

    pub(super) async fn stop(self) -> Result<()> {
        Ok(self.ask_to_stop().await??)
    }
}

/// A worker with nothing but its database.
pub(super) fn plainly() -> worker::Settings {
    worker::Settings::new()
}

pub(super) fn run(n: u128) -> RunId {
    RunId::from_uuid(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + n))
}

/// Every errand of so many messengers, each begun once.
pub(super) fn once_each(messengers: u128) -> Vec<u32> {
    vec![1; usize::try_from(messengers).unwrap() * ERRANDS as usize]
}
