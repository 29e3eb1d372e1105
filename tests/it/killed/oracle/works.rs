//! The works themselves: processes that need nobody, transactions that close, leases that come free, work that is done.

use anyhow::Result;

use super::invariants::{OPEN, RESCUE};
use super::{Found, Scene};
use crate::killed::witness::{LOOK, MISHAP};

/// `error` in a log means that somebody must act; here nothing happened that the product does not see to by itself.
pub(crate) async fn calls_nobody(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    found.expect(scene.ended_well, || "a process that was asked to stop ended with an error".to_owned());
    for seat in &scene.house.seats {
        let seat = seat.lock().await;
        for line in seat.said().filter(is_alarm) {
            found.add(format!("{} said: {line}", seat.name));
        }
    }
    Ok(())
}

/// apalis calls it an error when Redis is away; the product starts that part again and only warns. A mishap is called one rightly, and
/// was ours.
fn is_alarm(line: &serde_json::Value) -> bool {
    let theirs = line["target"].as_str().is_some_and(|target| target.starts_with("apalis"));
    let panicked = line.as_str().is_some_and(|line| line.contains("panicked"));
    let ours = line["error"].as_str().is_some_and(|error| error.contains(MISHAP));
    panicked || (line["level"] == "ERROR" && !theirs && !ours)
}

pub(crate) async fn closes(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    if let Some(open) = scene.longest.open {
        found.expect(open < OPEN, || format!("a transaction stood open for {open:?} with nobody in it"));
    }
    Ok(())
}

pub(crate) async fn rescues(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    if let Some(rescue) = scene.longest.rescue {
        // The witness itself may have looked a moment too late.
        found.expect(rescue <= RESCUE + LOOK, || format!("the dead held a lease for {rescue:?}"));
    }
    let left = scene.longest.left_behind;
    found.expect(left == 0, || format!("{left} leases were left behind by somebody who was asked to end"));
    Ok(())
}

pub(crate) async fn rests(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    found.0.extend(scene.restless.clone());
    Ok(())
}

/// A process whose question is lost waits for its answer for ever.
pub(crate) async fn none_stranded(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let sql = "select workflow, key, state_name from workflow_run r
        where cast(status as integer) = 0
          and (workflow in ('mail', 'photo', 'payout') or state_name in ('Authorizing', 'Capturing', 'Voiding', 'Refunding') and workflow = 'payment')
          and not exists (select 1 from workflow_work w where w.run = r.id)";
    for row in scene.witness.rows(sql).await? {
        let [workflow, key, state] = [0, 1, 2].map(|n| row.try_get_by_index::<String>(n).unwrap_or_default());
        found.add(format!("the {workflow} {key} is {state}, and nobody works on it"));
    }
    Ok(())
}

pub(crate) async fn none_left(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let left = scene.witness.count("select count(*) from workflow_work").await?;
    found.expect(left == 0, || format!("{left} pieces of work are left"));
    Ok(())
}
