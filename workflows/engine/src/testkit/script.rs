//! A story with one run: feed it events, let time pass, read the transcript.

use super::bench::Bench;
use super::words::{self, Line};
use crate::{Armed, Fact, Refusal, Spawn, Step, Tell, Timestamp, Workflow};
use chrono::TimeDelta;

/// One run of `W`, told event by event.
///
/// ```text
/// let mut run = Script::<Booking>::start(terms(), noon());
/// run.feed(Authorized(auth()));
/// run.elapse(HOST_WINDOW);
/// run.feed(Released);
/// assert_snapshot!(run.transcript(), @r"
/// start              → Authorizing            run Authorize(41200 EUR)
/// Authorized(auth_1) → AwaitingHost           run AskHost, timer HostDeadline +24h
/// HostDeadline       → Releasing(HostSilent)  run Release(auth_1)
/// Released           → Canceled(HostSilent)   run TellBoth");
/// ```
///
/// A line reads: what happened (`+2h` when time had passed unseen), `→` the state it led to (or `→ stays`, or `✗` the refusal's
/// code), and everything committed with it, in the words of [`Step`]'s verbs.
#[derive(Clone, Debug)]
pub struct Script<W: Workflow> {
    bench: Bench<W>,
    now: Timestamp,
    /// The instant of the latest turn.
    last_turn: Timestamp,
    latest: Step<W>,
    lines: Vec<Line>,
    effects: Vec<W::Effect>,
    facts: Vec<Fact>,
    tells: Vec<Tell>,
    spawns: Vec<Spawn>,
}

impl<W: Workflow> Script<W> {
    /// Starts the run.
    #[must_use]
    pub fn start(input: W::Input, now: Timestamp) -> Self {
        let (bench, step) = Bench::start(input, now);
        let latest = step.clone();
        let (lines, effects) = (vec![], vec![]);
        let (facts, tells, spawns) = (vec![], vec![], vec![]);
        let mut script = Self { bench, now, last_turn: now, latest, lines, effects, facts, tells, spawns };
        script.note("start".to_owned(), step);
        script
    }

    /// Feeds an event that must be accepted.
    ///
    /// # Panics
    /// When the event is refused.
    #[track_caller]
    pub fn feed(&mut self, event: W::Event) -> &mut Self {
        let label = self.label(&event);
        match self.bench.turn(event, self.now, true) {
            Ok(step) => self.note(label, step),
            Err(refusal) => self.fail(&format!("{label} is refused ({refusal})")),
        }
        self
    }

    /// Feeds the event that answers a pending effect, which is then pending no longer.
    ///
    /// # Panics
    /// When no such effect is pending, or the event is refused.
    #[track_caller]
    pub fn answer(&mut self, effect: &W::Effect, event: W::Event) -> &mut Self {
        match self.bench.pending.iter().position(|pending| pending == effect) {
            Some(place) => {
                self.bench.pending.remove(place);
                self.feed(event)
            }
            None => self.fail(&format!("{} is not pending, so nothing can answer it", words::say(effect))),
        }
    }

    /// Feeds an event that must be refused, and answers with the refusal; the run stays as it was.
    ///
    /// # Panics
    /// When the event is accepted.
    #[track_caller]
    pub fn refuse(&mut self, event: W::Event) -> Refusal {
        let label = self.label(&event);
        let mut copy = self.bench.clone();
        match copy.turn(event, self.now, true) {
            Err(refusal) => {
                self.lines.push(Line::refused(label, &refusal));
                refusal
            }
            Ok(_) => self.fail(&format!("{label} is accepted, but the script says it is refused")),
        }
    }

    /// Lets this much time pass and fires what falls due.
    ///
    /// # Panics
    /// When a timer's event is refused.
    #[track_caller]
    pub fn elapse(&mut self, span: TimeDelta) {
        self.advance_to(self.now + span);
    }

    /// Lets time pass until `instant`: due timers fire in order, each at its intended instant, those they set included.
    ///
    /// # Panics
    /// When the instant lies in the past, or a timer's event is refused.
    #[track_caller]
    pub fn advance_to(&mut self, instant: Timestamp) {
        if instant < self.now {
            self.fail(&format!("time does not run back from {} to {instant}", self.now));
        }
        while self.bench.next_due().is_some_and(|due| due <= instant) {
            let Some(armed) = self.bench.take_next() else { break };
            // A timer that was set in the past still finds the clock where it was.
            self.now = self.now.max(armed.at);
            self.fire(armed);
        }
        self.now = instant;
    }

    #[track_caller]
    fn fire(&mut self, armed: Armed<W::Timer>) {
        let label = words::shortened(&words::say(&armed.timer));
        match self.bench.turn(W::elapsed(armed.timer), armed.at, true) {
            Ok(step) => self.note(label, step),
            Err(refusal) => self.fail(&format!("the timer {label} is refused ({refusal})")),
        }
    }

    /// The state the run is in.
    #[must_use]
    pub fn state(&self) -> &W::State {
        &self.bench.state
    }

    /// What the latest turn decided.
    pub fn step(&self) -> &Step<W> {
        &self.latest
    }

    /// Whether the run is finished.
    #[must_use]
    pub fn is_final(&self) -> bool {
        W::is_final(&self.bench.state)
    }

