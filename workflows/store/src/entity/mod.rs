//! The tables as sea-orm sees them, one module each. A test compares them with the migrated schema of both databases.

pub mod booking;
pub mod booking_unit;
pub mod email_verification;
pub mod idempotency_key;
pub mod ledger_leg;
pub mod ledger_transaction;
pub mod notification;
pub mod payment;
pub mod payment_reference;
pub mod payout;
pub mod property;
pub mod property_calendar;
pub mod property_image;
pub mod quote;
pub mod session;
pub mod signing_key;
pub mod unit;
pub mod unit_night;
pub mod user_account;
pub mod webhook_inbox;

use sea_orm::{ColumnTrait, ColumnType, EntityTrait, Iterable, PrimaryKeyToColumn, sea_query::Iden};

/// A table as this build expects it.
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of the entity.
    pub columns: Vec<Column>,
    /// The columns of its primary key.
    pub key: Vec<String>,
}

/// A column as this build expects it.
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: ColumnType,
    /// Whether it may be empty.
    pub optional: bool,
}

/// Every table of this crate.
pub fn tables() -> Vec<Table> {
    vec![
        table::<user_account::Entity>(user_account::Entity),
        table::<email_verification::Entity>(email_verification::Entity),
        table::<session::Entity>(session::Entity),
        table::<signing_key::Entity>(signing_key::Entity),
        table::<property::Entity>(property::Entity),
        table::<unit::Entity>(unit::Entity),
        table::<property_calendar::Entity>(property_calendar::Entity),
        table::<unit_night::Entity>(unit_night::Entity),
        table::<property_image::Entity>(property_image::Entity),
        table::<quote::Entity>(quote::Entity),
        table::<booking::Entity>(booking::Entity),
        table::<booking_unit::Entity>(booking_unit::Entity),
        table::<payment::Entity>(payment::Entity),
        table::<payment_reference::Entity>(payment_reference::Entity),
        table::<payout::Entity>(payout::Entity),
        table::<ledger_transaction::Entity>(ledger_transaction::Entity),
        table::<ledger_leg::Entity>(ledger_leg::Entity),
        table::<notification::Entity>(notification::Entity),
        table::<idempotency_key::Entity>(idempotency_key::Entity),
        table::<webhook_inbox::Entity>(webhook_inbox::Entity),
    ]
}

fn table<E: EntityTrait>(entity: E) -> Table {
    let columns = E::Column::iter().map(|column| {
        let definition = column.def();
        Column { name: column.to_string(), holds: definition.get_column_type().clone(), optional: definition.is_null() }
    });
    Table {
        name: entity.table_name(),
        columns: columns.collect(),
        key: E::PrimaryKey::iter().map(|key| key.into_column().to_string()).collect(),
    }
}
