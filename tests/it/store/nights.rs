//! No night twice: the key decides, on both databases.

use std::collections::BTreeMap;

use domain::{BookingId, Stay, Timestamp, UnitId};
use harness::{Backend, TestDatabase, on_both};
use sea_orm::{DatabaseConnection, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use store::nights::{self, Hold};
use store::{Class, NightKind, classify};

use super::town::{book, booking, booking_id, built, date, dawn, stay, user_id};

on_both!(
    the_second_taker_of_a_night_is_refused,
    leaving_on_the_day_another_comes_is_no_conflict,
    whoever_looks_first_learns_who_has_the_night,
    freed_nights_can_be_taken_again,
    a_projection_may_be_run_again,
    a_projection_moves_nights_and_ends_of_holds,
    a_projection_never_takes_a_rivals_night,
    a_host_blocks_only_what_is_free,
    a_second_unit_takes_what_the_first_cannot,
    of_many_rivals_one_wins,
    what_was_promised_to_a_neighbour_is_kept,
    a_calendar_is_locked_where_there_is_one,
);

fn hold(number: u8, unit: UnitId, stay: Stay) -> Hold {
    Hold { booking: booking_id(number), units: vec![unit], stay, hold_expires_at: None }
}

async fn who_has(db: &DatabaseConnection, unit: UnitId) -> Vec<(String, Option<BookingId>)> {
    let nights = nights::taken(db, &[unit], date("2027-01-01"), date("2028-01-01")).await.unwrap();
    nights.into_iter().map(|taken| (taken.night.to_string(), taken.booking)).collect()
}

async fn the_second_taker_of_a_night_is_refused(db: TestDatabase) {
    let (_, unit) = built(&db.connection).await;
    nights::hold(&db.connection, &[hold(1, unit, stay("2027-03-01", "2027-03-04"))]).await.unwrap();
    let before = who_has(&db.connection, unit).await;
    let refusal = nights::hold(&db.connection, &[hold(2, unit, stay("2027-03-03", "2027-03-06"))]).await.unwrap_err();
    assert_eq!(classify(&refusal), Class::Taken);
    assert_eq!(who_has(&db.connection, unit).await, before, "a refusal takes nothing");
}

async fn leaving_on_the_day_another_comes_is_no_conflict(db: TestDatabase) {
    let (_, unit) = built(&db.connection).await;
    let (before, after) = (stay("2027-03-01", "2027-03-04"), stay("2027-03-04", "2027-03-06"));
    nights::hold(&db.connection, &[hold(1, unit, before), hold(2, unit, after)]).await.unwrap();
    assert_eq!(who_has(&db.connection, unit).await.len(), 5);
}

async fn whoever_looks_first_learns_who_has_the_night(db: TestDatabase) {
    let (home, unit) = built(&db.connection).await;
    let held = Hold { hold_expires_at: Some(dawn()), ..hold(1, unit, stay("2027-03-01", "2027-03-04")) };
    nights::hold(&db.connection, &[held]).await.unwrap();
    let wanted = (date("2027-03-03"), date("2027-03-05"));
    let taken = nights::taken(&db.connection, &[unit], wanted.0, wanted.1).await.unwrap();
    let expected = nights::Taken {
        unit,
        night: date("2027-03-03"),
        kind: NightKind::Booking,
        booking: Some(booking_id(1)),
        hold_expires_at: Some(dawn()),
    };
    assert_eq!(taken, [expected]);
    let calendar = nights::of_property(&db.connection, home.id, wanted.0, wanted.1).await.unwrap();
    assert_eq!(calendar, [expected]);
}

async fn freed_nights_can_be_taken_again(db: TestDatabase) {
    let (_, unit) = built(&db.connection).await;
    let nights = stay("2027-03-01", "2027-03-04");
    nights::hold(&db.connection, &[hold(1, unit, nights)]).await.unwrap();
    assert_eq!(nights::free(&db.connection, &[booking_id(1)]).await.unwrap(), 3);
    assert_eq!(nights::free(&db.connection, &[booking_id(1)]).await.unwrap(), 0);
    nights::hold(&db.connection, &[hold(2, unit, nights)]).await.unwrap();
}

async fn a_projection_may_be_run_again(db: TestDatabase) {
    let (_, unit) = built(&db.connection).await;
    let holds = [hold(1, unit, stay("2027-03-01", "2027-03-04")), hold(2, unit, stay("2027-03-08", "2027-03-09"))];
    nights::set(&db.connection, &holds).await.unwrap();
    let once = who_has(&db.connection, unit).await;
    nights::set(&db.connection, &holds).await.unwrap();
    assert_eq!(who_has(&db.connection, unit).await, once);
    assert_eq!(once.len(), 4);
}

async fn a_projection_moves_nights_and_ends_of_holds(db: TestDatabase) {
    let (_, unit) = built(&db.connection).await;
    let held = Hold { hold_expires_at: Some(dawn()), ..hold(1, unit, stay("2027-03-01", "2027-03-04")) };
    nights::set(&db.connection, &[held]).await.unwrap();
    nights::set(&db.connection, &[hold(1, unit, stay("2027-03-02", "2027-03-05"))]).await.unwrap();
    let now = nights::of_bookings(&db.connection, &[booking_id(1)]).await.unwrap();
    let seen: Vec<(String, Option<Timestamp>)> =
        now.iter().map(|taken| (taken.night.to_string(), taken.hold_expires_at)).collect();
    assert_eq!(seen, ["2027-03-02", "2027-03-03", "2027-03-04"].map(|night| (night.to_owned(), None)));
    let nothing = Hold { units: vec![], ..hold(1, unit, stay("2027-03-02", "2027-03-05")) };
    nights::set(&db.connection, &[nothing]).await.unwrap();
    assert_eq!(who_has(&db.connection, unit).await, []);
}

async fn a_projection_never_takes_a_rivals_night(db: TestDatabase) {
    let (_, unit) = built(&db.connection).await;
    nights::set(&db.connection, &[hold(1, unit, stay("2027-03-01", "2027-03-04"))]).await.unwrap();
    let refusal = nights::set(&db.connection, &[hold(2, unit, stay("2027-03-03", "2027-03-05"))]).await.unwrap_err();
    assert_eq!(classify(&refusal), Class::Taken);
    // Within one commit the step that takes nights is alone, but a mistake must not be read as "the last one wins".
    let both = [hold(3, unit, stay("2027-04-01", "2027-04-02")), hold(4, unit, stay("2027-04-01", "2027-04-02"))];
    let refusals = [nights::hold(&db.connection, &both).await, nights::set(&db.connection, &both).await];
    assert!(refusals.iter().all(|refusal| refusal.as_ref().is_err_and(|refusal| classify(refusal) == Class::Taken)));
}

async fn a_host_blocks_only_what_is_free(db: TestDatabase) {
    let (_, unit) = built(&db.connection).await;
    nights::hold(&db.connection, &[hold(1, unit, stay("2027-03-03", "2027-03-04"))]).await.unwrap();
    let refusal = nights::block(&db.connection, &[unit], &stay("2027-03-01", "2027-03-06")).await.unwrap_err();
    assert_eq!(classify(&refusal), Class::Taken);
    nights::block(&db.connection, &[unit], &stay("2027-03-04", "2027-03-06")).await.unwrap();
    assert_eq!(nights::unblock(&db.connection, &[unit], &stay("2027-03-01", "2027-03-10")).await.unwrap(), 2);
    assert_eq!(who_has(&db.connection, unit).await, [("2027-03-03".to_owned(), Some(booking_id(1)))]);
}

async fn a_second_unit_takes_what_the_first_cannot(db: TestDatabase) {
    let (home, first) = built(&db.connection).await;
    let second = store::properties::add_unit(&db.connection, home.id).await.unwrap();
    let nights = stay("2027-03-01", "2027-03-04");
    let free = async || nights::free_units(&db.connection, home.id, &nights).await.unwrap();
    assert_eq!(free().await, [first, second]);
    nights::hold(&db.connection, &[hold(1, first, nights)]).await.unwrap();
    assert_eq!(free().await, [second]);
    nights::hold(&db.connection, &[hold(2, second, nights)]).await.unwrap();
    assert_eq!(free().await, []);
}

/// Tries to take the nights in a transaction of its own; true for the winner.
async fn takes(db: &DatabaseConnection, hold: Hold) -> bool {
    let mode = Some(SqliteTransactionMode::Immediate);
    let options = TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
    #[expect(clippy::disallowed_methods, reason = "a test is not dropped while it begins")]
    let tx = db.begin_with_options(options).await.unwrap();
    match nights::hold(&tx, &[hold]).await {
        Ok(()) => {
            tx.commit().await.unwrap();
            true
        }
        Err(refusal) => {
            assert_eq!(classify(&refusal), Class::Taken, "{refusal}");
            tx.rollback().await.unwrap();
            false
        }
    }
}

async fn of_many_rivals_one_wins(db: TestDatabase) {
    let (_, unit) = built(&db.connection).await;
    let rivals = (1..=40).map(|number: u8| {
        let first = date("2027-03-01") + chrono::Days::new((number % 3).into());
        let nights = Stay::parse(first, first + chrono::Days::new(4)).unwrap();
        let db = db.connection.clone();
        tokio::spawn(async move { takes(&db, hold(number, unit, nights)).await })
    });
    let mut winners = 0;
    for rival in rivals.collect::<Vec<_>>() {
        winners += u32::from(rival.await.unwrap());
    }
    assert_eq!(winners, 1, "every stay shares a night with every other");
    let mut by_booking: BTreeMap<_, u32> = BTreeMap::new();
    for (_, booking) in who_has(&db.connection, unit).await {
        *by_booking.entry(booking).or_default() += 1;
    }
    assert_eq!(by_booking.into_values().collect::<Vec<_>>(), [4]);
}

async fn what_was_promised_to_a_neighbour_is_kept(db: TestDatabase) {
    let (mut home, unit) = built(&db.connection).await;
    home.listing.rules.preparation_nights = 2;
    let neighbour = booking(1, &home, user_id(2), stay("2027-03-01", "2027-03-04"));
    book(&db.connection, &neighbour).await;
    nights::hold(&db.connection, &[hold(1, unit, neighbour.stay)]).await.unwrap();
    nights::block(&db.connection, &[unit], &stay("2027-03-10", "2027-03-11")).await.unwrap();
    home.listing.rules.preparation_nights = 0;
    let fits = async |wanted: Stay| {
        let around = nights::neighbours(&db.connection, &[unit], &wanted).await.unwrap();
        home.listing.rules.fits_between(&wanted, around.get(&unit).map_or(&[], Vec::as_slice)).is_ok()
    };
    assert!(!fits(stay("2027-03-05", "2027-03-07")).await, "the neighbour was promised two nights");
    assert!(fits(stay("2027-03-06", "2027-03-10")).await, "two nights after a stay, and a block needs none");
    assert!(!fits(stay("2027-03-09", "2027-03-11")).await, "the block itself is taken");
}

async fn a_calendar_is_locked_where_there_is_one(db: TestDatabase) {
    let (home, _) = built(&db.connection).await;
    let tx = harness::begin(&db.connection).await.unwrap();
    assert!(nights::lock_calendar(&tx, home.id).await.unwrap());
    assert!(!nights::lock_calendar(&tx, super::town::property_id(99)).await.unwrap());
    if db.backend == Backend::Postgres {
        let rival = harness::begin(&db.connection).await.unwrap();
        sea_orm::ConnectionTrait::execute_unprepared(&rival, "set local lock_timeout = '20ms'").await.unwrap();
        let refusal = nights::lock_calendar(&rival, home.id).await.unwrap_err();
        assert_eq!(classify(&refusal), Class::Busy);
    }
}
