//! What a turn promises: atomic, once, timers first, conflicts as answers, no fact lost.

use super::toy::{Event, Seat, State, Terms, Theatre, run, terms};
use engine::{EventKey, Origin, Settling, TurnError, detached};
use harness::{Backend, TestDatabase, on_both};
use sea_orm::ConnectionTrait;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

async fn started(theatre: &Theatre, n: u128, seat: i64) -> engine::RunId {
    theatre.engine.start::<Seat>(run(n), &format!("seat-{n}"), &terms(seat), Origin::actor("usr_1")).await.unwrap();
    run(n)
}

async fn a_turn_is_atomic(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    let engine = theatre.engine.clone();
    detached(async move {
        let tx = engine.begin().await.unwrap();
        tx.start::<Seat>(run(1), "seat-1", &terms(1), &Origin::default()).await.unwrap();
        drop(tx);
    })
    .await;
    for table in ["workflow_run", "workflow_journal", "workflow_work", "event_log", "toy_seat"] {
        assert_eq!(theatre.count(&format!("select count(*) from {table}")).await, 0, "{table} kept something");
    }
    started(&theatre, 2, 2).await;
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.state(run(2)).await, State::Paid { receipt: "r2".into() });
    assert_eq!(theatre.keys(run(2)).await, ["start", "fx:0:0"]);
    assert_eq!(theatre.count("select count(*) from event_log").await, 1);
    assert_eq!(theatre.count("select count(*) from toy_seat").await, 1);
    assert_eq!(theatre.posts.0.lock().unwrap().len(), 1);
    // The hold's timer went with the state that set it.
    assert_eq!(theatre.count("select count(*) from workflow_work").await, 0);
}

async fn the_same_event_twice_is_one_event(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    let id = started(&theatre, 1, 1).await;
    let again = theatre.engine.start::<Seat>(id, "seat-1", &terms(1), Origin::default()).await;
    assert!(matches!(again, Err(TurnError::Duplicate)));
    let key = || EventKey::request("usr_1", "POST /seats/leave", "k1");
    theatre.engine.send::<Seat>(id, &Event::GivenUp, key(), Origin::default()).await.unwrap();
    let repeat = theatre.engine.send::<Seat>(id, &Event::GivenUp, key(), Origin::default()).await;
    assert!(matches!(repeat, Err(TurnError::Duplicate)), "{repeat:?}");
    assert_eq!(theatre.keys(id).await.len(), 2);
}

async fn due_timers_come_before_any_event(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    theatre.office.will(&[super::toy::Mood::LostReply]);
    theatre.engine.start::<Seat>(run(1), "k", &Terms { seat: 1, hold: 0 }, Origin::default()).await.unwrap();
    // The hold ended at its own instant; the command that comes now meets the state after it.
    let late = theatre.engine.send::<Seat>(run(1), &Event::GivenUp, EventKey::operator("1"), Origin::default()).await;
    assert!(matches!(&late, Err(TurnError::Refused(refusal)) if refusal.code == "out_of_turn"), "{late:?}");
    let journal = theatre.engine.journal(run(1)).await.unwrap();
    assert_eq!(journal[1].key, "tm:HoldEnds:0:1");
    assert_eq!(journal[1].at, journal[0].at, "the timer fires at the instant it was meant for");
    assert_eq!(theatre.count("select count(*) from toy_seat").await, 0);
}

async fn an_effect_is_taken_back_only_until_it_is_claimed(db: TestDatabase) {
    let theatre = Theatre::open(db.clone()).await;
    let change =
        |n| theatre.engine.send::<Seat>(run(n), &Event::ChangedMind, EventKey::operator("1"), Origin::default());
    // This one is in our hands already: it is performed, and its answer arrives as usual.
    started(&theatre, 1, 1).await;
    change(1).await.unwrap();
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.state(run(1)).await, State::Held, "the seat was paid for after all");
    // This one waits for whoever has room: nobody ever performs it.
    theatre.engine.hands().close();
    started(&theatre, 2, 2).await;
    change(2).await.unwrap();
    assert_eq!(theatre.count("select count(*) from workflow_work where kind = 0").await, 0);
    let other = Theatre::beside(&db, theatre.office.clone(), 2).await;
    other.engine.settle().await.unwrap();
    assert_eq!(other.state(run(2)).await, State::Away);
    assert_eq!(theatre.office.calls.lock().unwrap().len(), 1);
}

