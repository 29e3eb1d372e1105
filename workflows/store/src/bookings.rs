//! Bookings as people read them: rows that their runs keep in line with their states.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    BookingId, BookingStatus, Guests, Money, PaymentId, Phase, PropertyId, QuoteId, Stay, Timestamp, UnitId, UserId,
};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::entity::booking::{ActiveModel, Column, Entity, Model};
use crate::entity::booking_unit;
use crate::error::{Result, Unreadable};
use crate::instant::{Micros, maybe};
use crate::page::Page;
use crate::read;

/// A booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Which booking; also the id of its run.
    pub id: BookingId,
    /// Of which home.
    pub property: PropertyId,
    /// Who comes.
    pub guest: UserId,
    /// Who receives them.
    pub host: UserId,
    /// Which nights.
    pub stay: Stay,
    /// How many come.
    pub guests: Guests,
    /// The home's preparation nights when it was booked.
    pub prep_nights: u16,
    /// Where it stands, in more precise words than the status, which follows from it.
    pub phase: Phase,
    /// Why it ended as it did: a stable word.
    pub reason: Option<String>,
    /// What the guest pays.
    pub total: Money,
    /// What the guest gets back.
    pub refunded: Money,
    /// How it is paid.
    pub payment: Option<PaymentId>,
    /// On which promise it rests.
    pub quote: QuoteId,
    /// Until when the nights are held for the payment.
    pub hold_expires_at: Option<Timestamp>,
    /// Until when the host may answer.
    pub host_deadline: Option<Timestamp>,
    /// What the guest's own system calls it. Not of the run: see [`annotate`].
    pub client_reference: Option<String>,
    /// What the guest wrote to the host. Not of the run: see [`annotate`].
    pub message: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// The run's last turn.
    pub updated_at: Timestamp,
    /// The number of that turn.
    pub seq: i32,
}

impl Booking {
    /// The public word for where it stands.
    pub const fn status(&self) -> BookingStatus {
        self.phase.status()
    }
}

impl TryFrom<Model> for Booking {
    type Error = Unreadable;

    fn try_from(row: Model) -> std::result::Result<Self, Unreadable> {
        Ok(Self {
            id: BookingId::from_uuid(row.id),
            property: PropertyId::from_uuid(row.property_id),
            guest: UserId::from_uuid(row.guest_id),
            host: UserId::from_uuid(row.host_id),
            stay: read::stay(row.check_in, row.check_out)?,
            guests: read::guests(&row.guests)?,
            prep_nights: read::count("prep_nights", row.prep_nights)?,
            phase: read::word("phase", &row.phase)?,
            reason: row.reason,
            total: read::money(row.total_minor, &row.currency)?,
            refunded: read::money(row.refunded_minor, &row.currency)?,
            payment: row.payment_id.map(PaymentId::from_uuid),
            quote: QuoteId::from_uuid(row.quote_id),
            hold_expires_at: maybe(row.hold_expires_at)?,
            host_deadline: maybe(row.host_deadline)?,
            client_reference: row.client_reference,
            message: row.message,
            created_at: row.created_at.try_into()?,
            updated_at: row.updated_at.try_into()?,
            seq: row.seq,
        })
    }
}

impl From<&Booking> for ActiveModel {
    fn from(booking: &Booking) -> Self {
        let status = booking.status();
        let Booking { id, property, guest, host, stay, guests, prep_nights, phase, reason, total, refunded, .. } =
            booking.clone();
        let Booking { payment, quote, hold_expires_at, host_deadline, client_reference, message, .. } = booking.clone();
        let Booking { created_at, updated_at, seq, .. } = *booking;
        Self {
            id: Set(id.uuid()),
            property_id: Set(property.uuid()),
            guest_id: Set(guest.uuid()),
            host_id: Set(host.uuid()),
            check_in: Set(stay.check_in()),
            check_out: Set(stay.check_out()),
            guests: Set(read::to_json(&guests)),
            prep_nights: Set(prep_nights.into()),
            status: Set(status.to_string()),
            phase: Set(phase.to_string()),
            reason: Set(reason),
            currency: Set(total.currency.to_string()),
            total_minor: Set(total.minor),
            refunded_minor: Set(refunded.minor),
            payment_id: Set(payment.map(PaymentId::uuid)),
            quote_id: Set(quote.uuid()),
            hold_expires_at: Set(hold_expires_at.map(Micros::from)),
            host_deadline: Set(host_deadline.map(Micros::from)),
            client_reference: Set(client_reference),
            message: Set(message),
            created_at: Set(created_at.into()),
            updated_at: Set(updated_at.into()),
            seq: Set(seq),
        }
    }
}

