//! Workers are replaced one after the other while two hundred letters a second come in, as a deploy does it on a busy day.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::wait;
use tokio::time::{Instant, interval, sleep_until};

use super::lab::{Lab, in_a_lab};
use super::letters::put;
use crate::killed::installation::Installation;
use crate::killed::play::crashed_and_rescued;
use crate::killed::script::Measure;
use crate::killed::seat::Role;

/// Letters a second.
const RATE: u32 = 200;
/// For so many seconds.
const SECONDS: u32 = 600;
/// From the start of one worker to the end of the next.
const APART: Duration = Duration::from_secs(10);
/// How long the letters may take that are left when the last one was put in.
const REST: Duration = Duration::from_secs(60);

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_21_workers_are_rolled_under_two_hundred_letters_a_second() {
    let people = Measure { slots: 0, homes: 2, guests: 1, contested: 1, rivals: 1 };
    in_a_lab(Installation::of_servers("").unwrap(), people, async |lab| {
        let (before, end) = (sent(&lab).await?, Instant::now() + Duration::from_secs(SECONDS.into()));
        let ((), rolls) = tokio::try_join!(letters(&lab), rolled_until(&lab, end))?;
        let (all, rests) = (i64::from(RATE * SECONDS), Instant::now());
        wait::until(REST, "the last letters are sent", async || (sent(&lab).await.ok()? - before >= all).then_some(()))
            .await?;
        let rests = rests.elapsed();
        let (_, rescued) = crashed_and_rescued(&lab.house).await;
        ensure!(rescued == 0, "{rescued} leases had to be rescued, of workers that were asked to end");
        ensure!(lab.witness.engine.parked().await?.is_empty(), "something is parked");
        let [median, worst] = waited(&lab).await?;
        lab.stop().await?;
        Ok(format!(
            "REL-21: {all} letters in {SECONDS} s under {rolls} rolls; a letter took {median:.1?} usually and {worst:.1?} at most, the \
             last ones {rests:.1?}"
        ))
    });
}

/// Puts in as many letters as come in a second, every second.
async fn letters(lab: &Lab) -> Result<()> {
    let mut seconds = interval(Duration::from_secs(1));
    for _ in 0..SECONDS {
        seconds.tick().await;
        put(lab, RATE, |_, message| message.run()).await?;
    }
    Ok(())
}

/// Ends a worker in good order and starts the next one in its place, again and again; says how often.
async fn rolled_until(lab: &Lab, end: Instant) -> Result<usize> {
    let workers = lab.of_role(Role::Worker).await;
    let mut rolls = 0;
    for place in workers.iter().cycle() {
        sleep_until(Instant::now() + APART).await;
        if Instant::now() >= end {
            break;
        }
        let mut seat = lab.house.seats[*place].lock().await;
        seat.serves().await?;
        ensure!(seat.stop().await?, "a worker did not end in good order");
        seat.start()?;
        rolls += 1;
    }
    Ok(rolls)
}

async fn sent(lab: &Lab) -> Result<i64> {
    lab.witness.count("select count(*) from workflow_run where workflow = 'mail' and state_name = 'Sent'").await
}

/// From the turn that asked for a letter to the one that heard it was sent: usually, and at most.
async fn waited(lab: &Lab) -> Result<[Duration; 2]> {
    let took = async |share: &str| {
        let sql = format!(
            "select percentile_disc({share}) within group (order by updated_at - created_at) from workflow_run
             where workflow = 'mail' and state_name = 'Sent'"
        );
        anyhow::Ok(Duration::from_micros(u64::try_from(lab.witness.count(&sql).await?)?))
    };
    Ok([took("0.5").await?, took("1.0").await?])
}
