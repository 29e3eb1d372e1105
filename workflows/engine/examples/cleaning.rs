//! Cleaning: a home is made ready between two stays.
//!
//! ```text
//! Ordered ──taken on──→ Expected ──done──→ Clean
//!    │ declined, silent 4 h  │ not done in time
//!    ▼                       ▼
//! Missed ←───────────────────┘
//! ```

use std::time::Duration;

use engine::{
    Attempt, Changed, Fault, Found, Perform, Policy, Project, ProjectError, Refusal, Registry, Step, Timestamp, Tx,
    Workflow,
};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use serde::{Deserialize, Serialize};

// ── 1. The four types: plain data, named for what they are. ──────────────────────────────────────────────────────────────────

/// The process that has a home cleaned.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleaning;

/// Fixed for the run's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    home: u64,
    ready_by: Timestamp,
}

/// Situations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    Ordered,
    Expected { cleaner: u64 },
    Clean,
    Missed,
}

/// What happened, in the past tense.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    TakenOn { cleaner: u64 },
    Declined,
    Done,
    CalledOff,
    Elapsed(Timer),
}

/// One call each, in the imperative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    AskAgency,
    CallOff { cleaner: u64 },
}

/// Instants that it waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Timer {
    Silence,
    Arrival,
}

const PATIENCE: Duration = Duration::from_secs(4 * 3600);

// ── 2. The decision: pure, in the order of the happy path, sad arms beneath. ────────────────────────────────────────────────────

impl Workflow for Cleaning {
    const NAME: &'static str = "cleaning";
    type Input = Order;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Timer = Timer;

    fn start(_: &Order, now: Timestamp) -> Step<Self> {
        Step::to(State::Ordered).run(Effect::AskAgency).timer(Timer::Silence, now + PATIENCE)
    }

    fn on(order: &Order, state: State, event: Event, _: Timestamp) -> Result<Step<Self>, Refusal> {
        use {Event as E, State as S};
        Ok(match (state, event) {
            (S::Ordered, E::TakenOn { cleaner }) => {
                Step::to(S::Expected { cleaner }).timer(Timer::Arrival, order.ready_by)
            }
            (S::Ordered, E::Declined | E::Elapsed(Timer::Silence)) => Step::to(S::Missed),
            (S::Expected { .. }, E::Done) => Step::to(S::Clean),
            (S::Expected { cleaner }, E::Elapsed(Timer::Arrival)) => {
                Step::to(S::Missed).run(Effect::CallOff { cleaner })
            }
            // The agency answered after our patience had ended. Without this arm the exploration below fails, and shows how.
            (S::Missed, E::TakenOn { cleaner }) => Step::to(S::Missed).run(Effect::CallOff { cleaner }),
            (S::Missed, E::Declined | E::CalledOff) => Step::ignore("nobody comes, and nobody is expected"),
            _ => return Err(Refusal::out_of_turn()),
        })
    }

    fn elapsed(timer: Timer) -> Event {
        Event::Elapsed(timer)
    }

    fn is_final(state: &State) -> bool {
        matches!(state, State::Clean | State::Missed)
    }

    /// An agency that cannot be reached, definitely and for long, has declined; calling off is never given up, it parks.
    fn gave_up(effect: &Effect) -> Option<Event> {
        matches!(effect, Effect::AskAgency).then_some(Event::Declined)
    }

    fn policy(_: &Effect) -> Policy {
        Policy::on("agency").attempts(8).time_limit(Duration::from_secs(10))
    }
}

// ── 3. The hands: one call on one port per effect, under a key that never changes. ──────────────────────────────────────────────

/// The outside party; in the product it lives in `integrations`, with a real client and a stand-in.
pub trait Agency: Send + Sync + 'static {
    /// Asks for a cleaner; `None` is a documented no.
    fn order(&self, key: &str, home: u64) -> impl Future<Output = Result<Option<u64>, Fault>> + Send;
    /// What became of an order; `None` if there is none under this key.
    fn find(&self, key: &str) -> impl Future<Output = Result<Option<Option<u64>>, Fault>> + Send;
    /// Calls a cleaner off; doing it twice does nothing.
    fn call_off(&self, key: &str, cleaner: u64) -> impl Future<Output = Result<(), Fault>> + Send;
}

fn answer(cleaner: Option<u64>) -> Event {
    cleaner.map_or(Event::Declined, |cleaner| Event::TakenOn { cleaner })
}

/// Who calls.
pub struct Housekeeper<A>(A);