/// Writes what a run's state says about its booking, for many runs at once. A row that exists keeps what is not of the run:
/// its reference, its message and when it was made.
pub async fn put(conn: &impl ConnectionTrait, bookings: &[Booking]) -> std::result::Result<(), DbErr> {
    let of_the_run = [
        Column::Status,
        Column::Phase,
        Column::Reason,
        Column::TotalMinor,
        Column::RefundedMinor,
        Column::PaymentId,
        Column::HoldExpiresAt,
        Column::HostDeadline,
        Column::UpdatedAt,
        Column::Seq,
    ];
    let upsert = OnConflict::column(Column::Id).update_columns(of_the_run).to_owned();
    let rows = Entity::insert_many(bookings.iter().map(ActiveModel::from)).on_conflict(upsert);
    rows.exec_without_returning(conn).await.map(|_| ())
}

/// Notes which units these bookings take; said again, nothing changes.
pub async fn put_units(conn: &impl ConnectionTrait, units: &[(BookingId, UnitId)]) -> std::result::Result<(), DbErr> {
    let rows = units
        .iter()
        .map(|(booking, unit)| booking_unit::ActiveModel { booking_id: Set(booking.uuid()), unit_id: Set(unit.0) });
    let missing = booking_unit::Entity::insert_many(rows).on_conflict_do_nothing();
    missing.exec_without_returning(conn).await.map(|_| ())
}

/// Which units these bookings take, in ascending order.
pub async fn units(
    conn: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> std::result::Result<BTreeMap<BookingId, Vec<UnitId>>, DbErr> {
    let rows = booking_unit::Entity::find()
        .filter(booking_unit::Column::BookingId.is_in(bookings.iter().map(|booking| booking.uuid())))
        .order_by_asc(booking_unit::Column::UnitId);
    let mut units: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows.all(conn).await? {
        units.entry(BookingId::from_uuid(row.booking_id)).or_default().push(UnitId(row.unit_id));
    }
    Ok(units)
}

/// What a guest adds to a booking in their own words, which the run never learns.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// What the guest's own system calls it.
    pub client_reference: Option<String>,
    /// What the guest writes to the host.
    pub message: Option<String>,
}

/// Adds a guest's own words to the booking; [`Taken`](crate::Class::Taken) when the guest has used the reference before.
pub async fn annotate(
    conn: &impl ConnectionTrait,
    guest: UserId,
    id: BookingId,
    note: Note,
) -> std::result::Result<bool, DbErr> {
    let Note { client_reference, message } = note;
    let changes = ActiveModel { client_reference: Set(client_reference), message: Set(message), ..Default::default() };
    let own = Condition::all().add(Column::Id.eq(id.uuid())).add(Column::GuestId.eq(guest.uuid()));
    Ok(Entity::update_many().set(changes).filter(own).exec(conn).await?.rows_affected == 1)
}

fn read_booking(row: Model) -> Result<Booking> {
    Booking::try_from(row).map_err(|why| why.of("booking"))
}

async fn one(conn: &impl ConnectionTrait, rows: Select<Entity>) -> Result<Option<Booking>> {
    rows.one(conn).await?.map(read_booking).transpose()
}

