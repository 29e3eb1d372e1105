//! Memory that runs out: a worker that gets no more of it dies wherever it stands, and its work is done by somebody else.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::servers::limit_memory;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use super::lab::{Lab, experiment};
use super::seed;
use crate::killed::installation::Installation;
use crate::killed::script::Measure;
use crate::killed::seat::Role;

const FAMINES: usize = 12;
/// How long a worker gets no memory; then it is alive again, if it still is.
const LASTS: Duration = Duration::from_secs(3);

/// A process that has more than this already gets nothing new.
const NOTHING: u64 = 1 << 20;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_24_workers_get_no_more_memory() {
    let measure = Measure { slots: 300, homes: 30, guests: 10, contested: 3, rivals: 3 };
    let mut house = Installation::of_servers("").unwrap();
    // What is freed goes back to the system at once, and none is kept in reserve: whatever comes next has to be asked for.
    house.set("MIMALLOC_DISALLOW_ARENA_ALLOC", "1");
    house.set("MIMALLOC_PURGE_DELAY", "0");
    experiment(house, measure, async |lab| {
        // A thread that cannot be started panics, which is one of the ways to die of it.
        lab.ours.push("panicked");
        tokio::try_join!(lab.crowd(), famines(lab))?;
        let mut deaths = 0;
        for place in lab.of_role(Role::Worker).await {
            deaths += lab.house.seats[place].lock().await.crashes;
        }
        ensure!(deaths > 0, "nobody has died of it, so nothing is known about it");
        Ok(format!("REL-24: {FAMINES} famines, {deaths} workers died"))
    });
}

async fn famines(lab: &Lab) -> Result<()> {
    let mut dice = StdRng::seed_from_u64(seed());
    let workers = lab.of_role(Role::Worker).await;
    for _ in 0..FAMINES {
        sleep(Duration::from_millis(dice.random_range(300..1_500))).await;
        let place = workers[dice.random_range(0..workers.len())];
        let Some(pid) = lab.house.seats[place].lock().await.pid() else { continue };
        limit_memory(pid, Some(NOTHING));
        sleep(LASTS).await;
        // Its number is its own as long as nobody has taken its seat.
        let seat = lab.house.seats[place].lock().await;
        if seat.pid() == Some(pid) {
            limit_memory(pid, None);
        }
    }
    Ok(())
}
