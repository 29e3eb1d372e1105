//! Owner-first reads: what is not yours is as absent as what does not exist.

use domain::{PayoutId, Phase, UserId};
use harness::{TestDatabase, on_both};
use store::images::Image;
use store::notifications::Notification;
use store::payments::Reference;
use store::payouts::Payout;
use store::properties::Edit;
use store::{
    Class, ImageStatus, NotificationStatus, Page, PaymentStatus, PayoutStatus, Position, PropertyStatus, bookings,
    classify, images, notifications, payments, payouts, properties, quotes,
};

use super::town::{book, booking, built, date, dawn, eur, id, payment, property, property_id, quote, stay, user_id};

on_both!(
    a_booking_is_seen_by_its_two_parties_only,
    a_booking_comes_back_as_it_was_written,
    a_run_never_overwrites_what_a_guest_wrote,
    a_guests_reference_is_used_once,
    a_quote_is_its_guests,
    a_draft_is_seen_by_its_host_only,
    an_edit_needs_the_owner_and_the_present_version,
    a_payment_is_its_guests_and_found_by_reference,
    a_payout_is_its_hosts_and_the_only_one_of_its_day,
    a_photograph_is_its_hosts_until_it_is_ready,
    a_message_is_its_readers,
    pages_go_on_where_the_last_one_ended,
    a_damaged_row_is_an_error_that_names_its_table,
);

const STRANGER: fn() -> UserId = || user_id(4);

async fn a_booking_is_seen_by_its_two_parties_only(db: TestDatabase) {
    let db = &db.connection;
    let (home, _) = built(db).await;
    let (host, guest) = (user_id(1), user_id(2));
    let written = booking(1, &home, guest, stay("2027-03-01", "2027-03-04"));
    book(db, &written).await;
    assert!(bookings::of_guest(db, guest, written.id).await.unwrap().is_some());
    assert!(bookings::of_host(db, host, written.id).await.unwrap().is_some());
    for party in [guest, host] {
        assert!(bookings::of_party(db, party, written.id).await.unwrap().is_some());
        assert_eq!(bookings::list_of_party(db, party, None, &Page::first(9)).await.unwrap().len(), 1);
    }
    assert_eq!(bookings::of_guest(db, host, written.id).await.unwrap(), None, "the host is not the guest");
    assert_eq!(bookings::of_host(db, guest, written.id).await.unwrap(), None, "the guest is not the host");
    assert_eq!(bookings::of_party(db, STRANGER(), written.id).await.unwrap(), None);
    assert_eq!(bookings::list_of_guest(db, STRANGER(), None, &Page::first(9)).await.unwrap(), []);
    assert_eq!(bookings::list_of_host(db, guest, None, &Page::first(9)).await.unwrap(), []);
    assert_eq!(bookings::list_of_party(db, STRANGER(), None, &Page::first(9)).await.unwrap(), []);
}

async fn a_booking_comes_back_as_it_was_written(db: TestDatabase) {
    let db = &db.connection;
    let (home, unit) = built(db).await;
    let mut written = booking(1, &home, user_id(2), stay("2027-03-01", "2027-03-04"));
    book(db, &written).await;
    bookings::put_units(db, &[(written.id, unit)]).await.unwrap();
    bookings::put_units(db, &[(written.id, unit)]).await.unwrap();
    assert_eq!(bookings::units(db, &[written.id]).await.unwrap(), [(written.id, vec![unit])].into());
    (written.phase, written.reason, written.refunded) = (Phase::CanceledByGuest, Some("plans".into()), eur(12_000));
    (written.host_deadline, written.seq) = (None, 2);
    bookings::put(db, std::slice::from_ref(&written)).await.unwrap();
    assert_eq!(bookings::of_anybody(db, written.id).await.unwrap(), Some(written));
}

async fn a_run_never_overwrites_what_a_guest_wrote(db: TestDatabase) {
    let db = &db.connection;
    let (home, _) = built(db).await;
    let written = booking(1, &home, user_id(2), stay("2027-03-01", "2027-03-04"));
    book(db, &written).await;
    let note = || bookings::Note { client_reference: Some("trip-7".into()), message: Some("See you!".into()) };
    assert!(!bookings::annotate(db, user_id(1), written.id, note()).await.unwrap(), "the host is not the guest");
    assert!(bookings::annotate(db, user_id(2), written.id, note()).await.unwrap());
    bookings::put(db, &[written]).await.unwrap();
    let found = bookings::by_client_reference(db, user_id(2), "trip-7").await.unwrap().unwrap();
    assert_eq!(found.message.as_deref(), Some("See you!"));
    assert_eq!(bookings::by_client_reference(db, user_id(3), "trip-7").await.unwrap(), None);
}

