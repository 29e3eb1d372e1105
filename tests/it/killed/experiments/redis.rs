//! Redis goes away, comes back empty, or stays away for long. It is never on the way of a booking.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::lab::{Lab, everyday, experiment};
use super::{long, seed};
use crate::killed::client::Fare;
use crate::killed::installation::Installation;
use crate::killed::play::{Chaos, Play};

/// Minutes before Redis goes, without it, and after it is back.
const MINUTES: [usize; 3] = [2, 5, 2];
/// How much more often the gateway may be called than on a day on which nothing happens, in hundredths.
const CALLS: i64 = 120;

/// One request in a hundred, and no more, may have to be repeated, and all others take about as long as usual.
fn hardly_noticed(troubled: Fare, usual: Fare) -> Result<()> {
    let Fare { asked, failed, most } = troubled;
    ensure!(asked > 100, "only {asked} requests met Redis in trouble");
    ensure!(failed * 100 <= asked, "{failed} of {asked} requests failed");
    let limit = usual.most * 2 + Duration::from_millis(50);
    ensure!(most <= limit, "99 % took up to {most:?}, and {:?} usually", usual.most);
    Ok(())
}

/// Beside the same play on a day on which nothing happens, played right before: whatever else the machine does in only one of the two
/// looks like Redis's doing.
fn hardly_anybody_notices(play: Play) {
    let usual = long(seed(), Chaos::NONE).must_be_clean().fared;
    let troubled = play.must_be_clean().troubled;
    hardly_noticed(troubled, usual).unwrap();
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_03_redis_is_taken_away_twenty_times() {
    hardly_anybody_notices(long(seed(), Chaos { stop_redis: 20, ..Chaos::NONE }));
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_04_redis_is_emptied_ten_times() {
    hardly_anybody_notices(long(seed(), Chaos { empty_redis: 10, ..Chaos::NONE }));
}

/// What people and the gateway saw of some minutes.
#[derive(Clone, Copy, Debug)]
struct Seen {
    fare: Fare,
    /// How often the gateway was called, and for how many things that it was to do.
    calls: (i64, i64),
}

/// Nobody storms anything without it, nor when it is back: the gateway is not called more often, and people do not wait longer than in
/// the minutes before.
#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_05_redis_stays_away_for_five_minutes_and_comes_back() {
    let [before, away, after] = MINUTES;
    experiment(Installation::of_servers("").unwrap(), everyday(before + away + after), async |lab| {
        let calm = minutes(lab, 0, before).await?;
        disturb(lab, |redis| {
            redis.kill();
            Ok(())
        })
        .await?;
        let without = minutes(lab, before, away).await?;
        disturb(lab, harness::servers::Redis::start_again).await?;
        let back = minutes(lab, before + away, after).await?;
        println!("before {calm:?}\nwithout Redis {without:?}\nand back {back:?}");
        for seen in [without, back] {
            hardly_noticed(seen.fare, calm.fare)?;
            let ((calls, deeds), (usual, of)) = (seen.calls, calm.calls);
            ensure!(calls * of * 100 <= usual * deeds * CALLS, "{calls} calls for {deeds} deeds");
        }
        let [calm, without, back] = [calm, without, back].map(|seen| seen.fare.most);
        Ok(format!(
            "REL-05: Redis away for {away} minutes; 99 % of the requests within {calm:.2?} before, {without:.2?} without it, \
             {back:.2?} when it was back"
        ))
    });
}

async fn minutes(lab: &mut Lab, first: usize, many: usize) -> Result<Seen> {
    let (began, (calls, deeds)) = (Instant::now(), lab.witness.calls().await?);
    for nth in first..first + many {
        lab.minute(nth, async |_| Ok(())).await?;
    }
    let fare = lab.stage.client.fared.within(&[(began, Instant::now())]);
    let now = lab.witness.calls().await?;
    Ok(Seen { fare, calls: (now.0 - calls, now.1 - deeds) })
}

async fn disturb(lab: &Lab, how: impl FnOnce(&mut harness::servers::Redis) -> Result<()>) -> Result<()> {
    let mut redis = lab.house.redis.as_ref().context("there is a Redis")?.lock().await;
    tokio::task::block_in_place(|| how(&mut redis))
}
