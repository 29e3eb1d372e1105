//! What clients were told is so: every acknowledged booking exists, once, where it may end; every photograph is there.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::{BookingId, ImageId, PropertyId, Stay};
use uuid::Uuid;

use super::{Findings, Wrong};
use crate::killed::record::{Done, Heard};
use crate::killed::witness::Witness;

/// Where a booking may end.
const ENDINGS: [&str; 7] =
    ["completed", "expired", "declined", "canceled_by_guest", "canceled_by_host", "canceled_by_system", "no_show"];

pub(crate) async fn kept(witness: &Witness, heard: &Heard, findings: &mut Findings) -> Result<()> {
    let rows = rows(witness).await?;
    let phases: BTreeMap<BookingId, String> = rows.iter().map(|(id, row)| (*id, row.phase.clone())).collect();
    for (id, made) in &heard.bookings {
        let same = rows.get(id).is_none_or(|row| (row.home, row.stay) == (made.home, made.stay));
        findings.expect(same, Wrong::Promise, || {
            format!("{id} is about another home or other nights than its guest was told")
        });
        findings.expect(phases.contains_key(id), Wrong::Promise, || {
            format!("{id} ({}) was acknowledged and is not there", made.key)
        });
    }
    for (id, phase) in &phases {
        findings.expect(heard.bookings.contains_key(id), Wrong::Promise, || {
            format!("{id} is there and nobody asked for it")
        });
        findings.expect(ENDINGS.contains(&phase.as_str()), Wrong::Ending, || format!("{id} ended as {phase}"));
    }
    for (id, done) in &heard.done {
        let phase = phases.get(id).map_or("nothing", String::as_str);
        findings.expect(follows(*done, phase), Wrong::Promise, || format!("{id} was {done:?} and ended as {phase}"));
    }
    for forgery in &heard.believed {
        findings.add(Wrong::Forged, forgery.clone());
    }
    for contradiction in &heard.contradictions {
        findings.add(Wrong::Promise, contradiction.clone());
    }
    photographs(witness, heard, findings).await?;
    unfinished(witness, findings).await
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

async fn photographs(witness: &Witness, heard: &Heard, findings: &mut Findings) -> Result<()> {
    let mut states = BTreeMap::new();
    for row in witness.rows("select id, status from property_image").await? {
        states.insert(ImageId::from_uuid(row.try_get_by_index::<Uuid>(0)?), row.try_get_by_index::<String>(1)?);
    }
    for image in &heard.photos {
        let state = states.get(image).map_or("nothing", String::as_str);
        findings.expect(state == "ready", Wrong::Promise, || format!("{image} was taken in and is {state}"));
    }
    Ok(())
}

/// Every run has come to its end, whatever it is about; a payment's end is that nothing moves any more.
async fn unfinished(witness: &Witness, findings: &mut Findings) -> Result<()> {
    let sql = "select workflow, key, state_name from workflow_run where cast(status as integer) = 0 and workflow <> 'payment'";
    for row in witness.rows(sql).await? {
        let [workflow, key, state] = [0, 1, 2].map(|n| row.try_get_by_index::<String>(n).unwrap_or_default());
        findings.add(Wrong::Ending, format!("the {workflow} {key} is still {state}"));
    }
    let moving = "select key, state_name from workflow_run where workflow = 'payment'
        and state_name not in ('Captured', 'Voided', 'Declined')";
    for row in witness.rows(moving).await? {
        let [key, state] = [0, 1].map(|n| row.try_get_by_index::<String>(n).unwrap_or_default());
        findings.add(Wrong::Ending, format!("the payment {key} is still {state}"));
    }
    Ok(())
}