async fn a_guests_reference_is_used_once(db: TestDatabase) {
    let db = &db.connection;
    let (home, _) = built(db).await;
    let with_reference = |number, guest, night| {
        let mut one = booking(number, &home, user_id(guest), stay(&format!("2027-03-0{night}"), "2027-03-09"));
        one.client_reference = Some("trip-7".into());
        one
    };
    book(db, &with_reference(1, 2, 1)).await;
    book(db, &with_reference(2, 3, 2)).await;
    let again = with_reference(3, 2, 3);
    quotes::create(db, &quote(&again)).await.unwrap();
    assert_eq!(classify(&bookings::put(db, &[again]).await.unwrap_err()), Class::Taken);
}

async fn a_quote_is_its_guests(db: TestDatabase) {
    let db = &db.connection;
    let (home, _) = built(db).await;
    let promised = quote(&booking(1, &home, user_id(2), stay("2027-03-01", "2027-03-04")));
    quotes::create(db, &promised).await.unwrap();
    assert_eq!(quotes::of_guest(db, user_id(2), promised.id).await.unwrap().as_ref(), Some(&promised));
    assert_eq!(quotes::of_guest(db, STRANGER(), promised.id).await.unwrap(), None);
}

async fn a_draft_is_seen_by_its_host_only(db: TestDatabase) {
    let db = &db.connection;
    let (published, _) = built(db).await;
    let mut draft = property(2, user_id(1));
    draft.status = PropertyStatus::Draft;
    properties::create(db, &draft).await.unwrap();
    assert_eq!(properties::published(db, published.id).await.unwrap().as_ref(), Some(&published));
    assert_eq!(properties::published(db, draft.id).await.unwrap(), None);
    assert_eq!(properties::of_host(db, user_id(1), draft.id).await.unwrap().as_ref(), Some(&draft));
    assert_eq!(properties::of_host(db, STRANGER(), draft.id).await.unwrap(), None);
    assert_eq!(properties::list_of_host(db, STRANGER(), &Page::first(9)).await.unwrap(), []);
}

async fn an_edit_needs_the_owner_and_the_present_version(db: TestDatabase) {
    let db = &db.connection;
    let (home, _) = built(db).await;
    let mut listing = home.listing.clone();
    (listing.title, listing.asked.weekend) = ("Red door".into(), None);
    let edit = |based_on| Edit { based_on, listing: &listing, status: PropertyStatus::Paused, at: dawn() };
    assert!(!properties::edit(db, STRANGER(), home.id, &edit(1)).await.unwrap());
    assert!(!properties::edit(db, user_id(1), home.id, &edit(0)).await.unwrap());
    assert!(properties::edit(db, user_id(1), home.id, &edit(1)).await.unwrap());
    assert!(!properties::edit(db, user_id(1), home.id, &edit(1)).await.unwrap(), "the version has moved on");
    let now = properties::of_host(db, user_id(1), home.id).await.unwrap().unwrap();
    assert_eq!((now.version, now.listing, now.status), (2, listing, PropertyStatus::Paused));
}

async fn a_payment_is_its_guests_and_found_by_reference(db: TestDatabase) {
    let db = &db.connection;
    let (home, _) = built(db).await;
    let for_nights = booking(1, &home, user_id(2), stay("2027-03-01", "2027-03-04"));
    book(db, &for_nights).await;
    let mut paid = payment(1, &for_nights);
    payments::put(db, std::slice::from_ref(&paid)).await.unwrap();
    (paid.status, paid.captured_minor, paid.capture_before) = (PaymentStatus::Captured, 30_000, None);
    payments::put(db, std::slice::from_ref(&paid)).await.unwrap();
    assert_eq!(payments::of_guest(db, user_id(2), paid.id).await.unwrap().as_ref(), Some(&paid));
    assert_eq!(payments::of_guest(db, user_id(1), paid.id).await.unwrap(), None);
    assert_eq!(payments::of_booking(db, STRANGER(), for_nights.id).await.unwrap(), []);
    let called = |payment| Reference { provider: "sandbox".into(), reference: "pi_1".into(), payment };
    payments::put_references(db, &[called(paid.id)]).await.unwrap();
    payments::put_references(db, &[called(domain::PaymentId::from_uuid(id(5, 9)))]).await.unwrap();
    assert_eq!(payments::by_reference(db, "sandbox", "pi_1").await.unwrap(), Some(paid.id));
    assert_eq!(payments::by_reference(db, "other", "pi_1").await.unwrap(), None);
}

