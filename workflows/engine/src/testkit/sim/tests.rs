//! A few seeds in every build, and the simulation itself: that it repeats, that it is not idle, that it sees what it is there to see.
//! `./ops/simulate` goes through thousands.

use super::market::{Event, Stall, registry};
use super::memory::Memory;
use super::party::Party;
use super::{Seen, simulate};
use crate::decide::Desk;
use crate::event::{EventKey, Fence, Input, Manner, What};
use crate::hands::Hands;
use crate::step::encode;
use crate::storage::{Ask, FenceRow};
use crate::{RunId, Verdict, WorkId, Workflow};
use uuid::Uuid;

#[test]
fn every_seed_keeps_every_promise_with_everything_going_wrong() {
    let (mut throttled, mut openings, mut stories) = (0, 0, [0; 7]);
    for seed in 0..40 {
        let seen = simulate(seed).unwrap_or_else(|broken| panic!("{broken}"));
        assert_eq!(seen.lacks(), None, "seed {seed}");
        throttled += seen.throttled;
        openings += seen.openings;
        let told = [seen.archived, seen.restored, seen.forgotten, seen.rounds, seen.missed];
        let told = told.into_iter().chain([seen.recalled, seen.outdated]);
        stories.iter_mut().zip(told).for_each(|(sum, told)| *sum += told);
    }
    assert!(
        stories.iter().all(|told| *told >= 40),
        "archived, restored, forgotten; rounds begun and missed; decided from memory and found changed: {stories:?}"
    );
    assert!(throttled >= 40 && openings >= 10, "limits held back {throttled} claims, circuits opened {openings} times");
}

#[test]
fn a_seed_that_proves_too_little_says_of_what() {
    let seen = simulate(0).expect("sound");
    let spared = seen.hits.iter().map(|(kind, _)| (*kind, 0)).collect();
    for (poor, lack) in [
        (Seen { runs: 49, ..seen.clone() }, "only 49 runs"),
        (Seen { events: 199, ..seen.clone() }, "only 199 events"),
        (Seen { hits: spared, ..seen }, "no process that"),
    ] {
        assert!(poor.lacks().is_some_and(|told| told.contains(lack)), "{poor:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..5 {
        let (one, other) = (simulate(seed).expect("sound"), simulate(seed).expect("sound"));
        assert_eq!(one, other);
        assert_ne!(one.hash, simulate(seed + 1).expect("sound").hash);
    }
}

#[cfg(feature = "faults")]
mod mutations {
    use super::simulate;

    /// Takes a guard out and demands that it is missed, for the right reason.
    fn must_be_missed(guard: &'static str, because: &str) {
        let found = crate::faults::with_planted(guard, || (0..20).find_map(|seed| simulate(seed).err()));
        let broken = found.unwrap_or_else(|| panic!("nobody misses {guard}"));
        assert!(broken.wrong.iter().any(|wrong| wrong.contains(because)), "{:?}", broken.wrong);
    }

    #[test]
    fn without_fencing_late_completions_are_accepted() {
        must_be_missed("no_fencing", "a late completion of");
    }

    #[test]
    fn without_skip_locked_work_is_claimed_twice() {
        must_be_missed("no_skip_locked", "is claimed while somebody holds it");
    }

    #[test]
    fn without_a_look_at_what_is_remembered_turns_are_lost() {
        must_be_missed("no_recall_check", "is left in");
    }

    #[test]
    fn without_event_keys_an_event_is_journalled_twice() {
        must_be_missed("no_event_key", "in twice");
    }

    #[test]
    fn without_the_lease_check_the_living_are_robbed() {
        must_be_missed("no_lease_check", "is taken from a process that is alive");
    }

    #[test]
    fn without_their_count_lanes_overflow() {
        must_be_missed("no_lane_limit", "attempts are under way in a lane for");
    }

    #[test]
    fn without_its_rate_a_party_is_overrun() {
        must_be_missed("no_rate_limit", "calls are claimed in");
    }

    #[test]
    fn without_brakes_what_is_held_back_begins() {
        must_be_missed("no_brakes", "is held back");
    }

    #[test]
    fn without_their_count_deaths_have_no_end() {
        must_be_missed("no_death_count", "deaths are held against");
        must_be_missed("no_death_count", "is tried after 20 deaths");
    }

    #[test]
    fn with_claims_for_deaths_nobody_can_have_work_tried_again() {
        must_be_missed("claims_are_deaths", "is put aside after");
    }

    #[test]
    fn with_a_new_key_per_try_the_party_does_it_again() {
        must_be_missed("new_key_per_attempt", "under two keys");
    }
}

/// Where something is found to be wrong.
const JUDGES: [&str; 7] = [
    include_str!("judge.rs"),
    include_str!("wardens.rs"),
    include_str!("party.rs"),
    include_str!("process.rs"),
    include_str!("writing.rs"),
    include_str!("world.rs"),
    include_str!("archive.rs"),
];

/// Everything that is said of a seed in which something does not hold, as it is worded in the code.
fn sentences() -> Vec<&'static str> {
    let found = JUDGES.iter().flat_map(|code| code.split("wrong.push(").skip(1));
    found.map(|rest| rest.split('"').nth(1).expect("what is wrong is said in words")).collect()
}

