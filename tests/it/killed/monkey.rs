//! The monkey: kills with `kill -9`, freezes, and takes Redis away, at instants that its dice name.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use tokio::task::JoinSet;
use tokio::time::sleep;

use engine::faults::{POINTS, Point};
use harness::proxy::{Lost, Road, Way};
use harness::servers::send_signal;

use super::client::Span;
use super::installation::Installation;
use super::seat::{Role, freeze, thaw};
use super::witness::LOOK;

/// Longer than the rescue waits for a heartbeat, so that a frozen worker wakes up to find its work in other hands.
const FROZEN: Duration = Duration::from_millis(12_500);
/// Longer than between two heartbeats: whoever stands still is known by his silence.
const SILENT: Duration = Duration::from_millis(1_500);
/// How often a worker is stopped before it has to be stopped between two pieces of work.
const STOPS: usize = 8;
/// Commits that one prank loses.
const COMMITS: usize = 3;
/// How long Postgres is away after a power cut.
const WITHOUT_POSTGRES: Duration = Duration::from_millis(1_500);
/// How long Redis is away.
const WITHOUT_REDIS: Duration = Duration::from_secs(3);
/// How long what happened to Redis may be felt.
const NOTICED: Duration = Duration::from_secs(1);
/// How long a frozen worker has to meet what it missed.
const AWAKE: Duration = Duration::from_secs(3);

/// How many workers are asked to end before nobody is thought to come by.
const ASKED: usize = 5;

/// One thing that the monkey does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prank {
    Kill(Role),
    Freeze,
    /// Asks a worker to end in good order, as a roll-out does.
    Roll,
    EmptyRedis,
    StopRedis,
    /// A power cut at the database.
    KillPostgres,
    /// One of the database's own processes is killed: it ends every connection and recovers.
    KillBackend,
    /// The database ends every other connection, whatever it is doing.
    Terminate,
    /// The answers to some commits, or the commits themselves, are lost with their connections.
    LoseCommits,
    /// Every connection of a process to the database breaks.
    Cut,
    /// A worker hears nothing from the database any more, while everything that it says arrives, and Redis is there.
    Deafen,
    /// Whoever passes this crash point next dies there.
    Die(&'static Point),
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
    pub(crate) rolls: usize,
    pub(crate) kill_postgres: usize,
    pub(crate) kill_backends: usize,
    pub(crate) terminate: usize,
    pub(crate) lose_commits: usize,
    pub(crate) cuts: usize,
    pub(crate) deafen: usize,
    /// Deaths at every crash point.
    pub(crate) deaths: usize,
}

impl Chaos {
    /// What the suite does to two APIs and two workers.
    pub(crate) const SERVERS: Self =
        Self { kill_workers: 12, kill_apis: 8, freezes: 1, empty_redis: 3, stop_redis: 1, ..Self::NONE };
    /// What it does to what lies between them and their servers.
    pub(crate) const WIRES: Self = Self { lose_commits: 12, cuts: 6, deafen: 1, kill_postgres: 2, ..Self::NONE };
    /// Nothing.
    pub(crate) const NONE: Self = Self {
        kill_workers: 0,
        kill_apis: 0,
        kill_all: 0,
        freezes: 0,
        empty_redis: 0,
        stop_redis: 0,
        rolls: 0,
        kill_postgres: 0,
        kill_backends: 0,
        terminate: 0,
        lose_commits: 0,
        cuts: 0,
        deafen: 0,
        deaths: 0,
    };

    /// The one process, so many times.
    pub(crate) const fn embedded(kills: usize) -> Self {
        Self { kill_all: kills, ..Self::NONE }
    }

    /// Whether a process stands still for a while, or the database does: then nothing can be said about how long things last.
    pub(crate) const fn stands_still(self) -> bool {
        self.freezes + self.deafen + self.kill_postgres + self.kill_backends > 0
    }

    fn pranks(self, dice: &mut StdRng) -> Vec<Prank> {
        let Self { kill_workers, kill_apis, kill_all, freezes, empty_redis, stop_redis, .. } = self;
        let Self { rolls, kill_postgres, lose_commits, cuts, deafen, deaths, .. } = self;
        let Self { kill_backends, terminate, .. } = self;
        let of = |prank: Prank, times: usize| std::iter::repeat_n(prank, times);
        let mut pranks: Vec<Prank> = of(Prank::Kill(Role::Worker), kill_workers)
            .chain(of(Prank::Kill(Role::Api), kill_apis))
            .chain(of(Prank::Kill(Role::Up), kill_all))
            .chain(of(Prank::EmptyRedis, empty_redis))
            .chain(of(Prank::StopRedis, stop_redis))
            .chain(of(Prank::Roll, rolls))
            .chain(of(Prank::KillPostgres, kill_postgres))
            .chain(of(Prank::KillBackend, kill_backends))
            .chain(of(Prank::Terminate, terminate))
            .chain(of(Prank::LoseCommits, lose_commits))
            .chain(of(Prank::Cut, cuts))
            .collect();
        pranks.extend((0..deaths).flat_map(|_| POINTS).map(Prank::Die));
        pranks.shuffle(dice);
        // What only the people of a play bring about comes while they still play.
        pranks.sort_by_key(|prank| !matches!(prank, Prank::Die(point) if point.is_of_the_product()));
        // Early, while there is much in hand.
        let long = of(Prank::Freeze, freezes).chain(of(Prank::Deafen, deafen));
        long.enumerate().for_each(|(n, prank)| pranks.insert((2 + 4 * n).min(pranks.len()), prank));
        pranks
    }
}

