//! What clients were told is so: every acknowledged booking exists, once, with its run, and ends where it may.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use domain::{BookingId, PropertyId, Stay};
use uuid::Uuid;

use super::{Found, Scene};
use crate::killed::record::Done;
use crate::killed::witness::Witness;

/// Where a booking may end.
const ENDINGS: [&str; 7] =
    ["completed", "expired", "declined", "canceled_by_guest", "canceled_by_host", "canceled_by_system", "no_show"];

pub(crate) async fn kept(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let rows = rows(scene.witness).await?;
    for (id, made) in &scene.heard.bookings {
        match rows.get(id) {
            Some(row) => found.expect((row.home, row.stay) == (made.home, made.stay), || {
                format!("{id} is about another home or other nights than its guest was told")
            }),
            None => found.add(format!("{id} ({}) was acknowledged and is not there", made.key)),
        }
    }
    for id in rows.keys().filter(|id| !scene.heard.bookings.contains_key(id)) {
        found.add(format!("{id} is there and nobody asked for it"));
    }
    scene.heard.contradictions.iter().for_each(|contradiction| found.add(contradiction));
    Ok(())
}

pub(crate) async fn unforged(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    scene.heard.believed.iter().for_each(|forgery| found.add(forgery));
    Ok(())
}

pub(crate) async fn ended(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let rows = rows(scene.witness).await?;
    for (id, Row { phase, .. }) in &rows {
        found.expect(ENDINGS.contains(&phase.as_str()), || format!("{id} ended as {phase}"));
    }
    for (id, done) in &scene.heard.done {
        let phase = rows.get(id).map_or("nothing", |row| row.phase.as_str());
        found.expect(follows(*done, phase), || format!("{id} was {done:?} and ended as {phase}"));
    }
    unfinished(scene.witness, found).await
}

/// No run without the row that people read, and no row without the run that moves it: both have one id.
pub(crate) async fn paired(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    for name in ["booking", "payment", "payout"] {
        let ids = async |sql: String| {
            let rows = scene.witness.rows(&sql).await?;
            rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect::<Result<BTreeSet<Uuid>>>()
        };
        let runs = ids(format!("select id from workflow_run where workflow = '{name}'")).await?;
        let rows = ids(format!("select id from {name}")).await?;
        for run in runs.difference(&rows) {
            found.add(format!("the {name} {run} runs and has no row"));
        }
        for row in rows.difference(&runs) {
            found.add(format!("the {name} {row} has a row and no run"));
        }
    }
    Ok(())
}

/// A booking as its row tells it.
struct Row {
    home: PropertyId,
    stay: Stay,
    phase: String,
}

async fn rows(witness: &Witness) -> Result<BTreeMap<BookingId, Row>> {
    let rows = witness.rows("select id, property_id, check_in, check_out, phase from booking").await?;
    let read = |row: &sea_orm::QueryResult| {
        let stay = Stay::parse(row.try_get_by_index(2)?, row.try_get_by_index(3)?)?;
        let home = PropertyId::from_uuid(row.try_get_by_index::<Uuid>(1)?);
        let id = BookingId::from_uuid(row.try_get_by_index::<Uuid>(0)?);
        Ok((id, Row { home, stay, phase: row.try_get_by_index(4)? }))
    };
    rows.iter().map(read).collect()
}

/// Whether a booking may end so after this was acknowledged.
fn follows(done: Done, phase: &str) -> bool {
    match done {
        Done::Declined => phase == "declined",
        Done::CanceledByGuest => phase == "canceled_by_guest",
        Done::CanceledByHost => phase == "canceled_by_host",
        Done::Accepted => ["completed", "canceled_by_guest", "canceled_by_host", "canceled_by_system"].contains(&phase),
    }
}

/// Every run has come to its end, whatever it is about; a payment's end is that nothing moves any more.
async fn unfinished(witness: &Witness, found: &mut Found) -> Result<()> {
    let sql = "select workflow, key, state_name from workflow_run where cast(status as integer) = 0 and workflow <> 'payment'";
    for row in witness.rows(sql).await? {
        let [workflow, key, state] = [0, 1, 2].map(|n| row.try_get_by_index::<String>(n).unwrap_or_default());
        found.add(format!("the {workflow} {key} is still {state}"));
    }
    let moving = "select key, state_name from workflow_run where workflow = 'payment'
        and state_name not in ('Captured', 'Voided', 'Declined')";
    for row in witness.rows(moving).await? {
        let [key, state] = [0, 1].map(|n| row.try_get_by_index::<String>(n).unwrap_or_default());
        found.add(format!("the payment {key} is still {state}"));
    }
    Ok(())
}
