//! Disks that are full: of PostgreSQL, of Redis, of the one process on SQLite. What can be read is read, what would be written is turned
//! away, and when there is room again everything goes on by itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::servers::{Postgres, Redis, SmallDisk};
use harness::wait;
use serde_json::json;
use tokio::time::sleep;

use super::lab::{Lab, experiment};
use crate::killed::client::Ask;
use crate::killed::installation::Installation;
use crate::killed::script::Measure;

const MEASURE: Measure = Measure { slots: 160, homes: 20, guests: 8, contested: 3, rivals: 3 };
/// How often, and how long, a disk is full.
const TIMES: usize = 2;
const LASTS: Duration = Duration::from_secs(8);
/// How long it may take until a home can be made again.
const HEALED: Duration = Duration::from_secs(30);

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_23_the_disk_of_postgres_is_full() {
    let disk = SmallDisk::new(400).unwrap();
    let postgres = Postgres::start_on(&disk).unwrap();
    let house = Installation::on(postgres, Redis::start().unwrap(), "").unwrap().with_disk(disk);
    experiment(house, MEASURE, async |lab| {
        let ((), probed) = tokio::try_join!(lab.crowd(), full(lab))?;
        Ok(format!("REL-23: the disk of Postgres was full {TIMES} times; {probed}"))
    });
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_23_the_disk_of_redis_is_full() {
    let disk = SmallDisk::new(64).unwrap();
    let redis = Redis::start_on(&disk).unwrap();
    let house = Installation::on(Postgres::start().unwrap(), redis, "").unwrap().with_disk(disk);
    experiment(house, MEASURE, async |lab| {
        let ((), probed) = tokio::try_join!(lab.crowd(), full(lab))?;
        ensure!(!probed.contains("503"), "writes need no Redis, and were answered {probed}");
        Ok(format!("REL-23: the disk of Redis was full {TIMES} times; {probed}"))
    });
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_23_the_disk_of_the_one_process_is_full() {
    let house = Installation::embedded("").unwrap();
    let disk = SmallDisk::mount(&house.data, 300).unwrap();
    experiment(house.with_disk(disk), MEASURE, async |lab| {
        // The pretended gateway and post keep their books on this disk too: when it is full long enough, a person hears that they fail.
        lab.ours.push("it is left alone for a while");
        let ((), probed) = tokio::try_join!(lab.crowd(), full(lab))?;
        Ok(format!("REL-23: the disk of SQLite was full {TIMES} times; {probed}"))
    });
}

/// Fills the disk and frees it again; hands back how a write was answered meanwhile.
async fn full(lab: &Lab) -> Result<String> {
    let disk = lab.house.disk.as_ref().context("this experiment has a disk")?;
    let mut statuses = vec![];
    for n in 0..TIMES {
        sleep(Duration::from_secs(2)).await;
        disk.fill()?;
        sleep(LASTS / 2).await;
        let answer = write(lab, &format!("full-{n}")).await;
        sleep(LASTS / 2).await;
        disk.free()?;
        // A Postgres that could not even write its log has ended, and its supervisor starts it again when there is room.
        if let Some(postgres) = &lab.house.postgres {
            let mut postgres = postgres.lock().await;
            tokio::task::block_in_place(|| postgres.start_again())?;
        }
        let healed = std::time::Instant::now();
        wait::until(HEALED, "a home can be made again", || async {
            (write(lab, &format!("free-{n}")).await == 201).then_some(())
        })
        .await?;
        ensure!([201, 503].contains(&answer), "a write to a full disk was answered {answer}");
        statuses.push(format!("a write was answered {answer}, well again after {:.1?}", healed.elapsed()));
    }
    Ok(statuses.join("; "))
}

/// The status with which the making of a home is answered; 0 without an answer.
async fn write(lab: &Lab, key: &str) -> u16 {
    let host = &lab.stage.town.homes[0].host.token;
    let ask = Ask::post("/properties", json!({ "title": "A home on a full disk" })).by(host).once(key);
    let answer = lab.stage.client.patient().once(&lab.house.sites[0], &ask).await;
    answer.map_or(0, |reply| reply.status)
}
