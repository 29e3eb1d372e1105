//! Twenty minutes of everyday life with a fault a minute: what a process holds levels off.
//!
//! One API and one worker live through all of it; only they can show that something grows. `INNKEEPER_CHAOS_SOAK` names another number
//! of minutes.

use std::env;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::proxy::Lost;
use harness::wait;
use tokio::time::sleep;

use super::lab::{Lab, everyday, experiment};
use crate::killed::installation::Installation;
use crate::killed::seat::Role;

const MINUTES: usize = 20;
/// What may be more in the last third than in the middle one, in hundredths.
const GROWTH: u64 = 10;

/// What those hold who live through it, and their servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    api_kib: u64,
    worker_kib: u64,
    api_files: u64,
    worker_files: u64,
    connections: u64,
    redis_keys: u64,
}

impl Held {
    fn all(self) -> [(&'static str, u64); 6] {
        let Self { api_kib, worker_kib, api_files, worker_files, connections, redis_keys } = self;
        [
            ("KiB of the API", api_kib),
            ("KiB of the worker", worker_kib),
            ("files of the API", api_files),
            ("files of the worker", worker_files),
            ("connections to Postgres", connections),
            ("keys in Redis", redis_keys),
        ]
    }
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_32_twenty_minutes_with_a_fault_a_minute() {
    let minutes = env::var("INNKEEPER_CHAOS_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(MINUTES);
    experiment(Installation::of_servers("").unwrap(), everyday(minutes), async |lab| {
        let held = soak(lab, minutes).await?;
        levels_off(&held)?;
        let (first, last) = (held.first().context("a minute")?, held.last().context("a minute")?);
        Ok(format!("REL-32: {minutes} minutes; after the first {first:?}, after the last {last:?}"))
    });
}

async fn soak(lab: &mut Lab, minutes: usize) -> Result<Vec<Held>> {
    let mut held = vec![];
    for minute in 0..minutes {
        lab.minute(minute, async |lab| fault(lab, minute).await).await?;
        held.push(look(lab).await?);
        println!("minute {} of {minutes}: {:?}", minute + 1, held.last());
    }
    Ok(held)
}

/// One thing goes wrong, in turn; who lives through everything may lose wires and answers, not its life.
async fn fault(lab: &Lab, minute: usize) -> Result<()> {
    sleep(Duration::from_secs(3)).await;
    let (apis, workers) = (lab.of_role(Role::Api).await, lab.of_role(Role::Worker).await);
    let survivors = [apis[0], workers[0]];
    match minute % 6 {
        0 => again(lab, workers[1]).await,
        1 => {
            let redis = lab.house.redis.as_ref().context("there is a Redis")?.lock().await;
            tokio::task::block_in_place(|| redis.empty())
        }
        2 => again(lab, apis[1]).await,
        3 => {
            for place in survivors {
                if let Some(wires) = &lab.house.seats[place].lock().await.wires {
                    wires.database.lose_commits(Lost::Answer, 3);
                }
            }
            Ok(())
        }
        4 => {
            for place in survivors {
                if let Some(wires) = &lab.house.seats[place].lock().await.wires {
                    wires.database.cut();
                    wires.redis.cut();
                }
            }
            Ok(())
        }
        _ => {
            let mut postgres = lab.house.postgres.as_ref().context("there is a Postgres")?.lock().await;
            tokio::task::block_in_place(|| {
                postgres.kill();
                postgres.start_again()
            })
        }
    }
}

async fn again(lab: &Lab, place: usize) -> Result<()> {
    let mut seat = lab.house.seats[place].lock().await;
    seat.kill();
    seat.start()
}

async fn look(lab: &Lab) -> Result<Held> {
    let (apis, workers) = (lab.of_role(Role::Api).await, lab.of_role(Role::Worker).await);
    let pid = async |place: usize| lab.house.seats[place].lock().await.pid().context("nobody sits there");
    let (api, worker) = (pid(apis[0]).await?, pid(workers[0]).await?);
    let connections = "select count(*) from pg_stat_activity where application_name like 'innkeeper%'";
    let redis = lab.house.redis.as_ref().context("there is a Redis")?.lock().await;
    let (redis_keys, _) = tokio::task::block_in_place(|| redis.size())?;
    Ok(Held {
        api_kib: resident(api)?,
        worker_kib: resident(worker)?,
        api_files: files(api)?,
        worker_files: files(worker)?,
        connections: u64::try_from(asked(lab, connections).await?)?,
        redis_keys,
    })
}

/// A count by a connection of our own, which may still be one to the Postgres that was killed.
async fn asked(lab: &Lab, sql: &str) -> Result<i64> {
    let answered = async || lab.witness.count(sql).await.ok();
    wait::until(Duration::from_secs(20), "Postgres answers", answered).await
}

/// The memory that a process has, in KiB.
fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process has memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// The files and sockets that it has open.
fn files(pid: u32) -> Result<u64> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64)
}

/// The last third against the middle one; a short soak only shows that it works.
fn levels_off(held: &[Held]) -> Result<()> {
    let third = held.len() / 3;
    if third == 0 {
        return Ok(());
    }
    let (middle, last) = (&held[third..2 * third], &held[held.len() - third..]);
    let median = |part: &[Held], nth: usize| {
        let mut values: Vec<u64> = part.iter().map(|held| held.all()[nth].1).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    for (nth, (what, _)) in Held::default().all().into_iter().enumerate() {
        let (before, after) = (median(middle, nth), median(last, nth));
        // A handful more of something small is no growth.
        ensure!(after <= before + before * GROWTH / 100 + 8, "{what} grow: {before}, then {after}");
    }
    Ok(())
}