/// The rows of the table of what must hold, each with the words that are said otherwise.
fn promised() -> Vec<(&'static str, Vec<&'static str>)> {
    let rows = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>()).filter(|cells| cells[0] != "in words");
    cells.map(|cells| (cells[0], cells[2].split('`').skip(1).step_by(2).collect())).collect()
}

#[test]
fn the_table_of_what_must_hold_is_what_is_judged() {
    let (promised, sentences) = (promised(), sentences());
    assert!(promised.len() >= 16 && sentences.len() >= 30, "{} rows, {} sentences", promised.len(), sentences.len());
    for (promise, words) in &promised {
        assert!(!words.is_empty(), "nothing is said when this does not hold: {promise}");
        for words in words {
            assert!(sentences.iter().any(|it| it.contains(words)), "nobody says {words:?} any more: {promise}");
        }
    }
    for sentence in sentences {
        let promises = promised.iter().filter(|(_, words)| words.iter().any(|words| sentence.contains(words))).count();
        assert_eq!(promises, 1, "rows of the table that lead to {sentence:?}");
    }
}

const NOBODY: RunId = RunId::from_uuid(Uuid::nil());

/// What a process makes of these inputs when nothing is stored but these claims.
fn decided(inputs: &[Input], claims: &[Fence]) -> Vec<Verdict> {
    let (registry, hands) = (registry(&Party::default()), Hands::new(Uuid::nil(), &[]));
    let (_, mut loaded) = Memory::default().begin(&Ask::about(inputs, false), 0, &mut None).expect("nothing is locked");
    let row = |fence: &Fence| (fence.work, FenceRow { attempt: fence.attempt, last_error: None });
    loaded.fences = claims.iter().map(row).collect();
    let desk = Desk { registry: &registry, hands: &hands, brakes: None };
    desk.decide(loaded, inputs, false).unwrap_or_else(|failure| panic!("{failure:?}")).verdicts
}

#[test]
fn the_twin_of_what_found_no_run_is_not_told_that_it_was_taken_in() {
    let what =
        || What::Event { key: EventKey::webhook("party", "1"), event: encode(&Event::Recalled), manner: Manner::Fact };
    let twins = [Input::new(NOBODY, what()), Input::new(NOBODY, what())];
    assert_eq!(decided(&twins, &[]), [Verdict::NoSuchRun, Verdict::NoSuchRun]);
}

/// A process that stood still holds an old claim beside the new one that it made itself; both answer in one group.
#[test]
fn a_late_completion_does_not_hide_the_one_in_time_that_follows_it() {
    let work = WorkId { run: NOBODY, seq: 0, n: 0 };
    let (late, in_time) = (Fence { work, attempt: 1 }, Fence { work, attempt: 2 });
    let outcome = || What::Event { key: EventKey::outcome(work), event: encode(&Event::Paid), manner: Manner::Fact };
    let answers = [late, in_time].map(|fence| Input::new(NOBODY, outcome()).fenced(fence));
    assert_eq!(decided(&answers, &[in_time]), [Verdict::Stale, Verdict::NoSuchRun], "{}", Stall::NAME);
}
