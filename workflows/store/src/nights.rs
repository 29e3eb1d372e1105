//! Taken nights: the one table in which a double booking is impossible, because (unit, night) is its key.
//!
//! Look first with [`taken`], which costs no write; then [`hold`] inserts in ascending order, so that two bookings never wait
//! for each other in a circle, and the key refuses whoever comes second. Where a rule looks at neighbouring nights, first
//! [`lock_calendar`], then look in a statement of its own: a statement sees what was committed when it began, not when its
//! wait for the lock ended.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use domain::{BookingId, Neighbour, PropertyId, Stay, Timestamp, UnitId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::entity::{booking, property_calendar, unit_night};
use crate::error::{Result, Unreadable};
use crate::instant::{Micros, maybe};
use crate::read;
use crate::words::NightKind;

/// Rows in one insert, well under what SQLite binds at once.
const AT_ONCE: usize = 5_000;

/// A night that somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Of which unit.
    pub unit: UnitId,
    /// The date on which it begins.
    pub night: NaiveDate,
    /// By a booking or by the host.
    pub kind: NightKind,
    /// By which booking.
    pub booking: Option<BookingId>,
    /// When the hold ends, unless it is confirmed before.
    pub hold_expires_at: Option<Timestamp>,
}

/// The nights that a booking has, or shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Which booking.
    pub booking: BookingId,
    /// Of these units.
    pub units: Vec<UnitId>,
    /// In these nights.
    pub stay: Stay,
    /// When it ends, unless it is confirmed before; `None` once it is.
    pub hold_expires_at: Option<Timestamp>,
}

impl TryFrom<unit_night::Model> for Taken {
    type Error = Unreadable;

    fn try_from(row: unit_night::Model) -> std::result::Result<Self, Unreadable> {
        Ok(Self {
            unit: UnitId(row.unit_id),
            night: row.night,
            kind: read::word("kind", &row.kind)?,
            booking: row.booking_id.map(BookingId::from_uuid),
            hold_expires_at: maybe(row.hold_expires_at)?,
        })
    }
}

fn read_all(rows: Vec<unit_night::Model>) -> Result<Vec<Taken>> {
    rows.into_iter().map(|row| Taken::try_from(row).map_err(|why| why.of("unit_night"))).collect()
}

fn within(units: &[UnitId], from: NaiveDate, until: NaiveDate) -> Condition {
    Condition::all()
        .add(unit_night::Column::UnitId.is_in(units.iter().map(|unit| unit.0)))
        .add(unit_night::Column::Night.gte(from))
        .add(unit_night::Column::Night.lt(until))
}

/// Which nights of these units are taken, and by whom, in ascending order. `until` is not part of it.
pub async fn taken(
    conn: &impl ConnectionTrait,
    units: &[UnitId],
    from: NaiveDate,
    until: NaiveDate,
) -> Result<Vec<Taken>> {
    let rows = unit_night::Entity::find()
        .filter(within(units, from, until))
        .order_by_asc(unit_night::Column::UnitId)
        .order_by_asc(unit_night::Column::Night);
    read_all(rows.all(conn).await?)
}

/// Which nights of a home are taken, unit by unit: its calendar. `until` is not part of it.
pub async fn of_property(
    conn: &impl ConnectionTrait,
    property: PropertyId,
    from: NaiveDate,
    until: NaiveDate,
) -> Result<Vec<Taken>> {
    let units = crate::properties::units(conn, property).await?;
    taken(conn, &units, from, until).await
}

/// The units of a home that are free in every night of the stay, in ascending order.
pub async fn free_units(conn: &impl ConnectionTrait, property: PropertyId, stay: &Stay) -> Result<Vec<UnitId>> {
    let units = crate::properties::units(conn, property).await?;
    let busy: BTreeSet<UnitId> =
        taken(conn, &units, stay.check_in(), stay.check_out()).await?.iter().map(|taken| taken.unit).collect();
    Ok(units.into_iter().filter(|unit| !busy.contains(unit)).collect())
}

/// Makes everybody else who asks for this home's calendar wait until the transaction ends; false when there is no such home.
///
/// On SQLite a writing transaction is alone anyway.
pub async fn lock_calendar(conn: &impl ConnectionTrait, property: PropertyId) -> std::result::Result<bool, DbErr> {
    let row = property_calendar::Entity::find_by_id(property.uuid()).lock(LockType::Update);
    Ok(row.one(conn).await?.is_some())
}