async fn page_of(conn: &impl ConnectionTrait, rows: Select<Entity>, page: &Page) -> Result<Vec<Booking>> {
    page.of(rows, Column::CreatedAt, Column::Id).all(conn).await?.into_iter().map(read_booking).collect()
}

/// One of a guest's bookings.
pub async fn of_guest(conn: &impl ConnectionTrait, guest: UserId, id: BookingId) -> Result<Option<Booking>> {
    one(conn, Entity::find_by_id(id.uuid()).filter(Column::GuestId.eq(guest.uuid()))).await
}

/// Those of these bookings that are the guest's own.
pub async fn of_guest_among(
    conn: &impl ConnectionTrait,
    guest: UserId,
    ids: &BTreeSet<BookingId>,
) -> std::result::Result<BTreeSet<BookingId>, DbErr> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let own = Entity::find().filter(Column::GuestId.eq(guest.uuid()));
    let among = own.filter(Column::Id.is_in(ids.iter().map(|id| id.uuid()))).select_only().column(Column::Id);
    let found: Vec<uuid::Uuid> = among.into_tuple().all(conn).await?;
    Ok(found.into_iter().map(BookingId::from_uuid).collect())
}

/// One of the bookings of a host's homes.
pub async fn of_host(conn: &impl ConnectionTrait, host: UserId, id: BookingId) -> Result<Option<Booking>> {
    one(conn, Entity::find_by_id(id.uuid()).filter(Column::HostId.eq(host.uuid()))).await
}

/// One of the bookings that a person takes part in, as guest or as host.
pub async fn of_party(conn: &impl ConnectionTrait, person: UserId, id: BookingId) -> Result<Option<Booking>> {
    let takes_part = Condition::any().add(Column::GuestId.eq(person.uuid())).add(Column::HostId.eq(person.uuid()));
    one(conn, Entity::find_by_id(id.uuid()).filter(takes_part)).await
}

/// A booking whoever asks: for operators and for the product's own work.
pub async fn of_anybody(conn: &impl ConnectionTrait, id: BookingId) -> Result<Option<Booking>> {
    one(conn, Entity::find_by_id(id.uuid())).await
}

/// The booking that a guest's own system calls so.
pub async fn by_client_reference(
    conn: &impl ConnectionTrait,
    guest: UserId,
    reference: &str,
) -> Result<Option<Booking>> {
    let own = Entity::find().filter(Column::GuestId.eq(guest.uuid()));
    one(conn, own.filter(Column::ClientReference.eq(reference))).await
}

fn in_status(rows: Select<Entity>, status: Option<BookingStatus>) -> Select<Entity> {
    match status {
        Some(status) => rows.filter(Column::Status.eq(status.as_str())),
        None => rows,
    }
}

/// A guest's bookings, newest first, perhaps of one status only.
pub async fn list_of_guest(
    conn: &impl ConnectionTrait,
    guest: UserId,
    status: Option<BookingStatus>,
    page: &Page,
) -> Result<Vec<Booking>> {
    let own = Entity::find().filter(Column::GuestId.eq(guest.uuid()));
    page_of(conn, in_status(own, status), page).await
}

/// The bookings of a host's homes, newest first, perhaps of one status only.
pub async fn list_of_host(
    conn: &impl ConnectionTrait,
    host: UserId,
    status: Option<BookingStatus>,
    page: &Page,
) -> Result<Vec<Booking>> {
    let own = Entity::find().filter(Column::HostId.eq(host.uuid()));
    page_of(conn, in_status(own, status), page).await
}

/// The bookings that a person takes part in on either side, newest first.
pub async fn list_of_party(
    conn: &impl ConnectionTrait,
    person: UserId,
    status: Option<BookingStatus>,
    page: &Page,
) -> Result<Vec<Booking>> {
    let takes_part = Condition::any().add(Column::GuestId.eq(person.uuid())).add(Column::HostId.eq(person.uuid()));
    page_of(conn, in_status(Entity::find().filter(takes_part), status), page).await
}
