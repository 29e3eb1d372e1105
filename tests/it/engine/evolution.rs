//! Deploy N, N + 1, N again: runs stand at every state meanwhile, and all of them come to their end, in whichever build knows them.

mod parcel;

use std::time::Duration;

use engine::{Act, Engine, EventKey, Origin, RunId, Settings, Settling, TurnError, WorkFilter};
use harness::{TestDatabase, on_both};

use self::parcel::{Build, REST, Scales, new, old};
use super::toy::{connect, count, run};

/// Where a run is left standing, and with which work of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stand {
    /// An effect waits.
    Asked,
    /// A timer waits.
    Resting,
    /// A run to start waits.
    Spawning,
    /// The started run's answer waits.
    Told,
    /// Over.
    Sent,
}

const STANDS: [Stand; 5] = [Stand::Sent, Stand::Told, Stand::Spawning, Stand::Resting, Stand::Asked];
/// Runs at each stand; every second one is moved by the next build.
const EACH: u128 = 4;

struct Town {
    db: TestDatabase,
    scales: Scales,
}

fn runs(stand: Stand) -> Vec<RunId> {
    let base = STANDS.iter().position(|one| *one == stand).expect("a stand of ours") as u128 * 100;
    (0..EACH).map(|n| run(base + n)).collect()
}

fn every_run() -> Vec<RunId> {
    STANDS.into_iter().flat_map(runs).collect()
}

/// Those that the next build moves.
fn moved() -> Vec<RunId> {
    STANDS.into_iter().flat_map(|stand| runs(stand).into_iter().step_by(2)).collect()
}

impl Town {
    fn new(db: TestDatabase) -> Self {
        let scales = Scales::default();
        let known = scales.clone();
        db.proven_by(move || Build::New.registry(&known));
        Self { db, scales }
    }

