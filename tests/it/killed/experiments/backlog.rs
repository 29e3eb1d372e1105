//! Much that is due at once: it drains, oldest first, and Redis never sees more than a little of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sea_orm::ConnectionTrait;
use tokio::time::sleep;

use super::lab::{Lab, in_a_lab};
use super::letters::{call_workers_back, put, send_workers_home};
use crate::killed::installation::Installation;
use crate::killed::script::Measure;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Looks in a row that may see nothing done.
const PATIENCE: usize = 8;
/// What Redis may need on top of what it has when nothing waits.
const MEMORY: u64 = 16 << 20;

/// A look at what waits.
#[derive(Clone, Copy, Debug)]
struct Look {
    left: i64,
    /// When what waits longest was due, in microseconds of the business clock; nothing when nothing waits.
    oldest: Option<i64>,
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_12_a_hundred_thousand_letters_are_due() {
    drains(100_000, false);
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_12_twenty_thousand_letters_are_due_in_the_same_second() {
    drains(20_000, true);
}

/// Measured: an hour or so in a build for tests.
#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_12_a_million_letters_are_due() {
    drains(1_000_000, false);
}

fn drains(letters: u32, in_one_second: bool) {
    let people = Measure { slots: 0, homes: 2, guests: 1, contested: 1, rivals: 1 };
    in_a_lab(Installation::of_servers("").unwrap(), people, async |lab| {
        send_workers_home(&lab).await?;
        let before = redis(&lab).await?;
        let put_in = Instant::now();
        put(&lab, letters, |_, message| message.run()).await?;
        let put_in = put_in.elapsed();
        if in_one_second {
            all_at_once(&lab).await?;
        }
        call_workers_back(&lab).await?;
        let began = Instant::now();
        let most = drained(&lab).await?;
        let took = began.elapsed();
        ensure!(most <= before + MEMORY, "Redis grew from {before} to {most} bytes");
        let unsent = "select count(*) from workflow_run where workflow = 'mail' and state_name <> 'Sent'";
        let unsent = lab.witness.count(unsent).await?;
        ensure!(unsent == 0, "{unsent} letters were not sent");
        ensure!(lab.witness.engine.parked().await?.is_empty(), "something is parked");
        lab.stop().await?;
        let rate = f64::from(letters) / took.as_secs_f64();
        let grown = most.saturating_sub(before) / 1024;
        Ok(format!(
            "REL-12: {letters} letters, put in within {put_in:.0?}, drained within {took:.0?} ({rate:.0}/s); Redis grew by {grown} KiB"
        ))
    });
}

/// Looks until nothing is left; hands back the most that Redis has used.
async fn drained(lab: &Lab) -> Result<u64> {
    let (mut last, mut still, mut most) = (look(lab).await?, 0, 0);
    while last.left > 0 {
        sleep(LOOK).await;
        let now = look(lab).await?;
        most = most.max(redis(lab).await?);
        ensure!(now.left <= last.left, "what waits grows: {last:?}, then {now:?}");
        ensure!(
            now.oldest.is_none_or(|oldest| Some(oldest) >= last.oldest),
            "the oldest is left behind: {last:?}, {now:?}"
        );
        still = if now.left == last.left { still + 1 } else { 0 };
        ensure!(still < PATIENCE, "nothing is done any more: {now:?}");
        last = now;
    }
    Ok(most)
}

async fn look(lab: &Lab) -> Result<Look> {
    let sql = format!(
        "select count(*), min(case when not_before < {0} then not_before end)
         from workflow_work where queue = 'mail' and workflow = 'mail'",
        engine::schema::LEASED
    );
    let rows = lab.witness.rows(&sql).await?;
    let row = rows.first().context("a count is one row")?;
    Ok(Look { left: row.try_get_by_index(0)?, oldest: row.try_get_by_index(1)? })
}

/// Everything is due at the same instant, some seconds from now.
async fn all_at_once(lab: &Lab) -> Result<()> {
    let at = lab.witness.now().await?.timestamp_micros() + 5_000_000;
    let sql = format!("update workflow_work set not_before = {at} where queue = 'mail'");
    lab.witness.engine.databases().write().execute_unprepared(&sql).await?;
    Ok(())
}

/// What Redis uses.
async fn redis(lab: &Lab) -> Result<u64> {
    let redis = lab.house.redis.as_ref().context("there is a Redis")?.lock().await;
    tokio::task::block_in_place(|| redis.size()).map(|(_, bytes)| bytes)
}
