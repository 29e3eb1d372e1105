//! Runs that start and tell each other: each spawn is one run, each tell one event, whatever overtakes what.

use super::toy::{connect, count};
use engine::{
    Attempt, Changed, Conflict, Engine, Fault, Origin, Perform, Project, ProjectError, Refusal, Registry, RunId,
    Settings, Step, Timestamp, Tx, Workflow,
};
use harness::{TestDatabase, on_both};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

/// Sends out children and waits for all of them.
#[derive(Clone, Debug, PartialEq)]
struct Parent;
/// Answers its parent at once.
#[derive(Clone, Debug, PartialEq)]
struct Child;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum ParentState {
    Waiting { back: Vec<u8> },
    Complete,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum ParentEvent {
    ChildBack(u8),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Errand {
    parent: RunId,
    number: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum ChildEvent {
    Hurried,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Nothing {}

fn child(parent: RunId, number: u8) -> RunId {
    RunId::derive("child", &format!("{parent}:{number}"), parent)
}

impl Workflow for Parent {
    const NAME: &'static str = "parent";
    type Input = RunId;
    type State = ParentState;
    type Event = ParentEvent;
    type Effect = Nothing;
    type Timer = Nothing;

    fn start(this: &RunId, _now: Timestamp) -> Step<Self> {
        // The tell stands before the spawn of the run it is for: it has to wait for it.
        let step = Step::to(ParentState::Waiting { back: vec![] }).tell::<Child>(child(*this, 0), &ChildEvent::Hurried);
        (0..3).fold(step, |step, number| {
            step.spawn::<Child>(child(*this, number), format!("{this}:{number}"), &Errand { parent: *this, number })
        })
    }

    fn on(_: &RunId, state: ParentState, event: ParentEvent, _now: Timestamp) -> Result<Step<Self>, Refusal> {
        let (ParentState::Waiting { mut back }, ParentEvent::ChildBack(number)) = (state, event) else {
            return Err(Refusal::out_of_turn());
        };
        back.push(number);
        Ok(if back.len() == 3 { Step::to(ParentState::Complete) } else { Step::to(ParentState::Waiting { back }) })
    }

    fn elapsed(timer: Nothing) -> ParentEvent {
        match timer {}
    }

    fn is_final(state: &ParentState) -> bool {
        *state == ParentState::Complete
    }
}

impl Workflow for Child {
    const NAME: &'static str = "child";
    type Input = Errand;
    type State = String;
    type Event = ChildEvent;
    type Effect = Nothing;
    type Timer = Nothing;

    fn start(errand: &Errand, _now: Timestamp) -> Step<Self> {
        Step::to("Done".to_owned()).tell::<Parent>(errand.parent, &ParentEvent::ChildBack(errand.number))
    }

    fn on(_: &Errand, _: String, event: ChildEvent, _now: Timestamp) -> Result<Step<Self>, Refusal> {
        match event {
            ChildEvent::Hurried => Ok(Step::to("Hurried".to_owned())),
        }
    }

    fn elapsed(timer: Nothing) -> ChildEvent {
        match timer {}
    }

    fn is_final(_: &String) -> bool {
        true
    }

    fn contested(_: ChildEvent, _: &Conflict) -> Option<ChildEvent> {
        None
    }
}

struct Idle;
impl Perform<Parent> for Idle {
    async fn perform(&self, _: &Attempt<Parent>, effect: Nothing) -> Result<ParentEvent, Fault> {
        match effect {}
    }
}
impl Perform<Child> for Idle {
    async fn perform(&self, _: &Attempt<Child>, effect: Nothing) -> Result<ChildEvent, Fault> {
        match effect {}
    }
}
impl Project<Tx> for Parent {
    type Error = DbErr;
    async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}
impl Project<Tx> for Child {
    type Error = DbErr;
    async fn project(_: &Tx, _: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        Ok(())
    }
}

async fn open(db: &TestDatabase, rooms: &[(&'static str, usize)]) -> Engine {
    let processes = || Registry::new().register::<Parent>(Idle).register::<Child>(Idle);
    let registry = processes();
    db.proven_by(processes);
    Engine::open(Settings::new("test", uuid::Uuid::from_u128(1), "test").rooms(rooms), connect(db).await, registry)
}

async fn finish(engine: &Engine) {
    let target = engine.now().await.unwrap() + std::time::Duration::from_secs(600);
    engine.advance_to(target, engine::Settling::Inline).await.unwrap();
}

async fn children_are_started_and_answer_once(db: TestDatabase) {
    let engine = open(&db, &[("engine", 32)]).await;
    for n in 0..20u128 {
        let parent = super::toy::run(n);
        engine.start::<Parent>(parent, &format!("p{n}"), &parent, Origin::default()).await.unwrap();
    }
    finish(&engine).await;
    assert_eq!(
        count(&db, "select count(*) from workflow_run where workflow = 'parent' and state_name = 'Complete'").await,
        20
    );
    assert_eq!(count(&db, "select count(*) from workflow_run where workflow = 'child'").await, 60);
    assert_eq!(count(&db, "select count(*) from workflow_run where state_name = 'Hurried'").await, 20);
    assert_eq!(count(&db, "select count(*) from workflow_work").await, 0);
    assert_eq!(count(&db, "select sum(unexpected) from workflow_run").await, 0);
    let parent = super::toy::run(3);
    let view = engine.run(child(parent, 1)).await.unwrap().unwrap();
    assert_eq!(view.parent, Some(parent));
}

async fn every_run_replays_to_the_state_it_is_in(db: TestDatabase) {
    let engine = open(&db, &[("engine", 32)]).await;
    let parent = super::toy::run(1);
    engine.start::<Parent>(parent, "p", &parent, Origin::actor("usr_1")).await.unwrap();
    finish(&engine).await;
    let replay = engine.replay(parent).await.unwrap().unwrap();
    assert_eq!((replay.proven, replay.broken.len()), (4, 0), "{replay:?}");

    // Whoever rewrites history is found out: the event of turn 2, then the state itself.
    use sea_orm::ConnectionTrait;
    let forge = r#"update workflow_journal set event = '{"ChildBack":9}' where seq = 2 and run in (select id from workflow_run where workflow = 'parent')"#;
    db.connection.execute_unprepared(forge).await.unwrap();
    let broken = engine.replay(parent).await.unwrap().unwrap().broken;
    assert!(broken.iter().any(|b| b.contains("turn 2: the row is not what was sealed")), "{broken:?}");
    assert!(broken.iter().any(|b| b.contains("turn 2: leads to another state")), "{broken:?}");
    let unproven = db.prove().await.unwrap_err().to_string();
    assert!(unproven.contains("do not replay"), "{unproven}");
    db.is_forged();
}

on_both!(children_are_started_and_answer_once, every_run_replays_to_the_state_it_is_in);
