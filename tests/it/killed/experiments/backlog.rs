//! Much that is due at once: it drains, oldest first, a claim costs at the end what it cost at the beginning, and Redis never sees more
//! than a little of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sea_orm::ConnectionTrait;
use tokio::time::sleep;

use super::lab::{Lab, in_a_lab};
use super::letters::{call_workers_back, put, send_workers_home};
use crate::killed::installation::Installation;
use crate::killed::script::Measure;
use crate::killed::seat::Role;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Looks in a row that may see nothing done.
const PATIENCE: usize = 8;
/// A claim may take so many times as long in the last third of the work as in the first one, and a moment more.
const SLOWER: u32 = 2;
const A_MOMENT: Duration = Duration::from_millis(2);
/// What Redis may need on top of what it has when nothing waits.
const MEMORY: u64 = 16 << 20;

/// A look at what waits.
#[derive(Clone, Copy, Debug)]
struct Look {
    left: i64,
    /// When what waits longest was due, in microseconds of the business clock; nothing when nothing waits.
    oldest: Option<i64>,
    claims: Claims,
}

/// What all claims until now have cost.
#[derive(Clone, Copy, Debug, Default)]
struct Claims {
    many: f64,
    seconds: f64,
    work: f64,
}

/// Of a part of the drain.
#[derive(Clone, Copy, Debug)]
struct Pace {
    rate: f64,
    /// What a claim takes.
    claim: Duration,
}

/// A drain from its beginning to its end.
struct Drain {
    took: Duration,
    /// The most that Redis has used.
    redis: u64,
    /// In each third of the work.
    thirds: [Pace; 3],
}

impl Claims {
    /// The pace from an earlier look to this one.
    fn since(self, before: Self, took: Duration) -> Pace {
        let many = (self.many - before.many).max(1.0);
        let claim = Duration::from_secs_f64(((self.seconds - before.seconds) / many).max(0.0));
        Pace { rate: (self.work - before.work) / took.as_secs_f64(), claim }
    }
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

/// Measured: with `--release`, some minutes; an hour or so in a build for tests.
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
        let began = Instant::now();
        call_workers_back(&lab).await?;
        let drain = drained(&lab, began).await?;
        ensure!(drain.redis <= before + MEMORY, "Redis grew from {before} to {} bytes", drain.redis);
        let unsent = "select count(*) from workflow_run where workflow = 'mail' and state_name <> 'Sent'";
        let unsent = lab.witness.count(unsent).await?;
        ensure!(unsent == 0, "{unsent} letters were not sent");
        ensure!(lab.witness.engine.parked().await?.is_empty(), "something is parked");
        lab.stop().await?;
        let [first, _, last] = drain.thirds;
        ensure!(last.claim <= first.claim * SLOWER + A_MOMENT, "claims become slow: {:?}", drain.thirds);
        let rate = f64::from(letters) / drain.took.as_secs_f64();
        let grown = drain.redis.saturating_sub(before) / 1024;
        Ok(format!(
            "REL-12: {letters} letters, put in within {put_in:.0?}, drained within {:.0?} ({rate:.0}/s; by thirds {}); Redis grew by \
             {grown} KiB",
            drain.took,
            drain.thirds.map(|third| format!("{:.0}/s, a claim {:.1?}", third.rate, third.claim)).join(", "),
        ))
    });
}

/// Looks until nothing is left.
async fn drained(lab: &Lab, began: Instant) -> Result<Drain> {
    for place in lab.of_role(Role::Worker).await {
        lab.house.seats[place].lock().await.serves().await?;
    }
    let (mut last, mut still, mut most) = (look(lab).await?, 0, 0);
    let all = last.left;
    let mut marks = vec![(began, Claims::default())];
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
        let third = i64::try_from(marks.len())?;
        if last.left <= all * (3 - third) / 3 {
            marks.push((Instant::now(), last.claims));
        }
    }
    // Who is faster than we look has no thirds that could be told apart.
    marks.resize(4, (Instant::now(), last.claims));
    let pace = |n: usize| marks[n + 1].1.since(marks[n].1, marks[n + 1].0 - marks[n].0);
    Ok(Drain { took: began.elapsed(), redis: most, thirds: [pace(0), pace(1), pace(2)] })
}

async fn look(lab: &Lab) -> Result<Look> {
    let sql = format!(
        "select count(*), min(case when not_before < {0} then not_before end)
         from workflow_work where queue = 'mail' and workflow = 'mail'",
        engine::schema::LEASED
    );
    let rows = lab.witness.rows(&sql).await?;
    let row = rows.first().context("a count is one row")?;
    Ok(Look { left: row.try_get_by_index(0)?, oldest: row.try_get_by_index(1)?, claims: claims(lab).await? })
}

/// By the workers' own count.
async fn claims(lab: &Lab) -> Result<Claims> {
    let mut sum = Claims::default();
    for place in lab.of_role(Role::Worker).await {
        let seat = lab.house.seats[place].lock().await;
        sum.many += seat.counts::<f64>("innkeeper_claim_duration_seconds_count", "").await?;
        sum.seconds += seat.counts::<f64>("innkeeper_claim_duration_seconds_sum", "").await?;
        sum.work += seat.counts::<f64>("innkeeper_claimed_total", "").await?;
    }
    Ok(sum)
}

/// Everything is due at the same instant, some seconds from now.
async fn all_at_once(lab: &Lab) -> Result<()> {
    let at = lab.witness.now().await?.timestamp_micros() + 5_000_000;
    let sql = format!("update workflow_work set not_before = {at} where queue = 'mail'");
    lab.witness.engine.databases().write().pool().execute_unprepared(&sql).await?;
    Ok(())
}

/// What Redis uses.
async fn redis(lab: &Lab) -> Result<u64> {
    let redis = lab.house.redis.as_ref().context("there is a Redis")?.lock().await;
    tokio::task::block_in_place(|| redis.size()).map(|(_, bytes)| bytes)
}
