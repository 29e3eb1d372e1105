//! Finding homes: exactly those that can be booked, in a stable order.

use domain::{Currency, Guests, PropertyId, Stay};
use harness::{TestDatabase, on_both};
use sea_orm::DatabaseConnection;
use store::PropertyStatus;
use store::nights::{self, Hold};
use store::properties::{self, Property};
use store::search::{self, Area, PriceRange, Slice, Sorting, Wanted};

use super::town::{book, booking, booking_id, built, dawn, eur, property, property_id, stay, user_id};

on_both!(
    what_is_not_published_is_not_found,
    every_wish_narrows_the_search,
    a_taken_night_hides_a_home_for_the_nights_around_it_only,
    a_second_unit_keeps_a_home_bookable,
    the_hosts_rules_are_asked_in_the_homes_own_calendar,
    preparation_between_stays_is_respected,
    pages_follow_each_other_in_both_orders,
);

const NEWEST: Sorting = Sorting::Newest { after: None };
const CHEAPEST: Sorting = Sorting::Cheapest { after: None };

async fn found(db: &DatabaseConnection, wanted: &Wanted) -> Vec<PropertyId> {
    let homes = search::find(db, wanted, NEWEST, Slice { limit: 50, now: dawn() }).await.unwrap();
    homes.into_iter().map(|home| home.id).collect()
}

async fn add(db: &DatabaseConnection, number: u8, change: impl FnOnce(&mut Property)) -> Property {
    let mut home = property(number, user_id(1));
    change(&mut home);
    properties::create(db, &home).await.unwrap();
    home
}

fn for_nights(stay: Stay) -> Wanted {
    Wanted { stay: Some(stay), ..Wanted::default() }
}

async fn what_is_not_published_is_not_found(db: TestDatabase) {
    let db = &db.connection;
    built(db).await;
    add(db, 2, |home| home.status = PropertyStatus::Draft).await;
    add(db, 3, |home| home.status = PropertyStatus::Paused).await;
    assert_eq!(found(db, &Wanted::default()).await, [property_id(1)]);
}

async fn every_wish_narrows_the_search(db: TestDatabase) {
    let db = &db.connection;
    built(db).await;
    add(db, 2, |home| {
        let listing = &mut home.listing;
        (listing.place.city, listing.place.country, listing.kind) = ("Suva".into(), "FJ".into(), "house".into());
        (listing.place.latitude, listing.place.longitude) = (-18.1, 178.4);
        listing.asked.nightly = eur(20_000);
        (listing.rules.capacity.guests, listing.rules.capacity.pets, listing.instant_book) = (8, 1, true);
    })
    .await;
    let guests = |adults, pets| Some(Guests::parse(adults, 0, 0, pets).unwrap());
    let price = |from_minor, to_minor| Some(PriceRange { currency: Currency::EUR, from_minor, to_minor });
    let across_the_date_line = Some(Area { south: -30.0, west: 170.0, north: 0.0, east: -170.0 });
    let far = [
        Wanted { city: Some("suva".into()), ..Wanted::default() },
        Wanted { country: Some("FJ".into()), ..Wanted::default() },
        Wanted { kind: Some("house".into()), ..Wanted::default() },
        Wanted { area: across_the_date_line, ..Wanted::default() },
        Wanted { guests: guests(5, 0), ..Wanted::default() },
        Wanted { guests: guests(1, 1), ..Wanted::default() },
        Wanted { price: price(Some(10_001), None), ..Wanted::default() },
        Wanted { instant_book: true, ..Wanted::default() },
    ];
    for wanted in far {
        assert_eq!(found(db, &wanted).await, [property_id(2)], "{wanted:?}");
    }
    let cheap = Wanted { price: price(None, Some(10_000)), ..Wanted::default() };
    assert_eq!(found(db, &cheap).await, [property_id(1)]);
    let dollars = PriceRange { currency: Currency::USD, from_minor: None, to_minor: None };
    assert_eq!(found(db, &Wanted { price: Some(dollars), ..Wanted::default() }).await, []);
}

