//! One run held in memory and moved by the rules of a turn: what `Script` and `explore` share.

use crate::step::{encode, variant};
use crate::{Armed, Refusal, Scope, Step, Timestamp, Value, Workflow};
use std::sync::Arc;

/// A run between two turns.
#[derive(Clone, Debug)]
pub(super) struct Bench<W: Workflow> {
    pub(super) input: Arc<W::Input>,
    /// The input as text, which never changes.
    written: Arc<str>,
    pub(super) state: W::State,
    /// Effects that were asked for and are neither answered nor withdrawn, oldest first.
    pub(super) pending: Vec<W::Effect>,
    /// Armed timers, oldest first.
    pub(super) timers: Vec<Armed<W::Timer>>,
}

impl<W: Workflow> Bench<W> {
    /// The first turn.
    pub(super) fn start(input: W::Input, now: Timestamp) -> (Self, Step<W>) {
        must_read_back(&input, "input");
        let step = W::start(&input, now);
        let state = step.state.clone().unwrap_or_else(|| {
            panic!("{}: the first step names no state; `start` answers with `Step::to(…)`", W::NAME);
        });
        let written = Arc::from(encode(&input));
        let mut bench = Self { input: Arc::new(input), written, state, pending: vec![], timers: vec![] };
        bench.take_over(&step, true);
        (bench, step)
    }

    /// A later turn. `withdraw` says whether nobody has claimed what the step takes back.
    pub(super) fn turn(&mut self, event: W::Event, now: Timestamp, withdraw: bool) -> Result<Step<W>, Refusal> {
        must_read_back(&event, "event");
        let step = W::on(&self.input, self.state.clone(), event, now)?;
        self.take_over(&step, withdraw);
        Ok(step)
    }

    fn take_over(&mut self, step: &Step<W>, withdraw: bool) {
        if let Some(state) = &step.state {
            must_read_back(state, "state");
            let left = variant(&encode(state)) != variant(&encode(&self.state));
            let finished = W::is_final(state);
            self.timers.retain(|armed| !finished && (!left || armed.scope == Scope::Run));
            self.state = state.clone();
        }
        if withdraw {
            self.pending.retain(|effect| !step.withdrawn.contains(effect));
        }
        for effect in &step.effects {
            must_read_back(effect, "effect");
            self.pending.push(effect.clone());
        }
        for armed in &step.timers {
            must_read_back(&armed.timer, "timer");
            self.timers.retain(|earlier| !same_name(&earlier.timer, &armed.timer));
            self.timers.push(armed.clone());
        }
    }

    /// When the next timer is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.timers.iter().map(|armed| armed.at).min()
    }

    /// Takes the timer that is due next off the run: the earliest, and of equals the one that was set first.
    pub(super) fn take_next(&mut self) -> Option<Armed<W::Timer>> {
        let at = self.next_due()?;
        let place = self.timers.iter().position(|armed| armed.at == at)?;
        Some(self.timers.remove(place))
    }

    /// Everything that decides the run's future, as text: equal keys mean equal futures.
    pub(super) fn key(&self) -> String {
        let mut effects: Vec<String> = self.pending.iter().map(encode).collect();
        effects.sort_unstable();
        let timers: Vec<String> = self
            .timers
            .iter()
            .map(|armed| format!("{}@{}{:?}", encode(&armed.timer), armed.at.timestamp_micros(), armed.scope))
            .collect();
        format!("{} {} {} [{}] [{}]", W::NAME, self.written, encode(&self.state), effects.join(","), timers.join(","))
    }
}

/// Whether two timers share the name under which the engine keeps them.
fn same_name<T: Value>(one: &T, other: &T) -> bool {
    variant(&encode(one)) == variant(&encode(other))
}

/// The engine stores values as JSON text: what does not come back equal would be another value after a restart.
fn must_read_back<T: Value>(value: &T, what: &str) {
    let text = encode(value);
    match serde_json::from_str::<T>(&text) {
        Ok(back) if back == *value => {}
        Ok(back) => {
            panic!("this {what} reads back as something else: {value:?} was written as {text} and read as {back:?}")
        }
        Err(error) => panic!("this {what} cannot be read back: {value:?} was written as {text}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::must_read_back;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Forgetful {
        #[serde(skip)]
        nights: u8,
    }

    #[test]
    #[should_panic(expected = "this state reads back as something else: Forgetful { nights: 2 } was written as {}")]
    fn a_value_that_changes_on_the_way_through_json_is_found() {
        must_read_back(&Forgetful { nights: 2 }, "state");
    }
}
