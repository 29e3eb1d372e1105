//! No night twice, through the real binary: many guests at once, and whoever wins is decided by the database alone.
//!
//! On PostgreSQL two `innkeeper api` processes share nothing but their servers. On SQLite one process owns the data folder, and a
//! second one is refused at its start (`product::lasting`), so there the race runs through the one process that can be; two engines
//! with connections of their own on one file, more than can ever occur, race in `market::nights`.
//!
//! A judge that was never seen to find anything proves nothing: with the planted bug `no_night_key` the same race must be found to
//! give nights away twice, on both.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

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
/// Requests under way at once.
const AT_ONCE: usize = 300;
/// Every stay is so long,
const NIGHTS: u64 = 3;
/// … and begins on one of so many days: every stay overlaps most others of its home.
const BEGINNINGS: u64 = 10;
/// Stays of three nights within twelve: at least two fit whatever comes first, at most four.
const WINNERS: RangeInclusive<usize> = 2..=4;

/// So many guests want so many homes.
#[derive(Clone, Copy, Debug)]
struct Race {
    orders: usize,
    homes: usize,
}

const THREE_HUNDRED: Race = Race { orders: 300, homes: 1 };
const TWO_THOUSAND: Race = Race { orders: 2_000, homes: 50 };

/// What a guest asks for.
#[derive(Clone, Copy, Debug)]
struct Wish {
    /// Which home, which guest, and which process is asked, as numbers.
    home: usize,
    guest: usize,
    site: usize,
    check_in: NaiveDate,
}

impl Wish {
    fn check_out(&self) -> NaiveDate {
        self.check_in + Days::new(NIGHTS)
    }

    /// Whether both cannot be had.
    fn rivals(&self, other: &Self) -> bool {
        self.home == other.home && self.check_in < other.check_out() && other.check_in < self.check_out()
    }
}

impl Race {
    /// Two that follow each other want the same nights of the same home, through different processes.
    fn wishes(self, today: NaiveDate) -> Vec<Wish> {
        let wish = |n: usize| {
            let pair = n / 2;
            let beginning = u64::try_from(pair / self.homes).unwrap_or_default() % BEGINNINGS;
            let check_in = today + Days::new(30 + beginning);
            Wish { home: pair % self.homes, guest: n % GUESTS, site: n % 2, check_in }
        };
        (0..self.orders).map(wish).collect()
    }

    /// Runs it through this installation, and judges what came of it.
    fn run(self, house: &Installation) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(self.through(house))
    }

    async fn through(self, house: &Installation) -> Result<()> {
        house.start().await?;
        let witness = Witness::of(house).await?;
        let client = Client::new(house.sites.clone(), "10.9.9.9")?;
        let town = Town::build(&client, &house.letters(), (GUESTS, self.homes)).await.context("build the town")?;
        let wishes = self.wishes(witness.now().await?.date_naive());
        let answers = storm(house, &town, &wishes).await?;
        let won = judge(&wishes, &answers, &town)?;
        let (bookings, nights) = (won.len(), won.len() * usize::try_from(NIGHTS)?);
        for (table, rows) in [("unit_night", nights), ("booking", bookings)] {
            let stored = witness.count(&format!("select count(*) from {table}")).await?;
            ensure!(stored == i64::try_from(rows)?, "{stored} rows in {table}, {rows} were promised");
        }
        ensure!(house.stop().await?, "a process did not end in good order");
        if !house.database.is_empty() {
            let sql = "select deadlocks from pg_stat_database where datname = current_database()";
            ensure!(witness.count(sql).await? == 0, "the database had to break a deadlock");
        }
        Ok(())
    }
}