async fn a_conflict_is_an_answer(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    started(&theatre, 1, 7).await;
    let rival = theatre.engine.start::<Seat>(run(2), "seat-2", &terms(7), Origin::default()).await;
    assert!(matches!(rival, Err(TurnError::Taken(_))), "{rival:?}");
    assert_eq!(theatre.count("select count(*) from workflow_run").await, 1);

    // A command that finds the seat taken is refused; a fact is given to the process again, with the conflict.
    theatre.engine.send::<Seat>(run(1), &Event::GivenUp, EventKey::operator("1"), Origin::default()).await.unwrap();
    theatre.engine.start::<Seat>(run(2), "seat-2", &terms(7), Origin::default()).await.unwrap();
    let back = theatre.engine.send::<Seat>(run(1), &Event::CameBack, EventKey::operator("2"), Origin::default()).await;
    assert!(matches!(back, Err(TurnError::Taken(_))), "{back:?}");
    assert_eq!(theatre.state(run(1)).await, State::Away);
    let late = Event::Paid { receipt: "late".into() };
    theatre.engine.note::<Seat>(run(1), &late, EventKey::webhook("office", "e1"), Origin::default()).await.unwrap();
    assert_eq!(theatre.state(run(1)).await, State::Lost);
    let last = theatre.engine.journal(run(1)).await.unwrap().pop().unwrap();
    assert_eq!(last.key, "wh:office:e1");
    assert!(last.note.is_some_and(|note| note.contains("seat")), "the conflict is part of the journal");
}

async fn no_fact_disappears(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    let id = started(&theatre, 1, 1).await;
    theatre
        .engine
        .note::<Seat>(id, &Event::CameBack, EventKey::webhook("office", "odd"), Origin::default())
        .await
        .unwrap();
    let view = theatre.engine.run(id).await.unwrap().unwrap();
    assert_eq!(view.unexpected, 1);
    let journal = theatre.engine.journal(id).await.unwrap();
    assert_eq!((journal[1].verdict, journal[1].to.as_str()), ("unexpected", "Held"));
    let ignored = Event::Greeted { by: id };
    theatre.engine.note::<Seat>(id, &ignored, EventKey::webhook("office", "hello"), Origin::default()).await.unwrap();
    let journal = theatre.engine.journal(id).await.unwrap();
    assert_eq!(journal[2].note.as_deref(), Some("a greeting needs no answer"));
    // A finished run still takes facts.
    theatre.engine.settle().await.unwrap();
    theatre.engine.send::<Seat>(id, &Event::GivenUp, EventKey::operator("1"), Origin::default()).await.unwrap();
    let full = EventKey::webhook("office", "full");
    theatre.engine.note::<Seat>(id, &Event::NoSeatLeft, full, Origin::default()).await.unwrap();
    assert!(theatre.engine.run(id).await.unwrap().unwrap().finished);
    let late = Event::Paid { receipt: "late".into() };
    theatre.engine.note::<Seat>(id, &late, EventKey::webhook("office", "late"), Origin::default()).await.unwrap();
    let last = theatre.engine.journal(id).await.unwrap().pop().unwrap();
    assert_eq!((last.key.as_str(), last.verdict, last.to.as_str()), ("wh:office:late", "unexpected", "Lost"));
    assert!(last.event.contains("late"), "{}", last.event);
    assert_eq!(theatre.engine.run(id).await.unwrap().unwrap().unexpected, 2);
}

async fn the_clock_steps_from_due_instant_to_due_instant(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    theatre.office.will(&[super::toy::Mood::Mistaken]);
    started(&theatre, 1, 1).await;
    let now = theatre.engine.now().await.unwrap();
    let target = now + std::time::Duration::from_secs(3600);
    let reached = theatre.engine.advance_to(target, Settling::Inline).await.unwrap();
    assert!(reached >= target);
    let journal = theatre.engine.journal(run(1)).await.unwrap();
    let waited = journal[1].at - journal[0].at;
    assert_eq!(waited.num_seconds(), 900, "the hold ended at its instant, not at the target");
    assert!(theatre.engine.advance_to(now, Settling::Inline).await.unwrap() >= target, "the clock never goes back");
}

