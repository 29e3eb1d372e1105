//! Processes are killed, frozen and rolled.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use engine::faults::Poison;
use engine::schema::LEASED;
use harness::wait;
use uuid::Uuid;

use super::lab::{Lab, in_a_lab};
use super::letters::{call_workers_back, put, send_workers_home};
use super::{long, seed};
use crate::killed::installation::Installation;
use crate::killed::play::{Chaos, crashed_and_rescued};
use crate::killed::script::Measure;
use crate::killed::seat::Role;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_01_workers_are_killed_a_hundred_times() {
    long(seed(), Chaos { kill_workers: 100, ..Chaos::NONE }).must_be_clean();
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_02_apis_are_killed_fifty_times() {
    long(seed(), Chaos { kill_apis: 50, ..Chaos::NONE }).must_be_clean();
}

/// Work goes from hand to hand at once: whoever is asked to leave leaves nothing behind that anybody would have to rescue.
#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_21_workers_are_rolled_thirty_times() {
    let outcome = long(seed(), Chaos { rolls: 30, ..Chaos::NONE }).must_be_clean();
    assert_eq!(outcome.rescued, 0, "leases that a planned stop left behind");
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_29_workers_stand_still_and_come_back_too_late() {
    let refused = long(seed(), Chaos { freezes: 4, ..Chaos::NONE }).must_be_clean().refused;
    assert!(refused > 0, "nothing was refused: nobody came too late");
}

/// Letters that never come to an end, few enough that one worker has room for all of them.
const ENDLESS: u32 = 8;
/// How often a worker is asked to leave while it has such letters in hand.
const LEAVES: usize = 10;
/// How long it may still work on them, as configured here.
const DRAIN: Duration = Duration::from_secs(1);
/// How long after that they may be in nobody's hand: the end of a process and the way of a bell, and nothing that would wait for a
/// heartbeat to grow old.
const NOBODYS: Duration = Duration::from_secs(1);
/// Between two looks at who has which letter.
const LOOK: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_secs(30);

/// What cannot be finished in time is begun again by somebody else as soon as it is given back.
#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_21_a_worker_that_leaves_hands_on_what_it_cannot_finish() {
    let mut house = Installation::of_servers("poison").unwrap();
    house.set("INNKEEPER_WORKER__DRAIN_SECONDS", &DRAIN.as_secs().to_string());
    let people = Measure { slots: 0, homes: 2, guests: 1, contested: 1, rivals: 1 };
    in_a_lab(house, people, async |lab| {
        send_workers_home(&lab).await?;
        put(&lab, ENDLESS, |n, _| Poison::Hangs.run(n)).await?;
        call_workers_back(&lab).await?;
        let workers = lab.of_role(Role::Worker).await;
        let mut took = vec![];
        for nth in 0..LEAVES {
            took.extend(leaves(&lab, workers[nth % workers.len()]).await?);
        }
        let (_, rescued) = crashed_and_rescued(&lab.house).await;
        ensure!(rescued == 0, "{rescued} leases had to be rescued");
        lab.stop().await?;
        ensure!(!took.is_empty(), "nobody had anything to hand on");
        took.sort_unstable();
        let (median, most) = (took[took.len() / 2], took[took.len() - 1]);
        ensure!(most <= DRAIN + NOBODYS, "from TERM to the next try up to {most:?}, {DRAIN:?} of them to finish");
        Ok(format!(
            "REL-21: {} letters handed on by {LEAVES} workers that left; from TERM to the next try {median:.3?} usually and {most:.3?} \
             at most, {DRAIN:?} of them to finish",
            took.len(),
        ))
    });
}

/// A letter in somebody's hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InHand {
    holder: Uuid,
    attempt: i32,
}

async fn in_hand(lab: &Lab) -> Result<BTreeMap<Uuid, InHand>> {
    let sql = format!("select run, holder, attempt from workflow_work where queue = 'mail' and not_before = {LEASED}");
    let rows = lab.witness.rows(&sql).await?;
    let letter = |row: &sea_orm::QueryResult| {
        let in_hand = InHand { holder: row.try_get_by_index(1)?, attempt: row.try_get_by_index(2)? };
        Ok((row.try_get_by_index(0)?, in_hand))
    };
    rows.iter().map(letter).collect()
}

/// Asks a worker to leave, and says how long it took from there until each letter that it had in hand was begun anew by another.
async fn leaves(lab: &Lab, place: usize) -> Result<Vec<Duration>> {
    let all_in_hand = wait::until(LIMIT, "every letter is in somebody's hand", async || {
        in_hand(lab).await.ok().filter(|letters| letters.len() == ENDLESS as usize)
    });
    let before = all_in_hand.await?;
    let mut seat = lab.house.seats[place].lock().await;
    seat.serves().await?;
    let (began, gone) = (Instant::now(), AtomicBool::new(false));
    let leaving = async {
        let well = seat.stop().await;
        gone.store(true, Ordering::SeqCst);
        well
    };
    let (well, anew) = tokio::join!(leaving, begun_anew(lab, &before, (began, &gone)));
    ensure!(well?, "a worker did not end in good order");
    seat.start()?;
    anew
}

/// Looks until somebody has left and every letter that was in his hands is in another's; says when each of them was.
async fn begun_anew(
    lab: &Lab,
    before: &BTreeMap<Uuid, InHand>,
    (began, gone): (Instant, &AtomicBool),
) -> Result<Vec<Duration>> {
    let mut anew: BTreeMap<Uuid, Duration> = BTreeMap::new();
    let (mut ticks, mut at_the_end) = (tokio::time::interval(LOOK), None);
    loop {
        ticks.tick().await;
        let left = gone.load(Ordering::SeqCst);
        for (letter, now) in in_hand(lab).await? {
            if before.get(&letter).is_some_and(|then| then.attempt < now.attempt) {
                anew.entry(letter).or_insert_with(|| began.elapsed());
            }
        }
        let beats = beats(lab).await?;
        if left {
            // Whoever beats after that is still there.
            let then = at_the_end.get_or_insert_with(|| beats.clone());
            let lives = |process: &Uuid| beats.get(process).is_some_and(|beat| then.get(process) != Some(beat));
            let mut handed_on = before.iter().filter(|(_, then)| !lives(&then.holder)).map(|(letter, _)| letter);
            if beats.keys().any(lives) && handed_on.clone().all(|letter| anew.contains_key(letter)) {
                return Ok(handed_on.by_ref().map(|letter| anew[letter]).collect());
            }
        }
        ensure!(began.elapsed() < DRAIN + LIMIT, "what was handed on is not begun anew");
    }
}

/// When each process was last heard.
async fn beats(lab: &Lab) -> Result<BTreeMap<Uuid, i64>> {
    let rows = lab.witness.rows("select id, beat_at from workflow_process").await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}
