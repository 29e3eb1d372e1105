//! The whole of `on` on one page: what every event means in every state.

use super::samples::Samples;
use super::words;
use crate::{Step, Timestamp, Workflow};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Every sampled state × every sampled event (and every sampled timer, elapsed), as text for a snapshot.
///
/// One line per pair that is accepted, and the refused events of a state on one line per code, so that the catch-all arm of `on`
/// cannot hide a forgotten pair: a new variant changes this text, and the change is reviewed.
///
/// ```text
/// Asked  (start: run SwitchOn, timer Patience)
///   SwitchedOn         → Lit     run Greet
///   Elapsed(Patience)  → Dark
///   refused out_of_turn: Guest, SwitchedOff
/// ```
///
/// # Panics
/// When a variant has no sample.
#[track_caller]
#[must_use]
pub fn table<W: Workflow>(samples: &Samples<W>, now: Timestamp) -> String {
    samples.must_be_complete();
    let mut events = samples.events.clone();
    for timer in &samples.timers {
        let elapsed = W::elapsed(timer.clone());
        if !events.contains(&elapsed) {
            events.push(elapsed);
        }
    }
    let blocks = samples.inputs.iter().map(|input| block::<W>(input, &samples.states, &events, now));
    blocks.collect::<Vec<_>>().join("\n\n")
}

fn block<W: Workflow>(input: &W::Input, states: &[W::State], events: &[W::Event], now: Timestamp) -> String {
    let start = W::start(input, now);
    let mut text = format!("start with {}\n  {}", words::shortened(&words::say(input)), cell(&start));
    for state in states {
        let ending = if W::is_final(state) { "  (final)" } else { "" };
        let _ = write!(text, "\n\n{}{ending}", words::shortened(&words::say(state)));
        row::<W>(input, state, events, now, &mut text);
    }
    text
}

fn row<W: Workflow>(input: &W::Input, state: &W::State, events: &[W::Event], now: Timestamp, text: &mut String) {
    let mut accepted = vec![];
    let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let label = words::shortened(&words::say(event));
        match W::on(input, state.clone(), event.clone(), now) {
            Ok(step) => accepted.push((label, cell(&step))),
            Err(refusal) => refused.entry(refusal.code.into_owned()).or_default().push(label),
        }
    }
    let width = accepted.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    for (label, cell) in accepted {
        let _ = write!(text, "\n  {label:width$}  {cell}");
    }
    for (code, labels) in refused {
        let _ = write!(text, "\n  refused {code}: {}", labels.join(", "));
    }
}

/// `→ Confirmed  run SendLetter, timer Release`: names only, since a table shows the paths and a transcript the values.
fn cell<W: Workflow>(step: &Step<W>) -> String {
    let to = step.state.as_ref().map_or_else(|| "stays".to_owned(), |state| format!("→ {}", words::name(state)));
    let mut said = vec![];
    said.extend(step.takes.map(|what| format!("takes {what}")));
    said.extend(step.withdrawn.iter().map(|effect| format!("withdraw {}", words::name(effect))));
    said.extend(step.effects.iter().map(|effect| format!("run {}", words::name(effect))));
    said.extend(step.timers.iter().map(|armed| format!("timer {}", words::name(&armed.timer))));
    said.extend(step.spawns.iter().map(|spawn| format!("spawn {}", spawn.workflow)));
    said.extend(step.tells.iter().map(|tell| format!("tell {} {}", tell.workflow, crate::step::variant(&tell.event))));
    said.extend(step.facts.iter().map(|fact| format!("post {}", fact.kind)));
    said.extend(step.ignored.map(|why| format!("ignored: {why}")));
    if said.is_empty() { to } else { format!("{to}  {}", said.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::toy::{self, Lamp, State};

    #[test]
    fn every_pair_of_state_and_event_is_on_the_page() {
        let page = table::<Lamp>(&toy::samples(), toy::noon());
        assert_eq!(page, toy::TABLE);
    }

    #[test]
    #[should_panic(expected = "lamp: these variants have no sample: state Asked, state Lit")]
    fn a_variant_without_a_sample_fails_by_name() {
        let mut samples = toy::samples();
        samples.states = vec![State::Dark];
        let _ = table::<Lamp>(&samples, toy::noon());
    }
}
