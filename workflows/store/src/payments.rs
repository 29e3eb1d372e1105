//! What guests pay, as people read it, and which payment a gateway's reference means.

use domain::{BookingId, Money, PaymentId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};

use crate::entity::payment::{ActiveModel, Column, Entity, Model};
use crate::entity::payment_reference;
use crate::error::{Result, Unreadable};
use crate::instant::{Micros, maybe};
use crate::page::Page;
use crate::read;
use crate::words::PaymentStatus;

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Which payment; also the id of its run.
    pub id: PaymentId,
    /// For which booking.
    pub booking: BookingId,
    /// Who pays.
    pub guest: UserId,
    /// Where it stands.
    pub status: PaymentStatus,
    /// What is to be paid.
    pub amount: Money,
    /// What was taken, in minor units of the same currency.
    pub captured_minor: i64,
    /// What went back, in minor units of the same currency.
    pub refunded_minor: i64,
    /// Through whom.
    pub provider: String,
    /// What the provider calls it.
    pub intent: Option<String>,
    /// Where the guest confirms with the bank.
    pub action_url: Option<String>,
    /// Why the card said no: a stable word.
    pub decline_code: Option<String>,
    /// Until when the held money can be taken.
    pub capture_before: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
    /// The run's last turn.
    pub updated_at: Timestamp,
}

impl TryFrom<Model> for Payment {
    type Error = Unreadable;

    fn try_from(row: Model) -> std::result::Result<Self, Unreadable> {
        Ok(Self {
            id: PaymentId::from_uuid(row.id),
            booking: BookingId::from_uuid(row.booking_id),
            guest: UserId::from_uuid(row.guest_id),
            status: read::word("status", &row.status)?,
            amount: read::money(row.amount_minor, &row.currency)?,
            captured_minor: row.captured_minor,
            refunded_minor: row.refunded_minor,
            provider: row.provider,
            intent: row.intent,
            action_url: row.action_url,
            decline_code: row.decline_code,
            capture_before: maybe(row.capture_before)?,
            created_at: row.created_at.try_into()?,
            updated_at: row.updated_at.try_into()?,
        })
    }
}

impl From<&Payment> for ActiveModel {
    fn from(payment: &Payment) -> Self {
        let Payment { id, booking, guest, status, amount, captured_minor, refunded_minor, .. } = *payment;
        let Payment { provider, intent, action_url, decline_code, .. } = payment.clone();
        let Payment { capture_before, created_at, updated_at, .. } = *payment;
        Self {
            id: Set(id.uuid()),
            booking_id: Set(booking.uuid()),
            guest_id: Set(guest.uuid()),
            status: Set(status.to_string()),
            currency: Set(amount.currency.to_string()),
            amount_minor: Set(amount.minor),
            captured_minor: Set(captured_minor),
            refunded_minor: Set(refunded_minor),
            provider: Set(provider),
            intent: Set(intent),
            action_url: Set(action_url),
            decline_code: Set(decline_code),
            capture_before: Set(capture_before.map(Micros::from)),
            created_at: Set(created_at.into()),
            updated_at: Set(updated_at.into()),
        }
    }
}

/// Writes what a run's state says about its payment, for many runs at once.
pub async fn put(conn: &impl ConnectionTrait, payments: &[Payment]) -> std::result::Result<(), DbErr> {
    let of_the_run = [
        Column::Status,
        Column::AmountMinor,
        Column::CapturedMinor,
        Column::RefundedMinor,
        Column::Intent,
        Column::ActionUrl,
        Column::DeclineCode,
        Column::CaptureBefore,
        Column::UpdatedAt,
    ];
    let upsert = OnConflict::column(Column::Id).update_columns(of_the_run).to_owned();
    let rows = Entity::insert_many(payments.iter().map(ActiveModel::from)).on_conflict(upsert);
    rows.exec_without_returning(conn).await.map(|_| ())
}

/// What a provider calls something of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Which provider.
    pub provider: String,
    /// The provider's word for it.
    pub reference: String,
    /// Which payment it belongs to.
    pub payment: PaymentId,
}

/// Remembers references; one that is known already keeps its payment.
pub async fn put_references(conn: &impl ConnectionTrait, references: &[Reference]) -> std::result::Result<(), DbErr> {
    let rows =
        references.iter().cloned().map(|Reference { provider, reference, payment }| payment_reference::ActiveModel {
            provider: Set(provider),
            reference: Set(reference),
            payment_id: Set(payment.uuid()),
        });
    let missing = payment_reference::Entity::insert_many(rows).on_conflict_do_nothing();
    missing.exec_without_returning(conn).await.map(|_| ())
}

/// Which payment a provider means by this reference.
pub async fn by_reference(
    conn: &impl ConnectionTrait,
    provider: &str,
    reference: &str,
) -> std::result::Result<Option<PaymentId>, DbErr> {
    let key = (provider.to_owned(), reference.to_owned());
    let known = payment_reference::Entity::find_by_id(key).one(conn).await?;
    Ok(known.map(|known| PaymentId::from_uuid(known.payment_id)))
}

fn read_payment(row: Model) -> Result<Payment> {
    Payment::try_from(row).map_err(|why| why.of("payment"))
}

/// One of a guest's payments.
pub async fn of_guest(conn: &impl ConnectionTrait, guest: UserId, id: PaymentId) -> Result<Option<Payment>> {
    let own = Entity::find_by_id(id.uuid()).filter(Column::GuestId.eq(guest.uuid()));
    own.one(conn).await?.map(read_payment).transpose()
}

/// A guest's payments, newest first.
pub async fn list_of_guest(conn: &impl ConnectionTrait, guest: UserId, page: &Page) -> Result<Vec<Payment>> {
    let own = Entity::find().filter(Column::GuestId.eq(guest.uuid()));
    page.of(own, Column::CreatedAt, Column::Id).all(conn).await?.into_iter().map(read_payment).collect()
}

/// The payments of one of a guest's bookings, oldest first.
pub async fn of_booking(conn: &impl ConnectionTrait, guest: UserId, booking: BookingId) -> Result<Vec<Payment>> {
    let own = Entity::find().filter(Column::GuestId.eq(guest.uuid())).filter(Column::BookingId.eq(booking.uuid()));
    own.order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(conn)
        .await?
        .into_iter()
        .map(read_payment)
        .collect()
}

/// A payment whoever asks: for operators and for the product's own work.
pub async fn of_anybody(conn: &impl ConnectionTrait, id: PaymentId) -> Result<Option<Payment>> {
    Entity::find_by_id(id.uuid()).one(conn).await?.map(read_payment).transpose()
}
