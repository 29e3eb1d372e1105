//! A history of over ten thousand turns: there is no way to cut one short, so it has to do as it is.

use super::archive::{Event, State, days_pass, done, open, state, tell};
use super::toy::run;
use engine::Engine;
use futures::{StreamExt, stream};
use harness::{TestDatabase, on_both};
use std::time::{Duration, Instant};

const TURNS: u32 = 10_050;
/// As many callers as share a commit or two.
const AT_ONCE: usize = 512;
/// Far more than it takes on a busy machine, and far less than if every turn read those before it.
const BOUND: Duration = Duration::from_secs(60);

/// Thanks, again and again: each is a turn that moves, and a fact.
async fn thank(engine: &Engine, run: u128, times: std::ops::Range<u32>) {
    let thanks = times.map(|n| async move { tell(engine, run, Event::Thanked, &format!("thanks {n}")).await });
    let told = stream::iter(thanks).buffer_unordered(AT_ONCE);
    told.for_each(|told| async { drop(told.unwrap()) }).await;
}

/// What one turn by itself takes: the median of some.
async fn one_turn(engine: &Engine, run: u128) -> Duration {
    let mut took = vec![];
    for n in 0..15 {
        let began = Instant::now();
        tell(engine, run, Event::Thanked, &format!("alone {n}")).await.unwrap();
        took.push(began.elapsed());
    }
    took.sort();
    took[took.len() / 2]
}

async fn a_history_of_ten_thousand_turns_turns_reads_replays_and_goes_to_the_archive(db: TestDatabase) {
    let began = Instant::now();
    let engine = open(&db, 1).await;
    let (long, short) = (done(&engine, 1).await, done(&engine, 2).await);
    thank(&engine, 1, 0..TURNS).await;
    let (late, early) = (one_turn(&engine, 1).await, one_turn(&engine, 2).await);
    assert!(late < 5 * early + Duration::from_millis(20), "a turn takes {late:?}, and {early:?} in a short history");

    let turns = 2 + TURNS as usize + 15;
    assert_eq!(state(&engine, 1).await, State::Done { thanks: TURNS + 15 });
    assert_eq!(engine.journal(long).await.unwrap().len(), turns);
    assert_eq!(engine.transcript(long).await.unwrap().unwrap().turns.len(), turns);
    let replay = engine.replay(long).await.unwrap().unwrap();
    assert_eq!((replay.proven, replay.broken), (turns, vec![]));

    days_pass(&db, 31).await;
    assert_eq!(engine.archive(1000).await.unwrap(), 2);
    let replay = engine.replay(long).await.unwrap().unwrap();
    assert_eq!((replay.proven, replay.broken), (turns, vec![]), "from the archive");
    tell(&engine, 1, Event::Thanked, "late").await.unwrap();
    assert_eq!(engine.journal(run(1)).await.unwrap().len(), turns + 1, "a late fact brings it back whole");
    assert!(engine.run(short).await.unwrap().unwrap().archived.is_some());
    assert!(began.elapsed() < BOUND, "all of it took {:?}", began.elapsed());
}

on_both!(a_history_of_ten_thousand_turns_turns_reads_replays_and_goes_to_the_archive);
