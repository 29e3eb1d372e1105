//! No night twice, through two processes of the real binary: whoever wins is decided by the database alone.
//!
//! `market::nights` runs the same storm through two engines in one process, on both storages; here they share nothing but their
//! servers. SQLite has no such test: one process owns the data folder (a second one is refused at its start), so two engines with
//! connections of their own on one file are the strongest form that can occur.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use chrono::{Days, NaiveDate};
use futures::StreamExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use super::client::{Ask, Client, Reply, text};
use super::installation::Installation;
use super::town::Town;
use super::witness::Witness;

const GUESTS: usize = 8;

/// Three nights, beginning on one of ten days: every stay overlaps most others.
fn stay(today: NaiveDate, n: u64) -> (NaiveDate, NaiveDate) {
    let check_in = today + Days::new(30 + n % 10);
    (check_in, check_in + Days::new(3))
}

/// Asks for all of them at once, by turns at the two processes.
async fn storm(house: &Installation, town: &Town, (orders, today): (u64, NaiveDate)) -> Result<Vec<Reply>> {
    let site = |site: &String| Ok(Client::new(vec![site.clone()], "10.2.0.1")?.patient());
    let clients = house.sites.iter().map(site).collect::<Result<Vec<_>>>()?;
    ensure!(clients.len() == 2, "{} processes", clients.len());
    let tries = (0..orders).map(|n| {
        let client = &clients[usize::try_from(n % 2).unwrap_or_default()];
        let guest = &town.guests[usize::try_from(n).unwrap_or_default() % GUESTS];
        let (check_in, check_out) = stay(today, n);
        let order = json!({
            "property_id": town.homes[0].id, "check_in": check_in, "check_out": check_out,
            "guests": { "adults": 2 }, "payment_method": "pm_card_ok",
        });
        let ask = Ask::post("/bookings", order).by(&guest.token).once(format!("race-{n}"));
        async move { client.ask(&mut StdRng::seed_from_u64(n), &ask).await }
    });
    let answers: Vec<_> = futures::stream::iter(tries).buffer_unordered(300).collect().await;
    answers.into_iter().collect()
}

async fn race() -> Result<()> {
    let house = Installation::of_servers("")?;
    house.start().await?;
    let witness = Witness::of(&house).await?;
    let client = Client::new(house.sites.clone(), "10.9.9.9")?;
    let town = Town::build(&client, &house.letters(), (GUESTS, 1)).await.context("build the town")?;
    let answers = storm(&house, &town, (300, witness.now().await?.date_naive())).await?;

    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    for answer in lost {
        ensure!((answer.status, answer.code()) == (409, Some("dates_unavailable")), "{answer:?}");
    }
    // Stays of three nights within twelve: at least two fit whatever comes first, at most four.
    ensure!((2..=4).contains(&won.len()), "{} winners", won.len());
    let mut nights = BTreeSet::new();
    for winner in &won {
        let first: NaiveDate = text(&winner.body, "check_in")?.parse()?;
        for night in first.iter_days().take(3) {
            ensure!(nights.insert(night), "{night} was given away twice");
        }
    }
    for (table, rows) in [("unit_night", nights.len()), ("booking", won.len())] {
        let stored = witness.count(&format!("select count(*) from {table}")).await?;
        ensure!(stored == i64::try_from(rows)?, "{stored} rows in {table}, {rows} were promised");
    }
    ensure!(house.stop().await?, "a process did not end in good order");
    Ok(())
}

#[test]
fn three_hundred_guests_want_one_home_through_two_processes() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(race())
}
