//! The outside party: it keeps its own books, by key and by run, and they are what the seed is judged by.

use super::market::{Delivered, Effect, Event, Letter, Round, Stall};
use crate::{Attempt, Fault, Found, Perform, RunId, WorkId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long the party recognises a key, in microseconds; longer than the policy's safe window.
const MEMORY: i64 = 60_000_000;

/// How the next call or question is met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    #[default]
    Fine,
    /// Does it; the reply never arrives.
    ReplyLost,
    /// Does nothing, and says so.
    Down,
    /// Cannot say what became of it.
    Silent,
    /// A charge is refused, for ever.
    Declines,
}

/// What the party has on record under one key.
#[derive(Clone, Debug)]
struct Entry {
    at: i64,
    declined: bool,
}

/// The party's books.
#[derive(Debug, Default)]
pub(super) struct Books {
    now: i64,
    mood: Mood,
    entries: BTreeMap<String, Entry>,
    keys: BTreeMap<WorkId, String>,
    done: BTreeMap<WorkId, u32>,
    fees: BTreeMap<RunId, i32>,
    pub(super) calls: u32,
    pub(super) wrong: Vec<String>,
}

impl Books {
    /// What the market keeps of a stall's money.
    pub(super) fn fees(&self, run: RunId) -> i32 {
        self.fees.get(&run).copied().unwrap_or_default()
    }

    /// One call: recognised by its key for a while, done at most once by those who keep to it.
    fn call(&mut self, work: WorkId, key: &str, money: i32) -> Result<bool, Fault> {
        self.calls += 1;
        let known = self.keys.entry(work).or_insert_with(|| key.to_owned());
        if known != key {
            self.wrong.push(format!("{work} went out under two keys, {known} and {key}"));
        }
        if self.mood == Mood::Down {
            return Err(Fault::transient("the party is down"));
        }
        let recognised = self.entries.get(key).filter(|entry| self.now - entry.at < MEMORY);
        let declined = match recognised {
            Some(entry) => entry.declined,
            None => self.book(work, key, money),
        };
        if self.mood == Mood::ReplyLost { Err(Fault::unknown("no reply")) } else { Ok(!declined) }
    }

    fn book(&mut self, work: WorkId, key: &str, money: i32) -> bool {
        let declined = self.mood == Mood::Declines && money > 0;
        self.entries.insert(key.to_owned(), Entry { at: self.now, declined });
        let times = self.done.entry(work).or_default();
        *times += 1;
        if *times > 1 {
            self.wrong.push(format!("{work} was done {times} times"));
        }
        if !declined {
            *self.fees.entry(work.run).or_default() += money;
        }
        declined
    }

    /// What became of an earlier call: the truth, when the party can say.
    fn ask(&self, key: &str) -> Result<Found<bool>, Fault> {
        match self.mood {
            Mood::Down => Err(Fault::transient("the party cannot be asked")),
            Mood::Silent => Ok(Found::Unknown),
            _ => Ok(self.entries.get(key).map_or(Found::Absent, |entry| Found::Done(!entry.declined))),
        }
    }
}

/// The market's side of the outside party.
#[derive(Clone, Debug, Default)]
pub(super) struct Party(Arc<Mutex<Books>>);

impl Party {
    /// The next call or question comes now and is met like this.
    pub(super) fn meet(&self, now: i64, mood: Mood) {
        let mut books = self.books();
        books.now = now;
        books.mood = mood;
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(effect: &Effect, accepted: bool) -> Event {
    match (effect, accepted) {
        (Effect::Charge, true) => Event::Paid,
        (Effect::Charge, false) => Event::Declined,
        (Effect::Refund, _) => Event::Refunded,
    }
}

impl Perform<Stall> for Party {
    async fn perform(&self, cx: &Attempt<Stall>, effect: Effect) -> Result<Event, Fault> {
        let money = if effect == Effect::Charge { 1 } else { -1 };
        self.books().call(cx.work, &cx.key, money).map(|accepted| answer(&effect, accepted))
    }

    async fn look_up(&self, cx: &Attempt<Stall>, effect: &Effect) -> Result<Found<Event>, Fault> {
        Ok(match self.books().ask(&cx.key)? {
            Found::Done(accepted) => Found::Done(answer(effect, accepted)),
            Found::Absent => Found::Absent,
            Found::Unknown => Found::Unknown,
        })
    }
}

impl Perform<Letter> for Party {
    async fn perform(&self, cx: &Attempt<Letter>, (): ()) -> Result<Delivered, Fault> {
        self.books().call(cx.work, &cx.key, 0).map(|_| Delivered)
    }

    async fn look_up(&self, cx: &Attempt<Letter>, (): &()) -> Result<Found<Delivered>, Fault> {
        Ok(match self.books().ask(&cx.key)? {
            Found::Done(_) => Found::Done(Delivered),
            Found::Absent => Found::Absent,
            Found::Unknown => Found::Unknown,
        })
    }
}

impl Perform<Round> for Party {
    async fn perform(&self, _: &Attempt<Round>, (): ()) -> Result<(), Fault> {
        Err(Fault::poison("a round calls nobody"))
    }
}