    async fn build(&self, build: Build, rooms: &[(&'static str, usize)]) -> Engine {
        let process = uuid::Uuid::from_u128(rand::random());
        let settings = Settings::new("test", process, "test").rooms(rooms);
        let engine = Engine::open(settings, connect(&self.db).await, build.registry(&self.scales));
        engine.beat().await.unwrap();
        engine
    }

    async fn whole(&self, build: Build) -> Engine {
        self.build(build, &[("default", 64), ("engine", 64)]).await
    }

    /// The old build leaves runs at every stand, the latest first, so that what is done for one does not move the others.
    async fn stop_everywhere(&self) {
        let (whole, idle) = (self.whole(Build::Old).await, self.build(Build::Old, &[]).await);
        let weighs = self.build(Build::Old, &[("default", 64)]).await;
        for stand in STANDS {
            for run in runs(stand) {
                idle.start::<old::Parcel>(run, &run.to_string(), &run, Origin::default()).await.unwrap();
            }
            match stand {
                Stand::Sent => {
                    later(&whole, REST * 2).await;
                    whole.let_go().await.unwrap();
                }
                Stand::Told | Stand::Spawning => {
                    weighs.settle().await.unwrap();
                    later(&idle, REST).await;
                    for run in runs(stand) {
                        idle.fire_due(run).await.unwrap();
                    }
                    if stand == Stand::Told {
                        self.print_labels().await;
                    }
                }
                Stand::Resting => weighs.settle().await.unwrap(),
                Stand::Asked => {}
            }
        }
    }

    /// Starts the labels, and leaves what they tell.
    async fn print_labels(&self) {
        let printer = self.build(Build::Old, &[("engine", 64)]).await;
        printer.claim().await.unwrap();
        for _ in 0..EACH {
            let lease = printer.hands().next().await.expect("a label to start");
            printer.execute(lease).await;
        }
        printer.let_go().await.unwrap();
    }

    /// The next build comes and moves half of what stands at each state.
    async fn move_half(&self) {
        let next = self.build(Build::New, &[]).await;
        for run in moved() {
            let key = EventKey::operator("deploy");
            next.note::<new::Parcel<2>>(run, &new::Event::Inspected, key, Origin::default()).await.unwrap();
        }
        assert_eq!(count(&self.db, "select count(*) from workflow_run where shape = 2").await, moved().len() as i64);
    }

    async fn states(&self) -> Vec<(RunId, i32, String)> {
        let engine = self.build(Build::New, &[]).await;
        let mut states = vec![];
        for run in every_run() {
            let view = engine.run(run).await.unwrap().unwrap();
            states.push((run, view.seq, view.state_name));
        }
        states
    }

    /// Nothing is left to do, nothing went wrong, and everything is where it should be.
    async fn all_is_sent(&self) {
        let states = self.states().await;
        assert!(states.iter().all(|(_, _, state)| state == "Sent"), "{states:?}");
        assert_eq!(count(&self.db, "select count(*) from workflow_work").await, 0);
        assert_eq!(count(&self.db, "select cast(sum(unexpected) as bigint) from workflow_run").await, 0);
        assert_eq!(self.scales.asked(), every_run().len(), "each parcel was weighed once");
    }

    async fn nothing_failed(&self) {
        let engine = self.build(Build::Old, &[]).await;
        assert_eq!(engine.parked().await.unwrap(), vec![]);
        let failed = "select count(*) from workflow_work where failures > 0 or error_class is not null";
        assert_eq!(count(&self.db, failed).await, 0);
    }

    /// Every journal holds, whichever builds wrote it; what the newest shape wrote is proven as far as the states are known.
    async fn replays(&self) {
        let engine = self.build(Build::New, &[]).await;
        let mut proven = 0;
        for run in every_run() {
            let replay = engine.replay(run).await.unwrap().unwrap();
            assert_eq!(replay.broken, Vec::<String>::new(), "{run}");
            proven += replay.proven;
        }
        assert!(proven > 0, "turns of this build that follow an older build's are judged");
    }
}

/// Lets the business clock go on, and this engine do what it can meanwhile.
async fn later(engine: &Engine, time: Duration) {
    let target = engine.now().await.unwrap() + time;
    engine.advance_to(target, Settling::Inline).await.unwrap();
}

async fn deploy_forth_and_back_finishes_every_run(db: TestDatabase) {
    let town = Town::new(db);
    town.stop_everywhere().await;
    town.move_half().await;
    let before = town.states().await;

    // The old build is back, and stays for longer than anything is tried: what it does not know it leaves alone.
    let old = town.whole(Build::Old).await;
    later(&old, Duration::from_secs(1800)).await;
    let ours = |states: Vec<(RunId, i32, String)>| -> Vec<_> {
        states.into_iter().filter(|(run, ..)| moved().contains(run)).collect()
    };
    let after = town.states().await;
    assert_eq!(ours(after.clone()), ours(before), "the old build has touched what a newer one wrote");
    let others: Vec<_> = after.iter().filter(|(run, ..)| !moved().contains(run)).collect();
    assert!(others.iter().all(|(_, _, state)| state == "Sent"), "{others:?}");
    let refused =
        old.note::<old::Parcel>(moved()[0], &old::Event::Labelled, EventKey::operator("x"), Origin::default());
    assert!(matches!(refused.await, Err(TurnError::NewerShape)));
    town.nothing_failed().await;
    drop(old);

    let new = town.whole(Build::New).await;
    later(&new, Duration::from_secs(600)).await;
    town.nothing_failed().await;
    town.all_is_sent().await;
    town.replays().await;
}

async fn a_build_that_reads_ahead_strands_no_run(db: TestDatabase) {
    let town = Town::new(db);
    town.stop_everywhere().await;
    town.move_half().await;
    let bridge = town.whole(Build::Bridge).await;
    later(&bridge, Duration::from_secs(600)).await;
    town.nothing_failed().await;
    town.all_is_sent().await;
    town.replays().await;
}

async fn what_an_older_build_obtained_is_not_asked_for_again(db: TestDatabase) {
    let town = Town::new(db);
    let old = town.whole(Build::Old).await;
    let parcel = run(1);
    old.start::<old::Parcel>(parcel, "k", &parcel, Origin::default()).await.unwrap();
    let lease = old.hands().next().await.expect("the turn leased its effect to this process");
    let next = town.build(Build::New, &[]).await;
    next.note::<new::Parcel<2>>(parcel, &new::Event::Inspected, EventKey::operator("d"), Origin::default())
        .await
        .unwrap();
    old.execute(lease).await;
    assert_eq!(town.scales.asked(), 1);

    let whole = town.whole(Build::New).await;
    later(&whole, Duration::from_secs(600)).await;
    assert_eq!(town.scales.asked(), 1, "the answer was kept");
    assert_eq!(whole.run(parcel).await.unwrap().unwrap().state_name, "Sent");
}

async fn a_census_says_what_may_be_deleted(db: TestDatabase) {
    let town = Town::new(db);
    town.stop_everywhere().await;
    town.move_half().await;
    let engine = town.build(Build::New, &[]).await;
    let census = engine.census(Some("parcel")).await.unwrap();
    let count = |state: &str, shape| {
        census.runs.iter().filter(|one| one.state == state && one.shape == shape).map(|one| one.runs).sum::<i64>()
    };
    assert_eq!((count("Asked", 1), count("Asked", 2)), (2, 2));
    assert_eq!((count("Resting", 1), count("Resting", 2), count("Checking", 2)), (2, 0, 2));
    assert_eq!((count("Labelling", 1), count("Labelling", 2)), (4, 4));
    assert!(census.runs.iter().all(|one| one.finished == (one.state == "Sent")));
    let work = |kind, name: &str| {
        census.work.iter().filter(|one| one.kind == kind && one.name == name).map(|one| one.work).sum::<i64>()
    };
    assert_eq!((work("effect", "Weigh"), work("effect", "Check"), work("timer", "Rested")), (4, 2, 2));
    assert_eq!(work("spawn", "label"), 4);
    let told = engine.census(Some("label")).await.unwrap().work;
    assert_eq!((told[0].name.as_str(), told[0].work), ("parcel.Labelled", 4));
    assert_eq!((census.known[0].writes, census.known[0].reads), (2, 2));
    let waiting = WorkFilter { workflow: Some("parcel".into()), ..WorkFilter::default() };
    assert_eq!(
        engine.list_work(&waiting, None, 100).await.unwrap().rows.len() as i64,
        census.work.iter().map(|w| w.work).sum::<i64>()
    );
}

async fn a_newer_run_is_not_projected_by_an_older_build(db: TestDatabase) {
    let town = Town::new(db);
    town.stop_everywhere().await;
    town.move_half().await;
    let old = town.build(Build::Old, &[]).await;
    let nil = RunId::from_uuid(uuid::Uuid::nil());
    let done = old.reproject("parcel", (nil, 500), Act::Write).await.unwrap().unwrap();
    assert_eq!(done.runs, every_run().len());
    let failed: Vec<RunId> = done.failed.iter().map(|(run, _)| *run).collect();
    assert_eq!(failed.len(), moved().len());
    assert!(failed.iter().all(|run| moved().contains(run)), "{:?}", done.failed);
}

on_both!(
    deploy_forth_and_back_finishes_every_run,
    a_build_that_reads_ahead_strands_no_run,
    what_an_older_build_obtained_is_not_asked_for_again,
    a_census_says_what_may_be_deleted,
    a_newer_run_is_not_projected_by_an_older_build,
);
