//! A small town to test in: two hosts, two guests, homes and bookings with good defaults.

use chrono::{NaiveDate, NaiveTime};
use domain::{
    BasisPoints, BookingId, BookingRules, Capacity, Currency, Guests, HouseClock, Money, PaymentId, Phase, PropertyId,
    QuoteId, Stay, Timestamp, UnitId, UserId,
};
use sea_orm::DatabaseConnection;
use store::bookings::Booking;
use store::payments::Payment;
use store::properties::{Asked, Listing, Place, Property};
use store::quotes::Quote;
use store::users::{Profile, User};
use store::{PaymentStatus, PropertyStatus, UserStatus};
use uuid::Uuid;

/// The instant at which the town is built.
pub(super) fn dawn() -> Timestamp {
    "2027-01-10T08:00:00.123456Z".parse().unwrap()
}

pub(super) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn stay(check_in: &str, check_out: &str) -> Stay {
    Stay::parse(date(check_in), date(check_out)).unwrap()
}

pub(super) fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// An id that says in a failing test what it is.
pub(super) fn id(kind: u8, number: u8) -> Uuid {
    let mut bytes = [0; 16];
    (bytes[0], bytes[6], bytes[8], bytes[15]) = (kind, 0x70, 0x80, number);
    Uuid::from_bytes(bytes)
}

pub(super) fn user_id(number: u8) -> UserId {
    UserId::from_uuid(id(1, number))
}

pub(super) fn property_id(number: u8) -> PropertyId {
    PropertyId::from_uuid(id(2, number))
}

pub(super) fn booking_id(number: u8) -> BookingId {
    BookingId::from_uuid(id(3, number))
}

/// A person whose address is made of the number.
pub(super) fn user(number: u8) -> User {
    User {
        id: user_id(number),
        email: format!("{number}@example.org"),
        email_verified_at: None,
        password_hash: "hash".into(),
        profile: Profile { name: "Ana".into(), phone: None, locale: "en".into(), currency: Currency::EUR },
        role: None,
        status: UserStatus::Active,
        created_at: dawn(),
        updated_at: dawn(),
    }
}

/// A home in Lisbon for four at 100 euros a night.
pub(super) fn property(number: u8, host: UserId) -> Property {
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let listing = Listing {
        title: "Blue door".into(),
        description: "By the river".into(),
        kind: "apartment".into(),
        place: Place { city: "Lisbon".into(), country: "PT".into(), latitude: 38.7, longitude: -9.1 },
        house: HouseClock { zone: "Europe/Lisbon".parse().unwrap(), check_in_time: time(15), check_out_time: time(11) },
        asked: Asked {
            nightly: eur(10_000),
            weekend: Some(eur(12_000)),
            cleaning: eur(4_000),
            pets: None,
            weekly_discount: BasisPoints::try_new(1_000).unwrap(),
            monthly_discount: BasisPoints::ZERO,
        },
        policy: "moderate".parse().unwrap(),
        long_policy: "long_term_firm".parse().unwrap(),
        instant_book: false,
        rules: BookingRules {
            min_nights: 1,
            max_nights: 60,
            advance_notice_days: 0,
            booking_window_days: 730,
            capacity: Capacity { guests: 4, infants: 1, pets: 0 },
            preparation_nights: 0,
        },
    };
    Property {
        id: property_id(number),
        host,
        listing,
        status: PropertyStatus::Published,
        version: 1,
        created_at: dawn(),
        updated_at: dawn(),
    }
}

/// A booking of that home, awaiting its host, on a quote of the same number.
pub(super) fn booking(number: u8, property: &Property, guest: UserId, stay: Stay) -> Booking {
    Booking {
        id: booking_id(number),
        property: property.id,
        guest,
        host: property.host,
        stay,
        guests: Guests::parse(2, 0, 0, 0).unwrap(),
        prep_nights: property.listing.rules.preparation_nights,
        phase: Phase::AwaitingHost,
        reason: None,
        total: eur(30_000),
        refunded: eur(0),
        payment: None,
        quote: QuoteId::from_uuid(id(4, number)),
        hold_expires_at: None,
        host_deadline: Some(dawn()),
        client_reference: None,
        message: None,
        created_at: dawn(),
        updated_at: dawn(),
        seq: 1,
    }
}

pub(super) fn quote(booking: &Booking) -> Quote {
    Quote {
        id: booking.quote,
        guest: booking.guest,
        property: booking.property,
        stay: booking.stay,
        guests: booking.guests,
        total: booking.total,
        body: r#"{"promise":true}"#.into(),
        hash: "fingerprint".into(),
        expires_at: dawn(),
        created_at: dawn(),
    }
}

pub(super) fn payment(number: u8, booking: &Booking) -> Payment {
    Payment {
        id: PaymentId::from_uuid(id(5, number)),
        booking: booking.id,
        guest: booking.guest,
        status: PaymentStatus::Authorized,
        amount: booking.total,
        captured_minor: 0,
        refunded_minor: 0,
        provider: "sandbox".into(),
        intent: Some("pi_1".into()),
        action_url: None,
        decline_code: None,
        capture_before: Some(dawn()),
        created_at: dawn(),
        updated_at: dawn(),
    }
}

/// The people 1 to 4 and a home of the host 1 with its unit.
pub(super) async fn built(db: &DatabaseConnection) -> (Property, UnitId) {
    for number in 1..=4 {
        store::users::create(db, &user(number)).await.unwrap();
    }
    let home = property(1, user_id(1));
    let unit = store::properties::create(db, &home).await.unwrap();
    (home, unit)
}

/// Writes a booking with its quote, as its projection would.
pub(super) async fn book(db: &DatabaseConnection, booking: &Booking) {
    store::quotes::create(db, &quote(booking)).await.unwrap();
    store::bookings::put(db, std::slice::from_ref(booking)).await.unwrap();
}