async fn a_taken_night_hides_a_home_for_the_nights_around_it_only(db: TestDatabase) {
    let db = &db.connection;
    let (_, unit) = built(db).await;
    nights::block(db, &[unit], &stay("2027-03-05", "2027-03-06")).await.unwrap();
    assert_eq!(found(db, &for_nights(stay("2027-03-04", "2027-03-06"))).await, []);
    assert_eq!(found(db, &for_nights(stay("2027-03-03", "2027-03-05"))).await, [property_id(1)]);
    assert_eq!(found(db, &for_nights(stay("2027-03-06", "2027-03-08"))).await, [property_id(1)]);
}

async fn a_second_unit_keeps_a_home_bookable(db: TestDatabase) {
    let db = &db.connection;
    let (home, first) = built(db).await;
    let second = properties::add_unit(db, home.id).await.unwrap();
    nights::block(db, &[first], &stay("2027-03-05", "2027-03-06")).await.unwrap();
    let wanted = for_nights(stay("2027-03-05", "2027-03-07"));
    assert_eq!(found(db, &wanted).await, [home.id]);
    nights::block(db, &[second], &stay("2027-03-06", "2027-03-07")).await.unwrap();
    assert_eq!(found(db, &wanted).await, [], "half of one and half of the other is no stay");
}

async fn the_hosts_rules_are_asked_in_the_homes_own_calendar(db: TestDatabase) {
    let db = &db.connection;
    built(db).await;
    add(db, 2, |home| home.listing.rules.min_nights = 3).await;
    // At dawn it is 22 o'clock on Honolulu's day before.
    add(db, 3, |home| home.listing.house.zone = "Pacific/Honolulu".parse().unwrap()).await;
    let (one, two, three) = (property_id(1), property_id(2), property_id(3));
    assert_eq!(found(db, &for_nights(stay("2027-03-01", "2027-03-03"))).await, [three, one]);
    assert_eq!(found(db, &for_nights(stay("2027-03-01", "2027-03-04"))).await, [three, two, one]);
    assert_eq!(found(db, &for_nights(stay("2027-01-09", "2027-01-12"))).await, [three]);
}

async fn preparation_between_stays_is_respected(db: TestDatabase) {
    let db = &db.connection;
    let (mut home, unit) = built(db).await;
    home.listing.rules.preparation_nights = 1;
    let neighbour = booking(1, &home, user_id(2), stay("2027-03-01", "2027-03-04"));
    book(db, &neighbour).await;
    let hold = Hold { booking: booking_id(1), units: vec![unit], stay: neighbour.stay, hold_expires_at: None };
    nights::hold(db, &[hold]).await.unwrap();
    assert_eq!(found(db, &for_nights(stay("2027-03-04", "2027-03-06"))).await, []);
    assert_eq!(found(db, &for_nights(stay("2027-03-05", "2027-03-06"))).await, [home.id]);
}

async fn pages_follow_each_other_in_both_orders(db: TestDatabase) {
    let db = &db.connection;
    built(db).await;
    for number in 2..=7_u8 {
        add(db, number, |home| {
            home.created_at += chrono::TimeDelta::seconds((number / 2).into());
            home.listing.asked.nightly = eur(10_000 - i64::from(number / 3));
        })
        .await;
    }
    let all = async |mut sorting: Sorting| {
        let mut seen = vec![];
        loop {
            let page = search::find(db, &Wanted::default(), sorting, Slice { limit: 2, now: dawn() }).await.unwrap();
            let Some(last) = page.last() else { return seen };
            sorting = sorting.after(last);
            seen.extend(page.iter().map(|home| home.id.uuid().as_bytes()[15]));
        }
    };
    assert_eq!(all(NEWEST).await, [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(all(CHEAPEST).await, [6, 7, 3, 4, 5, 1, 2]);
}
