//! Promised prices: what a booking is made on, kept word for word.

use domain::{Guests, Money, PropertyId, QuoteId, Stay, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};

use crate::entity::quote::{ActiveModel, Column, Entity, Model};
use crate::error::{Result, Unreadable};
use crate::read;

/// A promised price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Which promise.
    pub id: QuoteId,
    /// To whom.
    pub guest: UserId,
    /// For which home.
    pub property: PropertyId,
    /// For which nights.
    pub stay: Stay,
    /// For how many.
    pub guests: Guests,
    /// What the guest would pay.
    pub total: Money,
    /// The whole promise as it was written, in JSON.
    pub body: String,
    /// The fingerprint of the promise.
    pub hash: String,
    /// Until when it stands.
    pub expires_at: Timestamp,
    /// Since when.
    pub created_at: Timestamp,
}

impl TryFrom<Model> for Quote {
    type Error = Unreadable;

    fn try_from(row: Model) -> std::result::Result<Self, Unreadable> {
        Ok(Self {
            id: QuoteId::from_uuid(row.id),
            guest: UserId::from_uuid(row.guest_id),
            property: PropertyId::from_uuid(row.property_id),
            stay: read::stay(row.check_in, row.check_out)?,
            guests: read::guests(&row.guests)?,
            total: read::money(row.total_minor, &row.currency)?,
            body: row.body,
            hash: row.hash,
            expires_at: row.expires_at.try_into()?,
            created_at: row.created_at.try_into()?,
        })
    }
}

/// Keeps a promise.
pub async fn create(conn: &impl ConnectionTrait, quote: &Quote) -> std::result::Result<(), DbErr> {
    let Quote { id, guest, property, stay, guests, total, body, hash, expires_at, created_at } = quote.clone();
    let row = ActiveModel {
        id: Set(id.uuid()),
        guest_id: Set(guest.uuid()),
        property_id: Set(property.uuid()),
        check_in: Set(stay.check_in()),
        check_out: Set(stay.check_out()),
        guests: Set(read::to_json(&guests)),
        currency: Set(total.currency.to_string()),
        total_minor: Set(total.minor),
        body: Set(body),
        hash: Set(hash),
        expires_at: Set(expires_at.into()),
        created_at: Set(created_at.into()),
    };
    Entity::insert(row).exec_without_returning(conn).await.map(|_| ())
}

fn read_quote(row: Model) -> Result<Quote> {
    Quote::try_from(row).map_err(|why| why.of("quote"))
}

/// One of the promises made to a guest, whether it still stands or not.
pub async fn of_guest(conn: &impl ConnectionTrait, guest: UserId, id: QuoteId) -> Result<Option<Quote>> {
    let own = Entity::find_by_id(id.uuid()).filter(Column::GuestId.eq(guest.uuid()));
    own.one(conn).await?.map(read_quote).transpose()
}

/// The latest promise of exactly this price to a guest, for the same nights of the same home.
pub async fn latest_of_guest(
    conn: &impl ConnectionTrait,
    guest: UserId,
    (property, stay): (PropertyId, Stay),
    total: Money,
) -> Result<Option<Quote>> {
    let own = Entity::find().filter(Column::GuestId.eq(guest.uuid())).filter(Column::PropertyId.eq(property.uuid()));
    let of_stay = own.filter(Column::CheckIn.eq(stay.check_in())).filter(Column::CheckOut.eq(stay.check_out()));
    let of_price =
        of_stay.filter(Column::TotalMinor.eq(total.minor)).filter(Column::Currency.eq(total.currency.to_string()));
    let latest = of_price.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id);
    latest.one(conn).await?.map(read_quote).transpose()
}

/// A promise whoever asks: a booking that rests on it was read owner-first.
pub async fn of_anybody(conn: &impl ConnectionTrait, id: QuoteId) -> Result<Option<Quote>> {
    Entity::find_by_id(id.uuid()).one(conn).await?.map(read_quote).transpose()
}
