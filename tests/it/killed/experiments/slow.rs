//! A database that is slow, and one whose connections are all taken: nobody waits for long, nothing piles up, and all of it is over as
//! soon as the reason is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::StreamExt;
use harness::wait;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sea_orm::ConnectionTrait;

use super::lab::{Lab, experiment};
use crate::killed::client::Ask;
use crate::killed::installation::Installation;
use crate::killed::script::Measure;

/// One way, so that every question takes twice as long to be answered.
const LATE: Duration = Duration::from_millis(100);
/// How long a request may wait for a connection, as configured here.
const PATIENCE: &str = "1";
/// How long a request may take that is turned away, on a machine with much to do.
const TURNED_AWAY: Duration = Duration::from_millis(1_800);
/// Requests at once, many times what there are connections.
const CROWD: usize = 200;

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_16_every_answer_of_the_database_is_two_hundred_milliseconds_late() {
    let measure = Measure { slots: 40, homes: 10, guests: 6, contested: 3, rivals: 3 };
    experiment(Installation::of_servers("").unwrap(), measure, async |lab| {
        let began = Instant::now();
        slow(lab, LATE).await;
        lab.crowd().await?;
        lab.rests().await?;
        slow(lab, Duration::ZERO).await;
        Ok(format!("REL-16: a slow database, {} slots in {:.0?}", lab.slots.len(), began.elapsed()))
    });
}

async fn slow(lab: &Lab, delay: Duration) {
    for seat in &lab.house.seats {
        if let Some(wires) = &seat.lock().await.wires {
            wires.database.slow(delay);
        }
    }
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_16_every_connection_is_taken() {
    let mut house = Installation::of_servers("").unwrap();
    house.set("INNKEEPER_DATABASE__PATIENCE_SECONDS", PATIENCE);
    let measure = Measure { slots: 40, homes: 10, guests: 6, contested: 3, rivals: 3 };
    experiment(house, measure, async |lab| {
        let figures = taken(lab).await?;
        lab.crowd().await?;
        Ok(format!("REL-16: {figures}"))
    });
}

/// Somebody holds a table, so that whoever reads it holds a connection and waits. Everybody else is turned away in time.
async fn taken(lab: &Lab) -> Result<String> {
    let holder = harness::begin(lab.witness.engine.databases().write().pool()).await?;
    holder.execute_unprepared("lock table property in access exclusive mode").await?;
    let answered = AtomicUsize::new(0);
    let answers = askers(lab, CROWD, &answered);
    let watching = async {
        let waiting =
            wait::until(Duration::from_secs(20), "everybody is turned away or waits in the database", || async {
                let locked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
                let waiting = usize::try_from(lab.witness.count(locked).await.ok()?).ok()?;
                (answered.load(Ordering::SeqCst) + waiting >= CROWD).then_some(waiting)
            })
            .await;
        holder.rollback().await?;
        let freed = Instant::now();
        let ask = Ask::get(format!("/properties/{}", lab.stage.town.homes[0].id));
        wait::until(Duration::from_secs(5), "a home can be seen again", || async {
            let reply = lab.stage.client.patient().once(&lab.house.sites[0], &ask).await.ok()?;
            (reply.status == 200).then_some(())
        })
        .await?;
        Ok::<_, anyhow::Error>((waiting?, freed.elapsed()))
    };
    let (answers, watched) = tokio::join!(answers, watching);
    let (waiting, healed) = watched?;
    let turned_away: Vec<Duration> =
        answers.iter().filter(|(status, _)| *status == 503).map(|(_, took)| *took).collect();
    let others = answers.iter().filter(|(status, _)| ![200, 503].contains(status)).count();
    let longest = turned_away.iter().max().copied().unwrap_or_default();
    ensure!(others == 0, "{others} answers are neither 200 nor 503");
    ensure!(turned_away.len() > CROWD / 2, "only {} of {CROWD} were turned away", turned_away.len());
    ensure!(longest < TURNED_AWAY, "somebody waited {longest:?} to be turned away");
    // Two APIs with six connections each that read.
    ensure!(waiting <= 12, "{waiting} statements wait in the database");
    Ok(format!(
        "{} of {CROWD} turned away within {longest:.0?}, {waiting} statements waiting; well again after {healed:.0?}",
        turned_away.len()
    ))
}

/// Asks for homes, all at once: the answers and how long they took; `answered` counts them as they come.
async fn askers(lab: &Lab, many: usize, answered: &AtomicUsize) -> Vec<(u16, Duration)> {
    let ask = |n: usize| async move {
        let mut dice = StdRng::seed_from_u64(n as u64);
        let home = rand::Rng::random_range(&mut dice, 0..lab.stage.town.homes.len());
        let ask = Ask::get(format!("/properties/{}", lab.stage.town.homes[home].id));
        let began = Instant::now();
        let answer = lab.stage.client.patient().once(&lab.house.sites[n % lab.house.sites.len()], &ask).await;
        answered.fetch_add(1, Ordering::SeqCst);
        (answer.map_or(0, |reply| reply.status), began.elapsed())
    };
    futures::stream::iter((0..many).map(ask)).buffer_unordered(many).collect().await
}