impl<A: Agency> Perform<Cleaning> for Housekeeper<A> {
    async fn perform(&self, cx: &Attempt<Cleaning>, effect: Effect) -> Result<Event, Fault> {
        match effect {
            Effect::AskAgency => Ok(answer(self.0.order(&cx.key, cx.input.home).await?)),
            Effect::CallOff { cleaner } => self.0.call_off(&cx.key, cleaner).await.map(|()| Event::CalledOff),
        }
    }

    async fn look_up(&self, cx: &Attempt<Cleaning>, effect: &Effect) -> Result<Found<Event>, Fault> {
        Ok(match effect {
            Effect::AskAgency => self.0.find(&cx.key).await?.map_or(Found::Absent, |said| Found::Done(answer(said))),
            // Calling off twice does nothing, so not knowing is no harm.
            Effect::CallOff { .. } => Found::Absent,
        })
    }
}

// ── 4. The rows that people read: a function of state, for a slice of runs at once. ─────────────────────────────────────────────

impl Project<Tx> for Cleaning {
    type Error = DbErr;

    async fn project(tx: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        // In the product this is one call into `store`, which writes the slice by one statement.
        for one in changed {
            let sql = "insert into cleaning (home, is_clean) values ($1, $2) on conflict (home) do update set is_clean = excluded.is_clean";
            let home = i64::try_from(one.input.home).map_err(|error| DbErr::Type(error.to_string()))?;
            let values = [home.into(), matches!(one.state, State::Clean).into()];
            tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
        }
        Ok(())
    }
}

// ── 5. The second place that is touched: a line of the registry. ────────────────────────────────────────────────────────────────

/// As `workflows/src/registry.rs` has one line for every process.
pub fn registry(agency: impl Agency) -> Registry {
    Registry::new().register::<Cleaning>(Housekeeper(agency))
}

fn main() {
    println!(
        "A workflow to read and to copy. Its tests: cargo nextest run -p engine --features testkit --example cleaning"
    );
}

// ── 6. The kinds of tests: a story per ending, the table, the golden files, every order. ────────────────────────────────────────

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeDelta, TimeZone};
    use engine::testkit::{Samples, Script, explore, golden, table};

    fn noon() -> Timestamp {
        chrono::Utc.with_ymd_and_hms(2027, 1, 1, 12, 0, 0).single().expect("noon exists")
    }

    fn order() -> Order {
        Order { home: 7, ready_by: noon() + TimeDelta::hours(20) }
    }

    fn taken_on() -> Event {
        Event::TakenOn { cleaner: 3 }
    }

    fn samples() -> Samples<Cleaning> {
        Samples::of(order())
            .states([State::Ordered, State::Expected { cleaner: 3 }, State::Clean, State::Missed])
            .events([taken_on(), Event::Declined, Event::Done, Event::CalledOff, Event::Elapsed(Timer::Silence)])
            .effects([Effect::AskAgency, Effect::CallOff { cleaner: 3 }])
            .timers([Timer::Silence, Timer::Arrival])
    }

    #[test]
    fn a_home_is_clean_when_the_cleaner_says_so() {
        let mut run = Script::<Cleaning>::start(order(), noon());
        run.answer(&Effect::AskAgency, taken_on()).feed(Event::Done);
        assert_eq!(run.state(), &State::Clean);
    }

    #[test]
    fn an_answer_that_comes_too_late_is_called_off() {
        let mut run = Script::<Cleaning>::start(order(), noon());
        run.elapse(TimeDelta::hours(5));
        assert_eq!(run.state(), &State::Missed);
        run.answer(&Effect::AskAgency, taken_on());
        assert_eq!(run.pending(), [Effect::CallOff { cleaner: 3 }]);
    }

    #[test]
    fn what_every_event_means_in_every_state() {
        let page = table(&samples(), noon());
        // A workflow of the product keeps the whole page as a snapshot, so that every change of it is read by somebody.
        assert!(page.contains("refused out_of_turn"), "{page}");
    }

    #[test]
    fn what_was_ever_written_can_still_be_read() {
        golden(&samples(), "examples/golden/cleaning");
    }

    #[test]
    fn every_order_comes_to_an_end() {
        explore::<Cleaning>(order(), noon())
            .outcomes(|effect, _| match effect {
                Effect::AskAgency => vec![taken_on(), Event::Declined],
                Effect::CallOff { .. } => vec![Event::CalledOff],
            })
            .commands(|_| vec![Event::Done])
            .walk()
            .no_fact_is_ever_refused()
            .always_ends_by_itself()
            .recorded::<Cleaning>("examples/golden/cleaning/journal/every_order.jsonl");
    }
}
