//! No night twice: by the stays of the bookings, and by the table of nights, each without believing the other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use chrono::NaiveDate;
use domain::{BookingId, Stay};
use uuid::Uuid;

use super::{Found, Scene};
use crate::killed::witness::Witness;

type Night = (i64, NaiveDate);

pub(crate) async fn once(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let wanted = wanted(scene.witness).await?;
    let held = held(scene.witness).await?;
    let mut owners: BTreeMap<Night, BookingId> = BTreeMap::new();
    for (booking, nights) in &wanted {
        for night in nights {
            if let Some(other) = owners.insert(*night, *booking) {
                found.add(format!("{booking} and {other} both sleep in unit {} on {}", night.0, night.1));
            }
        }
        let has = held.get(booking).cloned().unwrap_or_default();
        found.expect(has == *nights, || format!("{booking} holds {has:?} and not {nights:?}"));
    }
    for booking in held.keys().filter(|booking| !wanted.contains_key(booking)) {
        found.add(format!("{booking} came to nothing and still holds nights"));
    }
    Ok(())
}

/// The nights of every booking that did not come to nothing.
async fn wanted(witness: &Witness) -> Result<BTreeMap<BookingId, BTreeSet<Night>>> {
    let sql =
        "select b.id, b.check_in, b.check_out, u.unit_id from booking b join booking_unit u on u.booking_id = b.id
        where b.status <> 'canceled'";
    let mut wanted: BTreeMap<BookingId, BTreeSet<Night>> = BTreeMap::new();
    for row in witness.rows(sql).await? {
        let (id, unit) = (BookingId::from_uuid(row.try_get_by_index::<Uuid>(0)?), row.try_get_by_index::<i64>(3)?);
        let stay = Stay::parse(row.try_get_by_index(1)?, row.try_get_by_index(2)?)?;
        wanted.entry(id).or_default().extend(stay.nights().map(|night| (unit, night)));
    }
    Ok(wanted)
}

/// What the table of nights says.
async fn held(witness: &Witness) -> Result<BTreeMap<BookingId, BTreeSet<Night>>> {
    let mut held: BTreeMap<BookingId, BTreeSet<Night>> = BTreeMap::new();
    for row in witness.rows("select booking_id, unit_id, night from unit_night where booking_id is not null").await? {
        let id = BookingId::from_uuid(row.try_get_by_index::<Uuid>(0)?);
        held.entry(id).or_default().insert((row.try_get_by_index(1)?, row.try_get_by_index(2)?));
    }
    Ok(held)
}
