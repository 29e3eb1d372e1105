//! Simulates seeds of the engine under faults until one breaks a promise, or has too little in it to keep one; see `engine::testkit::sim`.
//!
//! `simulate [FIRST [COUNT]]` goes through seeds and says how fast; `simulate mutations` takes the engine's own guards out, one at a
//! time, and fails unless each is missed. `INNKEEPER_SIM_SEED` simulates one seed and tells its story.

use engine::faults::with_planted;
use engine::testkit::sim::{self, Mischief, Seen};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

/// The guards that are taken out, and how many seeds each may hide for.
const GUARDS: [&str; 11] = [
    "no_fencing",
    "no_recall_check",
    "no_skip_locked",
    "no_event_key",
    "no_lease_check",
    "new_key_per_attempt",
    "no_lane_limit",
    "no_rate_limit",
    "no_brakes",
    "no_death_count",
    "claims_are_deaths",
];
const PATIENCE: u64 = 50;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let first = words.next().unwrap_or_default();
    if first == "mutations" {
        return mutations();
    }
    let number = |word: &str, otherwise: u64| word.parse().unwrap_or(otherwise);
    let done = match std::env::var("INNKEEPER_SIM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => one(seed),
        None => many(number(&first, 0), number(&words.next().unwrap_or_default(), 10_000)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64) -> Result<(), String> {
    println!("{}", sim::tell(seed));
    sound(seed).map(drop)
}

/// A seed that keeps every promise, and has enough in it for that to mean something.
fn sound(seed: u64) -> Result<Seen, String> {
    let seen = sim::simulate(seed).map_err(|broken| broken.to_string())?;
    match seen.lacks() {
        None => Ok(seen),
        Some(lack) => Err(format!("seed {seed} has {lack}")),
    }
}

fn many(first: u64, count: u64) -> Result<(), String> {
    let began = Instant::now();
    let mut sum = Sum::default();
    for seed in first..first + count {
        sum.add(sound(seed)?);
    }
    let took = began.elapsed();
    println!("{count} seeds in {:.1} s: {:.0} a minute", took.as_secs_f64(), count as f64 * 60.0 / took.as_secs_f64());
    println!(
        "a seed has {} runs (at least {}) and {} events (at least {})",
        sum.runs / count,
        sum.least.0,
        sum.events / count,
        sum.least.1
    );
    let [archived, restored, forgotten, rounds, missed, recalled, outdated] = sum.stories.map(|story| story / count);
    println!(
        "it puts {archived} runs away, brings {restored} back and forgets {forgotten}; {rounds} rounds begin and {missed} are missed"
    );
    println!("it decides {recalled} groups from memory and finds {outdated} changed");
    sum.hits
        .iter()
        .for_each(|(kind, (hits, least))| println!("{hits:>9}  a process {kind} (at least {least} in every seed)"));
    Ok(())
}

/// What many seeds were like.
#[derive(Default)]
struct Sum {
    runs: u64,
    events: u64,
    least: (usize, usize),
    /// Runs put away, brought back and forgotten; rounds begun and missed; groups decided from memory and found changed.
    stories: [u64; 7],
    hits: BTreeMap<&'static str, (u64, u32)>,
}

impl Sum {
    fn add(&mut self, seen: Seen) {
        let Seen { runs, events, hits, archived, restored, forgotten, rounds, missed, recalled, outdated, .. } = seen;
        let told = [archived, restored, forgotten, rounds, missed, recalled, outdated];
        self.stories.iter_mut().zip(told).for_each(|(sum, told)| *sum += u64::from(told));
        let first = self.runs == 0;
        self.runs += runs as u64;
        self.events += events as u64;
        self.least = if first { (runs, events) } else { (self.least.0.min(runs), self.least.1.min(events)) };
        for (kind, hits) in hits {
            let (sum, least) = self.hits.entry(Mischief::name(kind)).or_insert((0, u32::MAX));
            *sum += u64::from(hits);
            *least = hits.min(*least);
        }
    }
}

fn mutations() -> ExitCode {
    let mut missed = false;
    for guard in GUARDS {
        let found = with_planted(guard, || (0..PATIENCE).find_map(|seed| sim::simulate(seed).err()));
        match found {
            Some(broken) => println!("{guard}: red in seed {}: {}", broken.seed, broken.wrong[0]),
            None => {
                missed = true;
                println!("{guard}: NOT FOUND in {PATIENCE} seeds");
            }
        }
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
