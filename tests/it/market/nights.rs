//! No night twice: many guests at once, through two engines with connections of their own, on both databases.
//!
//! `killed::race` runs the same through the real binary: on PostgreSQL through two processes, on SQLite through the one that owns the
//! data folder, so two engines on one file are more than can ever occur. That the storm sees a missing key is shown twice: here
//! without the key in the table, and there with the planted bug `no_night_key`, on both storages.

use std::collections::BTreeSet;

use futures::StreamExt;
use harness::market::instant;
use harness::{Backend, TestApp, TestDatabase, on_both};
use sea_orm::ConnectionTrait;
use serde_json::Value;

on_both!(
    three_hundred_guests_want_one_home,
    two_thousand_guests_want_fifty_homes,
    without_the_key_the_same_storm_gives_nights_away_twice,
);

/// How many requests are under way at once.
const AT_ONCE: usize = 300;

/// As a good client does: whoever is told that we are too busy asks again under the same key.
async fn insist(process: &TestApp, guest: &harness::app::Signed, key: &str, order: Value) -> harness::app::Reply {
    loop {
        let reply = process.keyed("/bookings", guest, key, order.clone()).await;
        if reply.status != 503 {
            return reply;
        }
    }
}

/// Asks for all of these at once, by turns at two processes, and returns who got what; everybody else is told why not.
async fn storm(house: &TestApp, guests: &[harness::app::Signed], orders: Vec<Value>) -> Vec<Value> {
    let neighbour = house.beside(2).await;
    // Whether this is trouble is for the test to say.
    neighbour.expects_trouble();
    let tries = orders.into_iter().enumerate().map(|(n, order)| {
        let process = if n % 2 == 0 { house } else { &neighbour };
        let guest = &guests[n % guests.len()];
        // A key of its own for every order of every storm.
        let key = format!("storm-{}-{n}", order["check_in"]);
        async move { insist(process, guest, &key, order).await }
    });
    let answers: Vec<_> = futures::stream::iter(tries).buffer_unordered(AT_ONCE).collect().await;
    let mut won = vec![];
    for answer in answers {
        match answer.status {
            201 => won.push(answer.body),
            _ => drop(answer.refused(409, "dates_unavailable")),
        }
    }
    // Work that the neighbour has in its hands is done by nobody else.
    neighbour.settle().await;
    won
}

/// Every night of every winner, as the winners were told.
fn nights(won: &[Value]) -> Vec<(String, chrono::NaiveDate)> {
    let date = |booking: &Value, name: &str| booking[name].as_str().unwrap().parse::<chrono::NaiveDate>().unwrap();
    let of = |booking: &Value| {
        let (home, last) = (booking["property_id"].as_str().unwrap().to_owned(), date(booking, "check_out"));
        let days = date(booking, "check_in").iter_days().take_while(move |day| *day < last);
        days.map(move |day| (home.clone(), day)).collect::<Vec<_>>()
    };
    won.iter().flat_map(of).collect()
}

async fn count(house: &TestApp, sql: &str) -> i64 {
    let row = house.db.connection.query_one_raw(house.sql(sql)).await.unwrap().unwrap();
    row.try_get("", "n").unwrap()
}

/// Nobody shares a night, and what stands in the tables is exactly what the winners were told.
async fn assert_nobody_shares(house: &TestApp, won: &[Value]) {
    let nights = nights(won);
    let distinct: BTreeSet<_> = nights.iter().cloned().collect();
    assert_eq!(distinct.len(), nights.len(), "a night was given away twice");
    assert_eq!(count(house, "select count(*) as n from unit_night").await, nights.len() as i64);
    assert_eq!(count(house, "select count(*) as n from booking").await, won.len() as i64);
    assert_eq!(
        count(house, "select count(*) as n from workflow_run where workflow = 'booking'").await,
        won.len() as i64
    );
}

async fn people(house: &TestApp) -> (harness::app::Signed, Vec<harness::app::Signed>) {
    let host = house.person("host@example.org").await;
    let guests = [house.person("one@example.org").await, house.person("two@example.org").await];
    (host, guests.to_vec())
}

async fn three_hundred_guests_want_one_home(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guests) = people(&house).await;
    let home = house.home(&host, instant()).await;
    let mut orders = vec![];
    for n in 0..300 {
        // Three nights, beginning on one of ten days: every one of them overlaps most others.
        orders.push(house.order(&home, (30 + n % 10, 3), "pm_card_ok").await);
    }
    let won = storm(&house, &guests, orders).await;
    // Stays of three nights within twelve: at least two fit whatever comes first, at most four.
    assert!((2..=4).contains(&won.len()), "{} winners", won.len());
    assert_nobody_shares(&house, &won).await;
    house.settle().await;
    for booking in &won {
        assert_eq!(house.phase(&host, booking["id"].as_str().unwrap()).await, "confirmed");
    }
    assert!(house.books().await.intents.len() == won.len());
}

/// The test above would see it: taken out the one thing that forbids it, nights are given away twice.
async fn without_the_key_the_same_storm_gives_nights_away_twice(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guests) = people(&house).await;
    let home = house.home(&host, instant()).await;
    let takes_it_out: &[&str] = match house.db.backend {
        Backend::Postgres => &["alter table unit_night drop constraint unit_night_pkey"],
        Backend::Sqlite => &[
            "create table without_key as select * from unit_night",
            "drop table unit_night",
            "alter table without_key rename to unit_night",
        ],
    };
    for statement in takes_it_out {
        house.db.connection.execute_unprepared(statement).await.unwrap();
    }
    house.expects_trouble();
    // Which of two rivals looks first is chance: a storm that showed nothing is followed by another, over other nights.
    for round in 0..8 {
        let mut orders = vec![];
        for _ in 0..300 {
            orders.push(house.order(&home, (30 + round * 5, 3), "pm_card_ok").await);
        }
        let nights = nights(&storm(&house, &guests, orders).await);
        if nights.iter().collect::<BTreeSet<_>>().len() < nights.len() {
            return;
        }
    }
    panic!("the storm is too weak to show anything");
}

async fn two_thousand_guests_want_fifty_homes(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guests) = people(&house).await;
    let mut homes = vec![];
    for _ in 0..50 {
        homes.push(house.home(&host, instant()).await);
    }
    let mut orders = vec![];
    // Two that follow each other want the same home from the same day on, and ask different processes.
    for pair in 0..1_000_u64 {
        let home = &homes[(pair % 50) as usize];
        let begins = 30 + (pair / 50) % 7;
        for nights in [2 + pair % 3, 2 + (pair + 1) % 3] {
            orders.push(house.order(home, (begins, nights), "pm_card_ok").await);
        }
    }
    let won = storm(&house, &guests, orders).await;
    assert!(won.len() >= 100, "{} winners", won.len());
    assert_nobody_shares(&house, &won).await;
}