/// What the monkey has done.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    pub(crate) kills: AtomicUsize,
    pub(crate) freezes: AtomicUsize,
    pub(crate) redis: AtomicUsize,
    pub(crate) postgres: AtomicUsize,
    pub(crate) wires: AtomicUsize,
    /// Answers that a worker brought too late, after it had stood still.
    pub(crate) refused: AtomicUsize,
    /// Deaths that were wanted at crash points.
    pub(crate) deaths: AtomicUsize,
    redis_troubles: Mutex<Vec<Span>>,
}

impl Deeds {
    /// When Redis was away, or had just lost what it knew.
    pub(crate) fn troubles(&self) -> Vec<Span> {
        self.redis_troubles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Redis was disturbed from this instant until now, and for a moment people may still notice.
    fn disturbed(&self, from: Instant) {
        self.redis.fetch_add(1, Relaxed);
        let until = Instant::now() + NOTICED;
        self.redis_troubles.lock().unwrap_or_else(PoisonError::into_inner).push((from, until));
    }
}

/// Plays all its pranks, and returns when everything runs again.
pub(crate) async fn monkey(house: Arc<Installation>, chaos: Chaos, mut dice: StdRng, deeds: Arc<Deeds>) -> Result<()> {
    // A freeze lasts: other pranks go on meanwhile.
    let mut freezes = JoinSet::new();
    for prank in chaos.pranks(&mut dice) {
        let pause = match prank {
            Prank::Kill(Role::Up) => 0..1,
            Prank::Die(_) => 100..500,
            _ => 200..1_300,
        };
        sleep(Duration::from_millis(dice.random_range(pause))).await;
        match prank {
            Prank::Kill(role) => kill(&house, role, &mut dice, &deeds).await?,
            Prank::Freeze => {
                freezes.spawn(freezing(Arc::clone(&house), dice.random_range(0..8), Arc::clone(&deeds)));
            }
            Prank::Deafen => {
                freezes.spawn(deafening(Arc::clone(&house), dice.random_range(0..8), Arc::clone(&deeds)));
            }
            Prank::KillBackend => kill_backend(&house, &deeds).await?,
            Prank::Terminate => terminate(&house, &deeds).await?,
            Prank::Roll => {
                anyhow::ensure!(roll(&house, &mut dice, &deeds).await?, "a worker did not end in good order");
            }
            Prank::Die(point) => die(&house, point, &mut dice, &deeds).await?,
            Prank::KillPostgres => kill_postgres(&house, &deeds).await?,
            Prank::LoseCommits => lose_commits(&house, &mut dice, &deeds).await,
            Prank::Cut => cut(&house, &mut dice, &deeds).await,
            Prank::EmptyRedis => empty_redis(&house, &deeds).await?,
            Prank::StopRedis => stop_redis(&house, &mut dice, &deeds).await?,
        }
    }
    while let Some(freeze) = freezes.join_next().await {
        freeze??;
    }
    for seat in &house.seats {
        if let Some(wires) = &seat.lock().await.wires {
            wires.database.heal();
            wires.redis.heal();
        }
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

/// Ends a worker in good order and starts another in its seat; false when its end was not in good order.
async fn roll(house: &Installation, dice: &mut StdRng, deeds: &Deeds) -> Result<bool> {
    for n in in_any_order(house.seats.len(), dice) {
        let Ok(mut seat) = house.seats[n].try_lock() else { continue };
        if seat.role == Role::Worker {
            seat.serves().await?;
            let well = seat.stop().await?;
            deeds.kills.fetch_add(1, Relaxed);
            return seat.start().map(|()| well);
        }
    }
    Ok(true)
}

/// Wants a death at a crash point. Where only whoever is asked to end comes by, somebody is asked; and somebody else, as long as they
/// die of something else on their way there.
async fn die(house: &Installation, point: &Point, dice: &mut StdRng, deeds: &Deeds) -> Result<()> {
    house.sentence(point.name)?;
    deeds.deaths.fetch_add(1, Relaxed);
    if point.name.ends_with("_let_go") {
        for _ in 0..ASKED {
            roll(house, dice, deeds).await?;
            if !house.is_wanted(point.name) {
                break;
            }
        }
    }
    Ok(())
}

async fn kill_postgres(house: &Installation, deeds: &Deeds) -> Result<()> {
    if let Some(postgres) = &house.postgres {
        let mut postgres = postgres.lock().await;
        tokio::task::block_in_place(|| postgres.kill());
        sleep(WITHOUT_POSTGRES).await;
        tokio::task::block_in_place(|| postgres.start_again())?;
        deeds.postgres.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// Our connections to the database, as it sees them.
const OURS: &str = "select pid from pg_stat_activity where application_name like 'innkeeper%'";

async fn kill_backend(house: &Installation, deeds: &Deeds) -> Result<()> {
    let db = Database::connect(&house.database).await?;
    let sql = format!("{OURS} order by state = 'active' desc, random() limit 1");
    if let Some(row) = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await? {
        let pid: i32 = row.try_get_by_index(0)?;
        send_signal(pid.unsigned_abs(), "KILL");
        deeds.postgres.fetch_add(1, Relaxed);
    }
    Ok(())
}

async fn terminate(house: &Installation, deeds: &Deeds) -> Result<()> {
    let db = Database::connect(&house.database).await?;
    let sql = format!("select pg_terminate_backend(pid) from ({OURS}) ours where random() < 0.5");
    db.execute_unprepared(&sql).await?;
    deeds.postgres.fetch_add(1, Relaxed);
    Ok(())
}

/// Both kinds of loss look the same to the one who asked, and must end the same.
async fn lose_commits(house: &Installation, dice: &mut StdRng, deeds: &Deeds) {
    let (n, lost) = (dice.random_range(0..house.seats.len()), dice.random_ratio(1, 3));
    let lost = if lost { Lost::Question } else { Lost::Answer };
    if let Some(wires) = &house.seats[n].lock().await.wires {
        wires.database.lose_commits(lost, COMMITS);
        deeds.wires.fetch_add(1, Relaxed);
    }
}

async fn cut(house: &Installation, dice: &mut StdRng, deeds: &Deeds) {
    let n = dice.random_range(0..house.seats.len());
    if let Some(wires) = &house.seats[n].lock().await.wires {
        wires.database.cut();
        deeds.wires.fetch_add(1, Relaxed);
    }
}

/// Longer than the rescue waits: what the deaf one believes to hold is in other hands when it hears again.
async fn deafening(house: Arc<Installation>, which: usize, deeds: Arc<Deeds>) -> Result<()> {
    let mut workers = vec![];
    for seat in &house.seats {
        if seat.lock().await.role == Role::Worker {
            workers.push(seat);
        }
    }
    // Held, so that nobody else is sent to kill it meanwhile.
    let seat = workers[which % workers.len()].lock().await;
    let Some(wires) = &seat.wires else { return Ok(()) };
    wires.database.road(Way::Down, Road { closed: true, ..Road::default() });
    sleep(FROZEN).await;
    wires.database.heal();
    deeds.wires.fetch_add(1, Relaxed);
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
    freeze_at_work(&house, pid).await;
    sleep(FROZEN).await;
    thaw(pid);
    deeds.freezes.fetch_add(1, Relaxed);
    sleep(AWAKE).await;
    deeds.refused.fetch_add(seat.refused().await.unwrap_or(0), Relaxed);
    Ok(())
}

/// Freezes a worker that has work in hand, if it ever has any: between two pieces of work it has nothing to answer too late.
async fn freeze_at_work(house: &Installation, pid: u32) {
    for _ in 1..STOPS {
        freeze(pid);
        sleep(SILENT).await;
        // A database that another prank has taken away says nothing.
        if is_held_by_the_silent(house).await.unwrap_or(false) {
            return;
        }
        thaw(pid);
        sleep(SILENT / 5).await;
    }
    freeze(pid);
}

/// Whether anybody holds work who has missed a heartbeat.
async fn is_held_by_the_silent(house: &Installation) -> Result<bool> {
    let db = Database::connect(&house.database).await?;
    let sql = format!(
        "select 1 from workflow_work w join workflow_process p on p.id = w.holder
         where w.not_before = {} and extract(epoch from clock_timestamp()) - p.beat_at / 1000000.0 > {} limit 1",
        engine::schema::LEASED,
        (SILENT - LOOK).as_secs_f64()
    );
    Ok(db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?.is_some())
}

async fn empty_redis(house: &Installation, deeds: &Deeds) -> Result<()> {
    if let Some(redis) = &house.redis {
        let (redis, began) = (redis.lock().await, Instant::now());
        tokio::task::block_in_place(|| redis.empty())?;
        deeds.disturbed(began);
    }
    Ok(())
}

async fn stop_redis(house: &Installation, dice: &mut StdRng, deeds: &Deeds) -> Result<()> {
    if let Some(redis) = &house.redis {
        let mut redis = redis.lock().await;
        let (killed, began) = (dice.random_bool(0.5), Instant::now());
        tokio::task::block_in_place(|| if killed { redis.kill() } else { redis.stop() });
        sleep(WITHOUT_REDIS).await;
        tokio::task::block_in_place(|| redis.start_again())?;
        deeds.disturbed(began);
    }
    Ok(())
}

fn in_any_order(many: usize, dice: &mut StdRng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..many).collect();
    order.shuffle(dice);
    order
}
