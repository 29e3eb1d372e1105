//! Machines whose clocks are wrong: what is due is decided by the database's clock alone, and so is who is dead.
//!
//! Real time enters the product in one place, which the lints keep so; there the fault is planted (`engine::faults::astray`). The clocks
//! of the servers and of the pretend gateway stay right: they are other machines.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::time::sleep;

use super::lab::{Lab, SOME, experiment};
use crate::killed::client::{Ask, Client, text};
use crate::killed::installation::Installation;
use crate::killed::script::Measure;
use crate::killed::seat::Role;
use crate::killed::town::PASSWORD;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// What a worker's clock is ahead by, one after the other.
const JUMPS: [i64; 6] = [HOUR, -HOUR, 400 * DAY, -400 * DAY, 180 * DAY, 0];
/// How long each of them lasts.
const LASTS: Duration = Duration::from_secs(4);
/// What an API's clock may be wrong by while its tokens are still understood everywhere.
const TOLERATED: i64 = 50;

/// Nothing ends by the passing of time, because none has passed where it counts.
async fn no_time_has_passed(lab: &Lab) -> Result<()> {
    let ended = "select count(*) from booking where phase in ('expired', 'completed', 'no_show')";
    for (what, sql) in [("bookings ended by time", ended), ("payouts", "select count(*) from payout")] {
        let count = lab.witness.count(sql).await?;
        ensure!(count == 0, "{count} {what} before their time");
    }
    Ok(())
}

async fn set(lab: &Lab, seconds: impl Fn(usize, Role) -> i64) -> Result<()> {
    lab.every_seat(|n, seat| seat.set_clock(seconds(n, seat.role))).await
}

async fn rescues(lab: &Lab) -> usize {
    let mut rescues = 0;
    for seat in &lab.house.seats {
        let seat = seat.lock().await;
        rescues +=
            seat.said().filter(|line| line["message"].as_str().is_some_and(|m| m.contains("freed the leases"))).count();
    }
    rescues
}

/// Opposite ways at the same time, so that the two also differ from each other.
async fn jumps(lab: &Lab) -> Result<()> {
    for (n, seconds) in JUMPS.into_iter().enumerate() {
        let api = if n % 2 == 0 { TOLERATED } else { -TOLERATED };
        set(lab, |place, role| match (role, place % 2) {
            (Role::Worker, 0) => seconds,
            (Role::Worker, _) => -seconds,
            (_, 0) => api,
            _ => 0,
        })
        .await?;
        sleep(LASTS).await;
    }
    set(lab, |_, _| 0).await
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_13_clocks_jump_while_their_processes_work() {
    experiment(Installation::of_servers("").unwrap(), SOME, async |lab| {
        tokio::try_join!(lab.crowd(), jumps(lab))?;
        lab.rests().await?;
        no_time_has_passed(lab).await?;
        let rescues = rescues(lab).await;
        ensure!(rescues == 0, "{rescues} times living processes were taken for dead");
        Ok(format!("REL-13: {} jumps of four clocks, nothing before its time, nobody taken for dead", JUMPS.len()))
    });
}

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_14_processes_disagree_about_the_time() {
    experiment(Installation::of_servers("").unwrap(), Measure { slots: 60, ..SOME }, async |lab| {
        // A worker six minutes ahead, the other six behind; the APIs as far apart as tokens bear.
        let skew = |n: usize, role| match (role, n % 2) {
            (Role::Worker, 0) => 360,
            (Role::Worker, _) => -360,
            (_, 0) => TOLERATED,
            _ => 0,
        };
        set(lab, skew).await?;
        lab.crowd().await?;
        lab.rests().await?;
        no_time_has_passed(lab).await?;
        set(lab, |n, _| if n == 0 { -360 } else { 0 }).await?;
        let refused = from_the_future(lab).await?;
        set(lab, |_, _| 0).await?;
        Ok(format!("REL-14: {TOLERATED} s between APIs are borne, with 360 s a token is answered {refused}"))
    });
}

/// A token that is younger than its reader's clock is refused for what it is, and taken as soon as the clocks agree.
async fn from_the_future(lab: &Lab) -> Result<String> {
    let [behind, right] = &lab.house.sites[..] else { anyhow::bail!("two APIs") };
    let login = json!({ "email": "guest0@example.org", "password": PASSWORD });
    let mut dice = rand::SeedableRng::seed_from_u64(0);
    let right = Client::new(vec![right.clone()], "10.9.9.1")?.patient();
    let tokens = right.ask(&mut dice, &Ask::post("/login", login)).await?.well().context("sign in")?;
    let token = text(&tokens, "access_token")?;
    let me = Ask::get("/bookings").by(token);
    right.ask(&mut dice, &me).await?.well().context("where the clock is right")?;
    let behind = Client::new(vec![behind.clone()], "10.9.9.1")?.patient();
    let reply = behind.ask(&mut dice, &me).await?;
    ensure!((reply.status, reply.code()) == (401, Some("token_invalid")), "{reply:?}");
    set(lab, |_, _| 0).await?;
    behind.ask(&mut dice, &me).await?.well().context("when the clocks agree")?;
    Ok("401 token_invalid".to_owned())
}
