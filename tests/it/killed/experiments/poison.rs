//! One letter in a hundred is poison: it panics, hangs, loops, overflows the stack, devours the memory, cannot be read, or belongs to a
//! workflow that nobody knows. Every good letter is delivered, and every bad one waits for a person, with the reason.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use engine::RunId;
use engine::faults::Poison;
use harness::wait;
use uuid::Uuid;

use super::lab::{Lab, in_a_lab};
use super::letters::{call_workers_back, put, send_workers_home};
use crate::killed::installation::Installation;
use crate::killed::script::Measure;
use crate::killed::seat::Role;

const LETTERS: u32 = 5_000;
/// Of every kind of poison.
const OF_EACH: u32 = 7;
/// After so many deaths in a row, work is parked (`engine`, the crash loop).
const DEATHS: usize = 20;
/// How long the good letters may take, however many workers the bad ones take along.
const GOOD: Duration = Duration::from_secs(300);
/// What one death may cost: code that never yields is ended after 30 s (`worker`, the watchdog), its lease is freed within 12.5 s, and
/// what has seen many die comes back within 20 s more.
const DEATH: Duration = Duration::from_secs(30 + 13 + 20);
/// How long it may take until the last bad one is set aside.
const BAD: Duration = Duration::from_secs(DEATH.as_secs() * DEATHS as u64);

/// Seven kinds: those of [`Poison`], then what cannot be read, then what nobody knows.
fn run(n: u32, derived: RunId) -> RunId {
    let (kind, nth) = (n as usize / OF_EACH as usize, n % OF_EACH);
    Poison::ALL.get(kind).map_or(derived, |poison| poison.run(nth))
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_11_one_letter_in_a_hundred_is_poison() {
    let people = Measure { slots: 0, homes: 2, guests: 1, contested: 1, rivals: 1 };
    in_a_lab(Installation::of_servers("poison").unwrap(), people, async |lab| {
        send_workers_home(&lab).await?;
        let before = sent(&lab).await?;
        put(&lab, LETTERS, |n, message| run(n, message.run())).await?;
        let (unreadable, unknown) = spoil(&lab).await?;
        let began = Instant::now();
        call_workers_back(&lab).await?;

        let bad = Poison::ALL.len() as i64 * i64::from(OF_EACH) + unreadable + unknown;
        let good = i64::from(LETTERS) - bad;
        let all_sent = wait::until(GOOD, "every good letter is sent", async || {
            (sent(&lab).await.ok()? - before >= good).then_some(())
        });
        if let Err(late) = all_sent.await {
            return Err(late.context(left(&lab).await?));
        }
        let good_after = began.elapsed();
        println!("every good letter is sent after {good_after:.0?}");
        // Who hangs is given up by the clock after a day of tries, as the post's own silence would be.
        let set_aside = bad - unknown - i64::from(OF_EACH);
        wait::until(BAD, "every bad letter is set aside", async || {
            (lab.witness.engine.parked().await.ok()?.len() as i64 >= set_aside).then_some(())
        })
        .await?;
        let figures = judge(&lab, unknown).await?;
        lab.stop().await?;
        Ok(format!(
            "REL-11: {good} good letters sent after {good_after:.0?}, {bad} bad ones set aside after {:.0?}; {figures}",
            began.elapsed()
        ))
    });
}

async fn sent(lab: &Lab) -> Result<i64> {
    lab.witness.count("select count(*) from workflow_run where workflow = 'mail' and state_name = 'Sent'").await
}

/// The letters that are left, by how often they were begun: what was in hand with poison each time it killed, and what never was.
async fn left(lab: &Lab) -> Result<String> {
    let sql = "select attempt, count(*) from workflow_work where queue = 'mail' and kind = 0 group by attempt order by attempt";
    let counts: Vec<(i32, i64)> = lab
        .witness
        .rows(sql)
        .await?
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect::<Result<_>>()?;
    Ok(format!("letters that are left, by how often they were begun: {counts:?}"))
}

/// Makes the work of some letters unreadable, and gives others to a workflow of another build; says how many of each.
async fn spoil(lab: &Lab) -> Result<(i64, i64)> {
    let good = "select run from workflow_work where workflow = 'mail' and run::text not like '%706f6973%'";
    let runs = lab
        .witness
        .rows(&format!("{good} and run::text not like '%706f-6973%' order by run limit {}", 2 * OF_EACH))
        .await?;
    let runs: Vec<Uuid> = runs.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    let (unreadable, unknown) = runs.split_at(OF_EACH as usize);
    let change = async |runs: &[Uuid], set: &str| {
        for run in runs {
            let sql = format!("update workflow_work set {set} where run = '{run}'");
            sea_orm::ConnectionTrait::execute_unprepared(lab.witness.engine.databases().write(), &sql).await?;
        }
        Ok::<_, anyhow::Error>(runs.len() as i64)
    };
    Ok((change(unreadable, r#"payload = '{"Sing":{}}'"#).await?, change(unknown, "workflow = 'of_tomorrow'").await?))
}

async fn judge(lab: &Lab, unknown: i64) -> Result<String> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for work in lab.witness.engine.parked().await? {
        let why = work.last_error.unwrap_or_default();
        ensure!(!why.is_empty(), "{} is parked without a reason", work.work);
        let class = work.error_class.unwrap_or_default();
        *reasons.entry(class).or_default() += 1;
        let as_it_should_be = Poison::of(work.work.run).is_none_or(|poison| match poison {
            Poison::Panics => why.contains("panicked"),
            Poison::Loops | Poison::Overflows | Poison::Devours | Poison::Hangs => why.contains("died"),
        });
        ensure!(as_it_should_be, "{} is parked because {why}", work.work);
    }
    let waiting =
        "select count(*) from workflow_work where workflow = 'of_tomorrow' and attempt = 0 and holder is null";
    let waiting = lab.witness.count(waiting).await?;
    ensure!(waiting == unknown, "{waiting} of {unknown} letters of an unknown workflow wait untouched");
    let mut crashes = 0;
    for place in lab.of_role(Role::Worker).await {
        crashes += lab.house.seats[place].lock().await.crashes;
    }
    let most = 3 * OF_EACH as usize * DEATHS;
    ensure!(crashes <= most, "{crashes} workers died, where {most} is the most");
    Ok(format!("{crashes} workers died; parked by class {reasons:?}"))
}
