//! The monkey: kills with `kill -9`, freezes, and takes Redis away, at instants that its dice name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::installation::Installation;
use super::seat::{Role, freeze, thaw};

/// Longer than the rescue waits for a heartbeat, so that a frozen worker wakes up to find its work in other hands.
const FROZEN: Duration = Duration::from_millis(12_500);
/// How long Redis is away.
const WITHOUT_REDIS: Duration = Duration::from_secs(3);

/// One thing that the monkey does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prank {
    Kill(Role),
    Freeze,
    EmptyRedis,
    StopRedis,
}

/// How often the monkey does what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chaos {
    pub(crate) kill_workers: usize,
    pub(crate) kill_apis: usize,
    pub(crate) kill_all: usize,
    pub(crate) freezes: usize,
    pub(crate) empty_redis: usize,
    pub(crate) stop_redis: usize,
}

impl Chaos {
    /// What the suite does to two APIs and two workers.
    pub(crate) const SERVERS: Self =
        Self { kill_workers: 12, kill_apis: 8, kill_all: 0, freezes: 1, empty_redis: 3, stop_redis: 1 };
    /// Nothing.
    pub(crate) const NONE: Self =
        Self { kill_workers: 0, kill_apis: 0, kill_all: 0, freezes: 0, empty_redis: 0, stop_redis: 0 };

    /// The one process, so many times.
    pub(crate) const fn embedded(kills: usize) -> Self {
        Self { kill_all: kills, ..Self::NONE }
    }

    fn pranks(self, dice: &mut StdRng) -> Vec<Prank> {
        let Self { kill_workers, kill_apis, kill_all, freezes, empty_redis, stop_redis } = self;
        let of = |prank: Prank, times: usize| std::iter::repeat_n(prank, times);
        let mut pranks: Vec<Prank> = of(Prank::Kill(Role::Worker), kill_workers)
            .chain(of(Prank::Kill(Role::Api), kill_apis))
            .chain(of(Prank::Kill(Role::Up), kill_all))
            .chain(of(Prank::EmptyRedis, empty_redis))
            .chain(of(Prank::StopRedis, stop_redis))
            .collect();
        pranks.shuffle(dice);
        // Early, while there is much in hand.
        (0..freezes).for_each(|n| pranks.insert((2 + 4 * n).min(pranks.len()), Prank::Freeze));
        pranks
    }
}

/// What the monkey has done.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    pub(crate) kills: AtomicUsize,
    pub(crate) freezes: AtomicUsize,
    pub(crate) redis: AtomicUsize,
}

/// Plays all its pranks, and returns when everything runs again.
pub(crate) async fn monkey(house: Arc<Installation>, chaos: Chaos, mut dice: StdRng, deeds: Arc<Deeds>) -> Result<()> {
    // A freeze lasts: other pranks go on meanwhile.
    let mut freezes = JoinSet::new();
    for prank in chaos.pranks(&mut dice) {
        if prank != Prank::Kill(Role::Up) {
            sleep(Duration::from_millis(dice.random_range(200..1_300))).await;
        }
        match prank {
            Prank::Kill(role) => kill(&house, role, &mut dice, &deeds).await?,
            Prank::Freeze => {
                freezes.spawn(freezing(Arc::clone(&house), dice.random_range(0..8), Arc::clone(&deeds)));
            }
            Prank::EmptyRedis => empty_redis(&house, &deeds).await?,
            Prank::StopRedis => stop_redis(&house, &deeds).await?,
        }
    }
    while let Some(freeze) = freezes.join_next().await {
        freeze??;
    }
    Ok(())
}

/// Kills one process of this role, and starts another in its seat a moment later.
async fn kill(house: &Installation, role: Role, dice: &mut StdRng, deeds: &Deeds) -> Result<()> {
    for n in in_any_order(house.seats.len(), dice) {
        let Ok(mut seat) = house.seats[n].try_lock() else { continue };
        if seat.role != role {
            continue;
        }
        if role == Role::Up {
            // Alone, it is killed at some instant of its work, not while it starts; and not so fast that the same work meets five
            // deaths in a row, which the product takes for a crash loop and parks.
            seat.serves().await?;
            sleep(Duration::from_millis(dice.random_range(300..1_600))).await;
        }
        deeds.kills.fetch_add(usize::from(seat.kill()), Relaxed);
        if role != Role::Up {
            sleep(Duration::from_millis(dice.random_range(0..600))).await;
        }
        return seat.start();
    }
    Ok(())
}

async fn freezing(house: Arc<Installation>, which: usize, deeds: Arc<Deeds>) -> Result<()> {
    let mut workers = vec![];
    for seat in &house.seats {
        if seat.lock().await.role == Role::Worker {
            workers.push(seat);
        }
    }
    let seat = workers[which % workers.len()].lock().await;
    let Some(pid) = seat.pid() else { return Ok(()) };
    freeze(pid);
    sleep(FROZEN).await;
    thaw(pid);
    deeds.freezes.fetch_add(1, Relaxed);
    Ok(())
}

async fn empty_redis(house: &Installation, deeds: &Deeds) -> Result<()> {
    if let Some(redis) = &house.redis {
        let redis = redis.lock().await;
        tokio::task::block_in_place(|| redis.empty())?;
        deeds.redis.fetch_add(1, Relaxed);
    }
    Ok(())
}

async fn stop_redis(house: &Installation, deeds: &Deeds) -> Result<()> {
    if let Some(redis) = &house.redis {
        let mut redis = redis.lock().await;
        tokio::task::block_in_place(|| redis.stop());
        sleep(WITHOUT_REDIS).await;
        tokio::task::block_in_place(|| redis.start_again())?;
        deeds.redis.fetch_add(1, Relaxed);
    }
    Ok(())
}

fn in_any_order(many: usize, dice: &mut StdRng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..many).collect();
    order.shuffle(dice);
    order
}
