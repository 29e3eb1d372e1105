//! What shall happen: for every slot in somebody's calendar who wants it, with which card, and how the story goes on. All by the seed.

use chrono::{Days, NaiveDate};
use domain::Stay;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// Days of a slot: every stay in it has the second night, so two of them can never both be had.
const SLOT: u64 = 4;
/// Days from today to the first slot.
const AHEAD: u64 = 4;

/// One place in a calendar, wanted by one guest or by several at once.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) n: usize,
    /// Which home, by its number.
    pub(crate) home: usize,
    pub(crate) rivals: Vec<Rival>,
    pub(crate) fate: Fate,
}

/// A guest who wants a slot.
#[derive(Clone, Debug)]
pub(crate) struct Rival {
    /// Which guest, by number.
    pub(crate) guest: usize,
    pub(crate) stay: Stay,
    pub(crate) card: &'static str,
}

/// How the story of whoever gets the slot goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The host accepts, the guest comes.
    Stays,
    /// The host never answers.
    Silence,
    /// The host says no.
    HostDeclines,
    /// The guest calls it off as soon as possible.
    GuestCancelsEarly,
    /// The guest calls it off once it is confirmed.
    GuestCancelsLate,
    /// The host calls it off once it is confirmed.
    HostCancels,
}

/// How wild the script is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    pub(crate) slots: usize,
    pub(crate) homes: usize,
    pub(crate) guests: usize,
    /// One slot in so many has rivals.
    pub(crate) contested: u32,
    /// The most guests who want the same slot.
    pub(crate) rivals: usize,
}

/// Writes the script.
pub(crate) fn write(dice: &mut StdRng, measure: Measure, today: NaiveDate) -> Vec<Slot> {
    let Measure { slots, homes, .. } = measure;
    let mut places: Vec<(usize, u64)> = (0..slots).map(|n| (n % homes, (n / homes) as u64)).collect();
    places.shuffle(dice);
    let slot = |(n, (home, place)): (usize, (usize, u64))| {
        let first = today + Days::new(AHEAD + place * SLOT);
        let contested = dice.random_ratio(1, measure.contested);
        let rivals = if contested { dice.random_range(2..=measure.rivals) } else { 1 };
        let rivals = (0..rivals).map(|_| rival(dice, measure.guests, first)).collect();
        Slot { n, home, rivals, fate: fate(dice) }
    };
    places.into_iter().enumerate().map(slot).collect()
}

fn rival(dice: &mut StdRng, guests: usize, first: NaiveDate) -> Rival {
    let (from, until) = (dice.random_range(0..2), dice.random_range(2..=SLOT));
    let stay = Stay::parse(first + Days::new(from), first + Days::new(until)).expect("it has the second night");
    let card = match dice.random_range(0..100) {
        0..70 => "pm_card_ok",
        70..80 => "pm_card_timeout_after_commit",
        80..87 => "pm_card_declined",
        87..96 => "pm_card_action",
        _ => "pm_card_capture_declined",
    };
    Rival { guest: dice.random_range(0..guests), stay, card }
}

fn fate(dice: &mut StdRng) -> Fate {
    match dice.random_range(0..100) {
        0..50 => Fate::Stays,
        50..64 => Fate::Silence,
        64..76 => Fate::HostDeclines,
        76..84 => Fate::GuestCancelsEarly,
        84..94 => Fate::GuestCancelsLate,
        _ => Fate::HostCancels,
    }
}