    /// The script's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Every effect asked for so far, oldest first.
    #[must_use]
    pub fn effects(&self) -> &[W::Effect] {
        &self.effects
    }

    /// Effects that are neither withdrawn nor answered through [`answer`](Self::answer).
    #[must_use]
    pub fn pending(&self) -> &[W::Effect] {
        &self.bench.pending
    }

    /// Timers that are armed, oldest first.
    #[must_use]
    pub fn timers(&self) -> &[Armed<W::Timer>] {
        &self.bench.timers
    }

    /// Facts posted so far, oldest first.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Events told to other runs so far, oldest first.
    #[must_use]
    pub fn tells(&self) -> &[Tell] {
        &self.tells
    }

    /// Runs spawned so far, oldest first.
    #[must_use]
    pub fn spawns(&self) -> &[Spawn] {
        &self.spawns
    }

    /// The story so far as aligned text, one line per turn, for a snapshot.
    #[must_use]
    pub fn transcript(&self) -> String {
        words::align(&self.lines)
    }

    fn note(&mut self, label: String, step: Step<W>) {
        self.lines.push(Line::accepted(label, &step, self.now));
        self.last_turn = self.now;
        self.effects.extend(step.effects.iter().cloned());
        self.facts.extend(step.facts.iter().cloned());
        self.tells.extend(step.tells.iter().cloned());
        self.spawns.extend(step.spawns.iter().cloned());
        self.latest = step;
    }

    fn label(&self, event: &W::Event) -> String {
        let said = words::shortened(&words::say(event));
        if self.now == self.last_turn { said } else { format!("{said} {}", words::span(self.now - self.last_turn)) }
    }

    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        panic!(
            "{}: {what} in state {}; the story so far:\n{}",
            W::NAME,
            words::say(&self.bench.state),
            self.transcript()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::toy::{self, Effect, Event, Lamp, Mistake, State, Timer, noon};

    #[test]
    fn a_story_reads_as_it_happened() {
        let mut run = Script::<Lamp>::start(toy::guarded(None), noon());
        assert_eq!(run.refuse(Event::SwitchedOff).code, "out_of_turn");
        run.elapse(TimeDelta::minutes(2));
        run.answer(&Effect::SwitchOn, Event::SwitchedOn);
        run.feed(Event::SwitchedOn);
        run.advance_to(noon() + TimeDelta::days(1));
        run.answer(&Effect::SwitchOff, Event::SwitchedOff);
        let told = "\
start            → Asked                          run SwitchOn, timer Patience +5m, deadline Bedtime +8h, spawn guard guard
SwitchedOff      ✗ out_of_turn
SwitchedOn +2m   → Lit{since: 2026-05-01T12:02Z}  takes lamp
SwitchedOn       → stays                          ignore: it is on
Bedtime          → Dark                           run SwitchOff, tell guard Darkened, post burnt 478
SwitchedOff +16h → stays                          ignore: it is dark";
        assert_eq!(run.transcript(), told);
        assert!(run.is_final() && run.pending().is_empty() && run.timers().is_empty());
        assert_eq!((run.effects().len(), run.facts().len(), run.tells().len(), run.spawns().len()), (2, 1, 1, 1));
        assert_eq!(run.facts()[0].body, "478");
    }

    #[test]
    fn leaving_a_state_disarms_its_timers_and_keeps_the_runs_deadlines() {
        let mut run = Script::<Lamp>::start(toy::room(), noon());
        assert_eq!(run.timers().len(), 2);
        run.feed(Event::SwitchedOn);
        let armed: Vec<&Timer> = run.timers().iter().map(|armed| &armed.timer).collect();
        assert_eq!(armed, [&Timer::Bedtime]);
        run.elapse(TimeDelta::hours(7));
        assert!(matches!(run.state(), State::Lit { .. }), "patience was disarmed");
    }

    #[test]
    fn a_timer_of_the_same_name_replaces_the_earlier_one() {
        let mut run = Script::<Lamp>::start(toy::room_with(Mistake::WaitsForEver), noon());
        run.elapse(TimeDelta::minutes(12));
        let armed: Vec<_> = run.timers().iter().map(|armed| (&armed.timer, armed.at)).collect();
        let due = |minutes| noon() + TimeDelta::minutes(minutes);
        assert_eq!(armed, [(&Timer::Bedtime, due(480)), (&Timer::Patience, due(15))]);
        assert_eq!(run.now(), due(12));
    }

    #[test]
    #[should_panic(
        expected = "lamp: SwitchedOff is refused (out_of_turn: this is not possible in the present state) in state Asked"
    )]
    fn an_event_that_is_refused_fails_the_story() {
        Script::<Lamp>::start(toy::room(), noon()).feed(Event::SwitchedOff);
    }

    #[test]
    #[should_panic(expected = "Left is accepted, but the script says it is refused")]
    fn a_refusal_that_does_not_come_fails_the_story() {
        Script::<Lamp>::start(toy::room(), noon()).refuse(Event::Left);
    }

    #[test]
    #[should_panic(expected = "SwitchOff is not pending")]
    fn only_a_pending_effect_can_be_answered() {
        Script::<Lamp>::start(toy::room(), noon()).answer(&Effect::SwitchOff, Event::SwitchedOff);
    }
}