async fn many_events_of_many_runs_share_a_commit(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    let starts = (0..200u128).map(|n| {
        let engine = theatre.engine.clone();
        async move {
            engine.start::<Seat>(run(n), &format!("k{n}"), &terms(i64::try_from(n).unwrap()), Origin::default()).await
        }
    });
    for started in futures::future::join_all(starts).await {
        started.unwrap();
    }
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.count("select count(*) from workflow_run where state_name = 'Paid'").await, 200);
    assert_eq!(theatre.count("select count(*) from workflow_journal").await, 400);
    assert_eq!(theatre.count("select count(*) from workflow_work").await, 0);
    assert_eq!(theatre.office.sold.lock().unwrap().len(), 200);

    // Who takes a seat commits alone, and all who do leave their group at once: it is not decided anew for each of them.
    let splits = theatre.heard.splits.load(Relaxed);
    assert!((1..20).contains(&splits), "groups were split {splits} times");
    // Who gives one up commits with whoever else is waiting.
    let before = theatre.heard.commits.lock().unwrap().len();
    let given_up = (0..200u128).map(|n| {
        let key = EventKey::operator("closed");
        theatre.engine.send::<Seat>(run(n), &Event::GivenUp, key, Origin::default())
    });
    for given_up in futures::future::join_all(given_up.collect::<Vec<_>>()).await {
        given_up.unwrap();
    }
    let commits = theatre.heard.commits.lock().unwrap()[before..].to_vec();
    assert_eq!(commits.iter().sum::<usize>(), 200);
    assert!(commits.len() < 50, "whoever waits is taken along: {commits:?}");
    nothing_stays_open(&theatre).await;
}

/// The next group's transaction may have been begun already; it does not wait for long.
async fn nothing_stays_open(theatre: &Theatre) {
    if theatre.db.backend == Backend::Sqlite {
        return;
    }
    let open = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
    let none = async || (theatre.count(open).await == 0).then_some(());
    harness::wait::until(Duration::from_secs(2), "every transaction is over", none).await.unwrap();
}

async fn facts_are_sealed_without_gaps_and_in_a_chain(db: TestDatabase) {
    let theatre = Theatre::open(db).await;
    for n in 1..=5 {
        started(&theatre, n, i64::try_from(n).unwrap()).await;
    }
    theatre.engine.settle().await.unwrap();
    assert_eq!(theatre.engine.seal().await.unwrap(), Some(5));
    assert_eq!(theatre.engine.seal().await.unwrap(), Some(0));
    let positions: Vec<i64> = theatre.engine.sealed_after(0, 10).await.unwrap().iter().map(|s| s.position).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5]);
    assert_eq!(theatre.engine.first_broken_seal().await.unwrap(), None);
    started(&theatre, 6, 6).await;
    theatre.engine.settle().await.unwrap();
    let forgeries = [
        "update event_log set body = '9' where position = 3",
        "update event_log set position = 9 where position = 3",
        "update event_log set position = null where position = 3",
        "update event_log set body = '9' where position is null",
        "update event_log set position = 9, hash = null where position is null",
        "update event_log set position = 9, hash = (select head from workflow_run limit 1), at = at + 1 where position is null",
        "delete from event_log where position = 3",
        "delete from event_log where position is null",
    ];
    for forgery in forgeries {
        assert!(theatre.db.connection.execute_unprepared(forgery).await.is_err(), "{forgery}");
    }
    assert_eq!(theatre.engine.seal().await.unwrap(), Some(1));
    assert_eq!(theatre.engine.first_broken_seal().await.unwrap(), None);
}

on_both!(
    an_effect_is_taken_back_only_until_it_is_claimed,
    a_turn_is_atomic,
    the_same_event_twice_is_one_event,
    due_timers_come_before_any_event,
    a_conflict_is_an_answer,
    no_fact_disappears,
    the_clock_steps_from_due_instant_to_due_instant,
    many_events_of_many_runs_share_a_commit,
    facts_are_sealed_without_gaps_and_in_a_chain,
);