/// Asks for all of them at once, each at its process; the answers stand in the order of the wishes.
async fn storm(house: &Installation, town: &Town, wishes: &[Wish]) -> Result<Vec<Reply>> {
    let site = |site: &String| Ok(Client::new(vec![site.clone()], "10.2.0.1")?.patient());
    let clients = house.sites.iter().map(site).collect::<Result<Vec<_>>>()?;
    let tries = wishes.iter().enumerate().map(|(n, wish)| {
        let client = &clients[wish.site % clients.len()];
        let order = json!({
            "property_id": town.homes[wish.home].id, "check_in": wish.check_in, "check_out": wish.check_out(),
            "guests": { "adults": 2 }, "payment_method": "pm_card_ok",
        });
        let ask = Ask::post("/bookings", order).by(&town.guests[wish.guest].token).once(format!("race-{n}"));
        async move { (n, client.ask(&mut StdRng::seed_from_u64(n as u64), &ask).await) }
    });
    let mut answers: Vec<_> = futures::stream::iter(tries).buffer_unordered(AT_ONCE).collect().await;
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// The winners: no two of them share a night, everybody else is told why not, and none of those would have fitted beside them.
fn judge(wishes: &[Wish], answers: &[Reply], town: &Town) -> Result<Vec<Wish>> {
    let (mut won, mut lost): (Vec<Wish>, Vec<Wish>) = (vec![], vec![]);
    for (wish, answer) in wishes.iter().zip(answers) {
        if answer.status == 201 {
            ensure!(text(&answer.body, "property_id")? == town.homes[wish.home].id.to_string(), "{answer:?}");
            ensure!(text(&answer.body, "check_in")?.parse::<NaiveDate>()? == wish.check_in, "{answer:?}");
            won.push(*wish);
        } else {
            ensure!((answer.status, answer.code()) == (409, Some("dates_unavailable")), "{answer:?}");
            ensure!(text(&answer.body, "detail")?.contains("nights"), "not helpful: {answer:?}");
            lost.push(*wish);
        }
    }
    for (n, winner) in won.iter().enumerate() {
        let rival = won[n + 1..].iter().find(|other| other.rivals(winner));
        ensure!(rival.is_none(), "a night was given away twice: {winner:?} and {rival:?}");
    }
    for loser in lost {
        ensure!(won.iter().any(|winner| winner.rivals(&loser)), "{loser:?} was refused what nobody has");
    }
    let mut winners = BTreeMap::from_iter((0..town.homes.len()).map(|home| (home, 0)));
    won.iter().for_each(|winner| *winners.entry(winner.home).or_default() += 1);
    ensure!(winners.values().all(|count| WINNERS.contains(count)), "winners by home: {winners:?}");
    Ok(won)
}

/// With the key taken out the judge must find what the key forbids. Which of two rivals looks first is chance, so it may take another
/// race.
fn is_found(race: Race, house: impl Fn(&str) -> Result<Installation>) -> Result<()> {
    for _ in 0..3 {
        match race.run(&house("no_night_key")?) {
            Ok(()) => {}
            Err(found) if found.to_string().contains("given away twice") => return Ok(()),
            Err(other) => return Err(other.context("something else is wrong")),
        }
    }
    anyhow::bail!("the race is too weak to show anything")
}

#[test]
fn three_hundred_guests_want_one_home_through_two_processes() -> Result<()> {
    THREE_HUNDRED.run(&Installation::of_servers("")?)
}

#[test]
fn two_thousand_guests_want_fifty_homes_through_two_processes() -> Result<()> {
    TWO_THOUSAND.run(&Installation::of_servers("")?)
}

#[test]
fn two_thousand_guests_want_fifty_homes_of_the_one_process_on_sqlite() -> Result<()> {
    TWO_THOUSAND.run(&Installation::embedded("")?)
}

#[test]
fn without_the_key_the_race_through_two_processes_gives_nights_away_twice() -> Result<()> {
    is_found(THREE_HUNDRED, Installation::of_servers)
}

#[test]
fn without_the_key_the_race_on_sqlite_gives_nights_away_twice() -> Result<()> {
    is_found(THREE_HUNDRED, Installation::embedded)
}