async fn a_payout_is_its_hosts_and_the_only_one_of_its_day(db: TestDatabase) {
    let db = &db.connection;
    built(db).await;
    let payout = |number| Payout {
        id: PayoutId::from_uuid(id(6, number)),
        host: user_id(1),
        date: date("2027-03-05"),
        amount: eur(26_000),
        status: PayoutStatus::Pending,
        reason: None,
        transfer: None,
        created_at: dawn(),
        updated_at: dawn(),
    };
    let mut sent = payout(1);
    payouts::put(db, std::slice::from_ref(&sent)).await.unwrap();
    (sent.status, sent.transfer) = (PayoutStatus::Paid, Some("tr_1".into()));
    payouts::put(db, std::slice::from_ref(&sent)).await.unwrap();
    assert_eq!(payouts::of_host(db, user_id(1), sent.id).await.unwrap().as_ref(), Some(&sent));
    assert_eq!(payouts::of_host(db, STRANGER(), sent.id).await.unwrap(), None);
    assert_eq!(classify(&payouts::put(db, &[payout(2)]).await.unwrap_err()), Class::Taken);
}

async fn a_photograph_is_its_hosts_until_it_is_ready(db: TestDatabase) {
    let db = &db.connection;
    let (home, _) = built(db).await;
    let mut image = Image {
        id: domain::ImageId::from_uuid(id(7, 1)),
        property: home.id,
        status: ImageStatus::AwaitingUpload,
        position: 0,
        caption: Some("Kitchen".into()),
        content_type: "image/jpeg".into(),
        bytes: 4_000_000,
        found: None,
        variants: vec![],
        failure: None,
        created_at: dawn(),
        updated_at: dawn(),
    };
    images::put(db, std::slice::from_ref(&image)).await.unwrap();
    assert_eq!(images::of_host(db, user_id(1), home.id, image.id).await.unwrap().as_ref(), Some(&image));
    assert_eq!(images::of_host(db, STRANGER(), home.id, image.id).await.unwrap(), None);
    assert_eq!(images::of_host(db, user_id(1), property_id(9), image.id).await.unwrap(), None);
    assert_eq!(images::list_of_host(db, STRANGER(), home.id).await.unwrap(), []);
    assert!(images::ready(db, &[home.id]).await.unwrap().is_empty());
    image.status = ImageStatus::Ready;
    let found = images::Found { sha256: "ab".into(), width: 1440, height: 1920, blurhash: "LKO2".into() };
    image.found = Some(found);
    images::put(db, std::slice::from_ref(&image)).await.unwrap();
    assert_eq!(images::ready(db, &[home.id]).await.unwrap(), [(home.id, vec![image])].into());
}

async fn a_message_is_its_readers(db: TestDatabase) {
    let db = &db.connection;
    built(db).await;
    let mut message = Notification {
        id: domain::NotificationId::from_uuid(id(8, 1)),
        user: user_id(2),
        letter: "booking_confirmed".into(),
        booking: None,
        status: NotificationStatus::Queued,
        created_at: dawn(),
        read_at: None,
    };
    notifications::put(db, std::slice::from_ref(&message)).await.unwrap();
    assert!(!notifications::mark_read(db, STRANGER(), message.id, dawn()).await.unwrap());
    assert!(notifications::mark_read(db, user_id(2), message.id, dawn()).await.unwrap());
    let later = dawn() + chrono::TimeDelta::hours(1);
    assert!(notifications::mark_read(db, user_id(2), message.id, later).await.unwrap());
    message.status = NotificationStatus::Sent;
    notifications::put(db, std::slice::from_ref(&message)).await.unwrap();
    message.read_at = Some(dawn());
    assert_eq!(notifications::of_user(db, user_id(2), message.id).await.unwrap().as_ref(), Some(&message));
    assert_eq!(notifications::of_user(db, STRANGER(), message.id).await.unwrap(), None);
    assert_eq!(notifications::list_of_user(db, STRANGER(), &Page::first(9)).await.unwrap(), []);
}

async fn pages_go_on_where_the_last_one_ended(db: TestDatabase) {
    let db = &db.connection;
    let (home, _) = built(db).await;
    // Two bookings share each instant, so that the id has to decide.
    for number in 1..=7_u8 {
        let mut one = booking(number, &home, user_id(2), stay("2027-03-01", "2027-03-04"));
        one.created_at += chrono::TimeDelta::seconds((number / 2).into());
        book(db, &one).await;
    }
    let (mut seen, mut after) = (vec![], None);
    loop {
        let page = bookings::list_of_guest(db, user_id(2), None, &Page { limit: 2, after }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(Position { created_at: last.created_at, id: last.id.uuid() });
        seen.extend(page.iter().map(|booking| booking.id.uuid().as_bytes()[15]));
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}

async fn a_damaged_row_is_an_error_that_names_its_table(db: TestDatabase) {
    let (home, _) = built(&db.connection).await;
    let damage = "update property set currency = 'EURO', check_in_time = 'noon'";
    sea_orm::ConnectionTrait::execute_unprepared(&db.connection, damage).await.unwrap();
    let error = properties::published(&db.connection, home.id).await.unwrap_err();
    assert_eq!(error.to_string(), "a row of property cannot be read");
}
