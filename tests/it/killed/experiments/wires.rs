//! What lies between the processes and their servers: one way only, one server only, one process only.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::proxy::{Proxy, Road, Way};
use sea_orm::ConnectionTrait;
use tokio::time::sleep;

use super::lab::{Lab, experiment};
use crate::killed::installation::Installation;
use crate::killed::script::Measure;
use crate::killed::seat::{Role, Wires};

/// Longer than the rescue waits: whoever is cut off for so long has lost its leases.
const LONG: Duration = Duration::from_secs(15);
const SHORT: Duration = Duration::from_secs(4);

/// Who is cut off.
#[derive(Clone, Copy, Debug)]
enum Who {
    OneWorker,
    EveryWorker,
    OneApi,
    Everybody,
}

/// What happens on a wire.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// It says what it wants, and hears nothing.
    Deaf,
    /// It hears what is under way, and nobody hears it.
    Mute,
    /// Nothing arrives either way, and nobody is told.
    Silence,
    /// Connections are reset, and new ones refused.
    Refused,
}

#[derive(Clone, Copy, Debug)]
enum To {
    Database,
    Redis,
}

/// What is broken for how long, with everything else as it should be.
const PATTERNS: [(Who, To, Break, Duration); 10] = [
    (Who::OneWorker, To::Database, Break::Silence, LONG),
    (Who::OneWorker, To::Database, Break::Deaf, LONG),
    (Who::OneWorker, To::Database, Break::Mute, LONG),
    (Who::OneWorker, To::Database, Break::Refused, SHORT),
    (Who::EveryWorker, To::Database, Break::Deaf, SHORT),
    (Who::OneApi, To::Database, Break::Silence, SHORT),
    (Who::OneApi, To::Database, Break::Deaf, SHORT),
    (Who::OneWorker, To::Redis, Break::Silence, LONG),
    (Who::EveryWorker, To::Redis, Break::Refused, SHORT),
    (Who::Everybody, To::Redis, Break::Mute, SHORT),
];

impl Break {
    fn of(self, wire: &Proxy) {
        let closed = Road { closed: true, ..Road::default() };
        match self {
            Self::Deaf => wire.road(Way::Down, closed),
            Self::Mute => wire.road(Way::Up, closed),
            Self::Silence => wire.black_hole(),
            Self::Refused => {
                wire.refuse();
                wire.cut();
            }
        }
    }
}

impl To {
    fn of(self, wires: &Wires) -> &Proxy {
        match self {
            Self::Database => &wires.database,
            Self::Redis => &wires.redis,
        }
    }
}

/// The places of those whom a pattern is about; which one worker it is goes round.
async fn places(lab: &Lab, who: Who, nth: usize) -> Vec<usize> {
    let (workers, apis) = (lab.of_role(Role::Worker).await, lab.of_role(Role::Api).await);
    match who {
        Who::OneWorker => vec![workers[nth % workers.len()]],
        Who::EveryWorker => workers,
        Who::OneApi => vec![apis[nth % apis.len()]],
        Who::Everybody => apis.into_iter().chain(workers).collect(),
    }
}

async fn breaks(lab: &Lab) -> Result<()> {
    for (nth, (who, to, breaks, lasts)) in PATTERNS.into_iter().enumerate() {
        for place in places(lab, who, nth).await {
            if let Some(wires) = &lab.house.seats[place].lock().await.wires {
                breaks.of(to.of(wires));
            }
        }
        sleep(lasts).await;
        if lasts == LONG {
            let held = held_by_the_silent(lab).await?;
            ensure!(held == 0, "{who:?} {breaks:?} to {to:?}: {held} leases in the name of a process that cannot beat");
        }
        for seat in &lab.house.seats {
            if let Some(wires) = &seat.lock().await.wires {
                wires.database.heal();
                wires.redis.heal();
            }
        }
    }
    Ok(())
}

/// Leases of those whose last heartbeat is older than the rescue's patience and its round: freed, and none was claimed since. What a
/// transaction has locked that is cut off comes free when the server gives that up.
async fn held_by_the_silent(lab: &Lab) -> Result<usize> {
    let sql = format!(
        "select 1 from workflow_work w join workflow_process p on p.id = w.holder where w.not_before = {}
         and p.beat_at / 1000000.0 < extract(epoch from clock_timestamp()) - 12.5 for update of w skip locked",
        engine::schema::LEASED
    );
    let db = lab.witness.engine.databases().write();
    let statement = sea_orm::Statement::from_string(db.get_database_backend(), sql);
    Ok(db.query_all_raw(statement).await?.len())
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_30_wires_break_in_ten_ways() {
    let measure = Measure { slots: 400, homes: 30, guests: 10, contested: 3, rivals: 3 };
    experiment(Installation::of_servers("").unwrap(), measure, async |lab| {
        tokio::try_join!(lab.crowd(), breaks(lab))?;
        Ok(format!("REL-30: {} ways of breaking a wire", PATTERNS.len()))
    });
}
