//! The gateway's own books: nothing was taken twice, and nothing was done that no turn of ours has asked for.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use domain::BookingId;
use integrations::payments::sandbox::{BookedCall, Books};
use serde_json::Value;

use super::{Found, Scene};
use crate::killed::installation::NAME;
use crate::killed::witness::Witness;

pub(crate) async fn once(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let books = scene.witness.gateway.books().await?;
    let bookings: BTreeSet<&str> = books.intents.iter().map(|intent| intent.booking.as_str()).collect();
    for booking in bookings {
        let id: BookingId = booking.parse().with_context(|| booking.to_owned())?;
        let captures = books.live_captures(id);
        found.expect(captures <= 1, || format!("{id} was paid for {captures} times"));
    }
    for (payment, intents) in repeated(books.intents.iter().map(|intent| intent.payment.as_str())) {
        found.add(format!("{payment} was authorised {intents} times"));
    }
    for (payout, transfers) in repeated(books.transfers.iter().map(|transfer| transfer.payout.as_str())) {
        found.add(format!("{payout} was paid out {transfers} times"));
    }
    keys(&books, found);
    Ok(())
}

/// What is there more than once, and how often.
fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (&'a str, usize)> {
    let mut many: BTreeMap<&str, usize> = BTreeMap::new();
    names.for_each(|name| *many.entry(name).or_default() += 1);
    many.into_iter().filter(|(_, many)| *many > 1)
}

/// One key per step of a run, and each executed once.
fn keys(books: &Books, found: &mut Found) {
    let mut steps: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for call in &books.calls {
        let BookedCall { key, operation, nth, .. } = call;
        found.expect(*nth == 1, || format!("{operation} under {key} was executed {nth} times"));
        steps.entry(step(key)).or_default().insert(key);
    }
    for (step, keys) in steps.into_iter().filter(|(_, keys)| keys.len() > 1) {
        found.add(format!("the step {step} has {} keys: {keys:?}", keys.len()));
    }
}

/// `installation:run:seq:n` without whatever a build may have put behind it.
fn step(key: &str) -> String {
    key.split(':').take(4).collect::<Vec<_>>().join(":")
}

/// Every call is the effect of a turn of ours, and its answer stands in the journal as that effect's outcome.
pub(crate) async fn asked_for(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let books = scene.witness.gateway.books().await?;
    let outcomes = outcomes(scene.witness).await?;
    for BookedCall { key, operation, about, .. } in &books.calls {
        let outcome = outcomes.get(&step(key)).map(String::as_str);
        let fits = outcome.is_some_and(|outcome| answers(operation).contains(&outcome));
        found.expect(fits, || format!("{operation} of {about} under {key} has the outcome {outcome:?} in the journal"));
    }
    Ok(())
}

fn answers(operation: &str) -> &'static [&'static str] {
    match operation {
        "authorize" => &["Authorized", "ActionRequired", "Declined"],
        "capture" => &["Captured", "CaptureDeclined"],
        "void" => &["Voided", "AlreadyCaptured"],
        "refund" => &["Refunded", "RefundDeclined"],
        "pay_out" => &["Paid", "Declined"],
        _ => &[],
    }
}

/// The outcome of every effect, by the step that its key would name.
async fn outcomes(witness: &Witness) -> Result<BTreeMap<String, String>> {
    let mut outcomes = BTreeMap::new();
    for row in witness.rows("select run, key, event from (select * from workflow_journal union all select * from workflow_journal_archive) j where key like 'fx:%'").await? {
        let run: uuid::Uuid = row.try_get_by_index(0)?;
        let (key, event): (String, String) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        let place = key.trim_start_matches("fx:");
        outcomes.insert(format!("{NAME}:{}:{place}", run.simple()), variant(&event)?);
    }
    Ok(outcomes)
}

/// The name of an event, whether it carries something or not.
fn variant(event: &str) -> Result<String> {
    Ok(match serde_json::from_str(event)? {
        Value::String(name) => name,
        Value::Object(fields) => fields.keys().next().cloned().unwrap_or_default(),
        other => other.to_string(),
    })
}