/// No home asks for more preparation than so many nights; further away than that nothing is a neighbour.
pub const FARTHEST: u16 = 30;

/// What lies around a stay in these units, for the rule about preparation: stays with what they were promised, and blocks.
///
/// Ask after [`lock_calendar`] when the answer decides about a booking.
pub async fn neighbours(
    conn: &impl ConnectionTrait,
    units: &[UnitId],
    stay: &Stay,
) -> Result<BTreeMap<UnitId, Vec<Neighbour>>> {
    let reach = Days::new(FARTHEST.into());
    let around = taken(conn, units, stay.check_in() - reach, stay.check_out() + reach).await?;
    let bookings: BTreeSet<_> = around.iter().filter_map(|taken| taken.booking).collect();
    let promised = promised_preparation(conn, bookings).await?;
    let mut neighbours: BTreeMap<UnitId, Vec<Neighbour>> = BTreeMap::new();
    for Taken { unit, night, booking, .. } in around {
        let preparation_nights = booking.map(|booking| promised.get(&booking).copied().unwrap_or(0));
        let to = night + Days::new(1);
        neighbours.entry(unit).or_default().push(Neighbour { from: night, to, preparation_nights });
    }
    Ok(neighbours)
}

async fn promised_preparation(
    conn: &impl ConnectionTrait,
    bookings: BTreeSet<BookingId>,
) -> Result<BTreeMap<BookingId, u16>> {
    let rows: Vec<(Uuid, i32)> = booking::Entity::find()
        .select_only()
        .columns([booking::Column::Id, booking::Column::PrepNights])
        .filter(booking::Column::Id.is_in(bookings.iter().map(|booking| booking.uuid())))
        .into_tuple()
        .all(conn)
        .await?;
    let read = |(id, nights)| Ok((BookingId::from_uuid(id), read::count("prep_nights", nights)?));
    rows.into_iter().map(|row| read(row).map_err(|why: Unreadable| why.of("booking"))).collect()
}

fn row(hold: &Hold, (unit, night): (UnitId, NaiveDate)) -> unit_night::ActiveModel {
    unit_night::ActiveModel {
        unit_id: Set(unit.0),
        night: Set(night),
        kind: Set(NightKind::Booking.to_string()),
        booking_id: Set(Some(hold.booking.uuid())),
        hold_expires_at: Set(hold.hold_expires_at.map(Micros::from)),
    }
}

/// A night that shall be taken, under its key.
type Wanted = ((UnitId, NaiveDate), unit_night::ActiveModel);

/// Inserts in ascending order. A night that is wanted twice stays in twice, so that the key refuses it.
async fn insert(conn: &impl ConnectionTrait, mut wanted: Vec<Wanted>) -> std::result::Result<(), DbErr> {
    wanted.sort_by_key(|(key, _)| *key);
    let mut ascending = wanted.into_iter().map(|(_, row)| row);
    loop {
        let some: Vec<_> = ascending.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return Ok(());
        }
        unit_night::Entity::insert_many(some).exec_without_returning(conn).await?;
    }
}

/// Takes the nights of these bookings; [`Taken`](crate::Class::Taken) when somebody has one of them.
///
/// On PostgreSQL a refusal ends the transaction.
pub async fn hold(conn: &impl ConnectionTrait, holds: &[Hold]) -> std::result::Result<(), DbErr> {
    let rows = holds.iter().flat_map(|hold| nights_of(hold).map(|key| (key, row(hold, key))));
    insert(conn, rows.collect()).await
}

fn nights_of(hold: &Hold) -> impl Iterator<Item = (UnitId, NaiveDate)> + '_ {
    hold.units.iter().flat_map(|unit| hold.stay.nights().map(|night| (*unit, night)))
}

/// Gives back every night of these bookings, and says how many.
pub async fn free(conn: &impl ConnectionTrait, bookings: &[BookingId]) -> std::result::Result<u64, DbErr> {
    if bookings.is_empty() {
        return Ok(0);
    }
    let these = unit_night::Column::BookingId.is_in(bookings.iter().map(|booking| booking.uuid()));
    Ok(unit_night::Entity::delete_many().filter(these).exec(conn).await?.rows_affected)
}

