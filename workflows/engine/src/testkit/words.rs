//! How values and turns read in transcripts and tables.

use crate::step::variant;
use crate::{Armed, Refusal, Scope, Step, Timestamp, Workflow};
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::Value as Json;

/// One line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Whose turn it was; empty where there is only one run.
    pub(super) who: String,
    /// What happened.
    pub(super) event: String,
    /// Where it led.
    pub(super) to: String,
    /// What was committed with it.
    pub(super) with: String,
}

impl Line {
    /// The line of a turn that was accepted.
    pub(super) fn accepted<W: Workflow>(event: String, step: &Step<W>, now: Timestamp) -> Self {
        let to = match &step.state {
            Some(state) => format!("→ {}", shortened(&say(state))),
            None => "→ stays".to_owned(),
        };
        Self { who: String::new(), event, to, with: verbs(step, now).join(", ") }
    }

    /// The line of an event that was refused.
    pub(super) fn refused(event: String, refusal: &Refusal) -> Self {
        Self { who: String::new(), event, to: format!("✗ {}", refusal.code), with: String::new() }
    }
}

/// Lines with their columns aligned; a column that is empty everywhere is left out.
pub(super) fn align(lines: &[Line]) -> String {
    let width = |column: fn(&Line) -> &String| lines.iter().map(|line| column(line).chars().count()).max().unwrap_or(0);
    let (who, event, to) = (width(|line| &line.who), width(|line| &line.event), width(|line| &line.to));
    let rows = lines.iter().map(|line| {
        let row = format!("{:who$}  {:event$} {:to$}  {}", line.who, line.event, line.to, line.with);
        let row = if who == 0 { &row[2..] } else { &row };
        row.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Everything a step adds to its state, in the words of the author's verbs.
pub(super) fn verbs<W: Workflow>(step: &Step<W>, now: Timestamp) -> Vec<String> {
    let mut said = vec![];
    said.extend(step.takes.map(|what| format!("takes {what}")));
    said.extend(step.withdrawn.iter().map(|effect| format!("withdraw {}", say(effect))));
    said.extend(step.effects.iter().map(|effect| format!("run {}", say(effect))));
    said.extend(step.timers.iter().map(|armed| timer(armed, now)));
    said.extend(step.spawns.iter().map(|spawn| format!("spawn {} {}", spawn.workflow, tidy_key(&spawn.key))));
    said.extend(step.tells.iter().map(|tell| format!("tell {} {}", tell.workflow, shortened(&say_json(&tell.event)))));
    said.extend(step.facts.iter().map(|fact| format!("post {} {}", fact.kind, shortened(&say_json(&fact.body)))));
    said.extend(step.ignored.map(|why| format!("ignore: {why}")));
    said
}

/// A timer that is set, relative to the turn that sets it.
pub(super) fn timer<T: Serialize>(armed: &Armed<T>, now: Timestamp) -> String {
    let verb = match armed.scope {
        Scope::State => "timer",
        Scope::Run => "deadline",
    };
    format!("{verb} {} {}", say(&armed.timer), span(armed.at - now))
}

/// A value in few words: `Capture(41200 EUR)`, `Held{until: 2026-05-01T00:00Z}`.
pub(super) fn say(value: &impl Serialize) -> String {
    serde_json::to_value(value).map_or_else(|error| format!("({error})"), |json| say_text(&json))
}

/// A value that is JSON text already.
pub(super) fn say_json(text: &str) -> String {
    serde_json::from_str::<Json>(text).map_or_else(|_| text.to_owned(), |json| say_text(&json))
}

/// The variant's name alone.
pub(super) fn name(value: &impl Serialize) -> String {
    variant(&crate::step::encode(value)).to_owned()
}

/// At most 60 characters, so that one long value does not push a column off the page.
pub(super) fn shortened(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    text.chars().take(59).chain(['…']).collect()
}

fn say_text(json: &Json) -> String {
    match json {
        Json::Null => "none".to_owned(),
        Json::String(text) => tidy(text),
        Json::Array(items) => format!("[{}]", items.iter().map(say_text).collect::<Vec<_>>().join(", ")),
        Json::Object(fields) => say_object(fields),
        plain => plain.to_string(),
    }
}

fn say_object(fields: &serde_json::Map<String, Json>) -> String {
    if let Some(amount) = money(fields) {
        return amount;
    }
    if let (1, Some((name, inner))) = (fields.len(), fields.iter().next())
        && name.starts_with(char::is_uppercase)
    {
        return match inner {
            Json::Object(inner) if plain_fields(inner) => format!("{name}{}", say_object(inner)),
            Json::Array(_) => format!("{name}({})", say_text(inner).trim_matches(['[', ']'])),
            inner => format!("{name}({})", say_text(inner)),
        };
    }
    let mut said: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", say_text(value))).collect();
    said.sort_unstable();
    format!("{{{}}}", said.join(", "))
}

/// Neither an amount nor the variant of another enum.
fn plain_fields(fields: &serde_json::Map<String, Json>) -> bool {
    let variant = fields.len() == 1 && fields.keys().all(|name| name.starts_with(char::is_uppercase));
    !variant && money(fields).is_none()
}

/// A key made of ids: `bkg_…cdef:expired:guest`.
fn tidy_key(key: &str) -> String {
    key.split(':').map(tidy).collect::<Vec<_>>().join(":")
}

/// An object of a currency and one integer is an amount: `41200 EUR`.
fn money(fields: &serde_json::Map<String, Json>) -> Option<String> {
    let currency = fields.get("currency")?.as_str()?;
    let amount = fields.values().find_map(Json::as_i64)?;
    (fields.len() == 2).then(|| format!("{amount} {currency}"))
}

/// Ids and instants, cut to what tells them apart.
fn tidy(text: &str) -> String {
    let hex = |tail: &str| tail.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if let Some((prefix, tail)) = text.rsplit_once('_')
        && tail.len() == 32
        && hex(tail)
    {
        return format!("{prefix}_…{}", &tail[28..]);
    }
    if text.len() == 36 && hex(text) {
        return format!("…{}", &text[32..]);
    }
    match text.strip_suffix(":00Z") {
        Some(instant) if instant.contains('T') => format!("{instant}Z"),
        _ => text.to_owned(),
    }
}

/// A span of time: `+24h`, `+3d`, `+1h30m`, `-5m`.
pub(super) fn span(span: TimeDelta) -> String {
    let sign = if span < TimeDelta::zero() { '-' } else { '+' };
    let whole = span.abs();
    if whole.num_days() >= 2 && whole == TimeDelta::days(whole.num_days()) {
        return format!("{sign}{}d", whole.num_days());
    }
    let parts = [
        (whole.num_hours(), "h"),
        (whole.num_minutes() % 60, "m"),
        (whole.num_seconds() % 60, "s"),
        (whole.num_milliseconds() % 1000, "ms"),
    ];
    let said: String =
        parts.iter().filter(|(count, _)| *count != 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    format!("{sign}{}", if said.is_empty() { "0s" } else { &said })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_read_in_few_words() {
        let said = |json: Json| say_text(&json);
        assert_eq!(said(json!("AwaitingHost")), "AwaitingHost");
        assert_eq!(said(json!({"Capture": {"amount_minor": 41200, "currency": "EUR"}})), "Capture(41200 EUR)");
        assert_eq!(
            said(json!({"Held": {"until": "2026-05-01T00:00:00Z", "by": null}})),
            "Held{by: none, until: 2026-05-01T00:00Z}"
        );
        assert_eq!(said(json!({"Seen": {"Held": {"by": 1}}})), "Seen(Held{by: 1})");
        assert_eq!(tidy_key("bkg_01923456789a7bcd8123456789abcdef:expired:guest"), "bkg_…cdef:expired:guest");
        assert_eq!(said(json!({"Split": [1, 2]})), "Split(1, 2)");
        assert_eq!(said(json!("bkg_01923456789a7bcd8123456789abcdef")), "bkg_…cdef");
        assert_eq!(said(json!("01923456-789a-7bcd-8123-456789abcdef")), "…cdef");
        assert_eq!(said(json!("a_b")), "a_b");
    }

    #[test]
    fn spans_read_in_the_largest_units() {
        assert_eq!(span(TimeDelta::hours(24)), "+24h");
        assert_eq!(span(TimeDelta::days(7)), "+7d");
        assert_eq!(span(TimeDelta::minutes(90)), "+1h30m");
        assert_eq!(span(TimeDelta::minutes(-5)), "-5m");
        assert_eq!(span(TimeDelta::zero()), "+0s");
    }
}
