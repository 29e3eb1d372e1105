//! What hosts are paid, as they read it: at most one payout for a host, currency and date.

use chrono::NaiveDate;
use domain::{Money, PayoutId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use crate::entity::payout::{ActiveModel, Column, Entity, Model};
use crate::error::{Result, Unreadable};
use crate::page::Page;
use crate::read;
use crate::words::PayoutStatus;

/// A payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// Which payout; also the id of its run.
    pub id: PayoutId,
    /// Who is paid.
    pub host: UserId,
    /// For which date.
    pub date: NaiveDate,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub status: PayoutStatus,
    /// Why it failed: a stable word.
    pub reason: Option<String>,
    /// What the provider calls the transfer.
    pub transfer: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// The run's last turn.
    pub updated_at: Timestamp,
}

impl TryFrom<Model> for Payout {
    type Error = Unreadable;

    fn try_from(row: Model) -> std::result::Result<Self, Unreadable> {
        Ok(Self {
            id: PayoutId::from_uuid(row.id),
            host: UserId::from_uuid(row.host_id),
            date: row.date,
            amount: read::money(row.amount_minor, &row.currency)?,
            status: read::word("status", &row.status)?,
            reason: row.reason,
            transfer: row.transfer,
            created_at: row.created_at.try_into()?,
            updated_at: row.updated_at.try_into()?,
        })
    }
}

impl From<&Payout> for ActiveModel {
    fn from(payout: &Payout) -> Self {
        let Payout { id, host, date, amount, status, reason, transfer, created_at, updated_at } = payout.clone();
        Self {
            id: Set(id.uuid()),
            host_id: Set(host.uuid()),
            currency: Set(amount.currency.to_string()),
            date: Set(date),
            amount_minor: Set(amount.minor),
            status: Set(status.to_string()),
            reason: Set(reason),
            transfer: Set(transfer),
            created_at: Set(created_at.into()),
            updated_at: Set(updated_at.into()),
        }
    }
}

/// Writes what a run's state says about its payout, for many runs at once.
pub async fn put(conn: &impl ConnectionTrait, payouts: &[Payout]) -> std::result::Result<(), DbErr> {
    let of_the_run = [Column::AmountMinor, Column::Status, Column::Reason, Column::Transfer, Column::UpdatedAt];
    let upsert = OnConflict::column(Column::Id).update_columns(of_the_run).to_owned();
    let rows = Entity::insert_many(payouts.iter().map(ActiveModel::from)).on_conflict(upsert);
    rows.exec_without_returning(conn).await.map(|_| ())
}

fn read_payout(row: Model) -> Result<Payout> {
    Payout::try_from(row).map_err(|why| why.of("payout"))
}

/// One of a host's payouts.
pub async fn of_host(conn: &impl ConnectionTrait, host: UserId, id: PayoutId) -> Result<Option<Payout>> {
    let own = Entity::find_by_id(id.uuid()).filter(Column::HostId.eq(host.uuid()));
    own.one(conn).await?.map(read_payout).transpose()
}

/// A host's payouts, newest first.
pub async fn list_of_host(conn: &impl ConnectionTrait, host: UserId, page: &Page) -> Result<Vec<Payout>> {
    let own = Entity::find().filter(Column::HostId.eq(host.uuid()));
    page.of(own, Column::CreatedAt, Column::Id).all(conn).await?.into_iter().map(read_payout).collect()
}

/// A payout whoever asks: for operators and for the product's own work.
pub async fn of_anybody(conn: &impl ConnectionTrait, id: PayoutId) -> Result<Option<Payout>> {
    Entity::find_by_id(id.uuid()).one(conn).await?.map(read_payout).transpose()
}