/// The nights that these bookings have, in ascending order.
pub async fn of_bookings(conn: &impl ConnectionTrait, bookings: &[BookingId]) -> Result<Vec<Taken>> {
    let rows = unit_night::Entity::find()
        .filter(unit_night::Column::BookingId.is_in(bookings.iter().map(|booking| booking.uuid())))
        .order_by_asc(unit_night::Column::UnitId)
        .order_by_asc(unit_night::Column::Night);
    read_all(rows.all(conn).await?)
}

/// Makes each booking have exactly these nights, whatever it had: a projection that may be run again.
///
/// A booking that shall have none has a [`Hold`] without units. [`Taken`](crate::Class::Taken) when another booking or the
/// host has one of them.
pub async fn set(conn: &impl ConnectionTrait, holds: &[Hold]) -> std::result::Result<(), DbErr> {
    if holds.is_empty() {
        return Ok(());
    }
    let bookings: Vec<_> = holds.iter().map(|hold| hold.booking).collect();
    let mut surplus: BTreeMap<_, _> = of_bookings(conn, &bookings)
        .await?
        .into_iter()
        .map(|taken| ((taken.booking, taken.unit, taken.night), taken))
        .collect();
    let (mut missing, mut moved) = (vec![], BTreeMap::new());
    for hold in holds {
        for (unit, night) in nights_of(hold) {
            match surplus.remove(&(Some(hold.booking), unit, night)) {
                None => missing.push(((unit, night), row(hold, (unit, night)))),
                Some(had) if had.hold_expires_at != hold.hold_expires_at => {
                    moved.insert(hold.booking, hold.hold_expires_at);
                }
                Some(_) => {}
            }
        }
    }
    remove(conn, surplus.values()).await?;
    set_hold_ends(conn, moved).await?;
    insert(conn, missing).await
}

async fn remove<'a>(
    conn: &impl ConnectionTrait,
    nights: impl Iterator<Item = &'a Taken>,
) -> std::result::Result<(), DbErr> {
    let mut by_unit: BTreeMap<UnitId, Vec<NaiveDate>> = BTreeMap::new();
    nights.for_each(|taken| by_unit.entry(taken.unit).or_default().push(taken.night));
    if by_unit.is_empty() {
        return Ok(());
    }
    let which = by_unit.into_iter().fold(Condition::any(), |any, (unit, nights)| {
        let of_unit = Condition::all().add(unit_night::Column::UnitId.eq(unit.0));
        any.add(of_unit.add(unit_night::Column::Night.is_in(nights)))
    });
    unit_night::Entity::delete_many().filter(which).exec(conn).await.map(|_| ())
}

async fn set_hold_ends(
    conn: &impl ConnectionTrait,
    ends: BTreeMap<BookingId, Option<Timestamp>>,
) -> std::result::Result<(), DbErr> {
    let mut by_end: BTreeMap<Option<Timestamp>, Vec<BookingId>> = BTreeMap::new();
    ends.into_iter().for_each(|(booking, end)| by_end.entry(end).or_default().push(booking));
    for (end, bookings) in by_end {
        unit_night::Entity::update_many()
            .col_expr(unit_night::Column::HoldExpiresAt, Expr::value(end.map(Micros::from)))
            .filter(unit_night::Column::BookingId.is_in(bookings.iter().map(|booking| booking.uuid())))
            .exec(conn)
            .await?;
    }
    Ok(())
}

/// Keeps nights of a home off the market, as the host's block; [`Taken`](crate::Class::Taken) when one of them is taken.
pub async fn block(conn: &impl ConnectionTrait, units: &[UnitId], nights: &Stay) -> std::result::Result<(), DbErr> {
    let each = units.iter().flat_map(|unit| nights.nights().map(|night| (*unit, night)));
    let rows = each.map(|(unit, night)| {
        let row = unit_night::ActiveModel {
            unit_id: Set(unit.0),
            night: Set(night),
            kind: Set(NightKind::Block.to_string()),
            booking_id: Set(None),
            hold_expires_at: Set(None),
        };
        ((unit, night), row)
    });
    insert(conn, rows.collect()).await
}

/// Puts blocked nights back on the market and says how many; bookings are not touched.
pub async fn unblock(conn: &impl ConnectionTrait, units: &[UnitId], nights: &Stay) -> std::result::Result<u64, DbErr> {
    let blocks = within(units, nights.check_in(), nights.check_out())
        .add(unit_night::Column::Kind.eq(NightKind::Block.as_str()));
    Ok(unit_night::Entity::delete_many().filter(blocks).exec(conn).await?.rows_affected)
}
