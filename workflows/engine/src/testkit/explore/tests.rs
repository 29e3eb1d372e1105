//! Each check catches the mistake that is planted for it, and a sound workflow passes them all.

use super::{Explored, Network, Player, explore};
use crate::RunId;
use crate::testkit::toy::{self, Books, Event, Guard, Lamp, Mistake, Post, State, noon};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn lamp(mistake: Option<Mistake>) -> Network<Books> {
    let room = toy::Room { mistake, guard: None };
    let network = Network::new(Books::default(), noon()).with(toy::player());
    network.start::<Lamp>(RunId::from_uuid(uuid::Uuid::from_u128(1)), "lamp", &room)
}

fn guarded(mistake: Option<Mistake>) -> Explored<Books> {
    let room = toy::guarded(mistake);
    let network = Network::new(Books::default(), noon()).with(toy::player()).with(Player::<Guard, Books>::new());
    network.start::<Lamp>(RunId::from_uuid(uuid::Uuid::from_u128(1)), "lamp", &room).walk()
}

/// The message of the panic that the check ends with.
fn caught(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the planted mistake is caught");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn a_sound_workflow_passes_every_check() {
    for explored in [lamp(None).walk(), lamp(None).repeats(1).walk(), lamp(None).contested().walk()] {
        explored
            .always("one lamp at most", |at| (0..=1).contains(&at.world.burning))
            .no_effect_outcome_is_ever_refused()
            .always_ends()
            .always_ends_by_itself()
            .sometimes("it burns", |at| matches!(at.state::<Lamp>(), Some(State::Lit { .. })))
            .at_every_end("it is dark", |at| at.world.burning == 0)
            .no_fact_is_ever_refused();
    }
}

#[test]
fn one_workflow_on_its_own_needs_no_network() {
    let explored = explore::<Lamp>(toy::room(), noon())
        .world(0, |burnt: &mut i32, turn| *burnt += i32::from(turn.event == Some(&Event::SwitchedOn)))
        .outcomes(|effect, _| match effect {
            toy::Effect::SwitchOn => vec![Event::SwitchedOn, Event::Broken],
            _ => vec![Event::SwitchedOff],
        })
        .walk();
    explored.always("on once", |at| *at.world <= 1).always_ends();
    assert_eq!(explored.summary(), "10 situations, 10 moves, ends:\n  4 × lamp Dark");
}

#[test]
fn a_refused_outcome_is_found_with_the_shortest_way() {
    let explored = lamp(Some(Mistake::ForgetsTheLateLamp)).walk();
    let message = caught(|| {
        explored.no_effect_outcome_is_ever_refused();
    });
    let told = "explore: an effect's outcome is refused; a shortest way there:
lamp  start                       → Asked        run SwitchOn, timer Patience +5m, deadline Bedtime +8h
lamp  Elapsed(Patience) (claimed) → Dark         withdraw SwitchOn
lamp  SwitchedOn                  ✗ out_of_turn";
    assert_eq!(message, told);
}

#[test]
fn an_invariant_that_breaks_is_found() {
    let explored = lamp(Some(Mistake::AsksTwice)).walk();
    let message = caught(|| {
        explored.always("one lamp at most", |at| at.world.burning <= 1);
    });
    assert!(message.starts_with("explore: not always: one lamp at most; a shortest way there:"), "{message}");
    assert!(message.ends_with("world: {\"burning\":2}"), "{message}");
}

#[test]
fn an_end_with_something_left_over_is_found() {
    let explored = lamp(Some(Mistake::LeavesItOn)).walk();
    let message = caught(|| {
        explored.at_every_end("it is dark", |at| at.world.burning == 0);
    });
    assert!(message.contains("lamp in Dark; pending: nothing; armed: nothing"), "{message}");
}

#[test]
fn a_run_that_only_a_person_can_end_is_told_from_a_trap() {
    let lazy = lamp(Some(Mistake::HasNoBedtime)).walk();
    lazy.always_ends();
    let message = caught(|| {
        lazy.always_ends_by_itself();
    });
    assert!(message.contains("it does not end unless somebody acts"), "{message}");

    let trap = lamp(Some(Mistake::LocksTheDoor)).walk();
    let message = caught(|| {
        trap.always_ends();
    });
    assert!(message.starts_with("explore: there is no way to an end;"), "{message}");
    assert!(message.contains("lamp in Lit{since: 2026-05-01T12:00Z}; pending: nothing; armed: nothing"), "{message}");
}

#[test]
fn an_endless_workflow_hits_the_bound() {
    let message = caught(|| drop(lamp(Some(Mistake::WaitsForEver)).at_most(40).walk()));
    assert!(message.starts_with("explore: more than 40 situations, so probably without end: a timer"), "{message}");
}

#[test]
fn an_effect_that_brings_nothing_is_a_mistake_of_the_test() {
    let silent = Network::new((), noon()).with(Player::<Lamp, ()>::new());
    let network = silent.start::<Lamp>(RunId::from_uuid(uuid::Uuid::from_u128(1)), "lamp", &toy::room());
    let message = caught(|| drop(network.walk()));
    assert!(message.starts_with("explore: lamp: `outcomes` says nothing about SwitchOn; the way there:"), "{message}");
}

#[test]
fn a_taken_lamp_is_explored_when_asked() {
    let free = lamp(None).walk();
    let contested = lamp(None).contested().walk();
    assert!(contested.edges.len() > free.edges.len());
    contested.no_fact_is_ever_refused().always_ends_by_itself();
    let unforeseen = lamp(Some(Mistake::TakesTheBulb)).contested().walk();
    let message = caught(|| {
        unforeseen.no_effect_outcome_is_ever_refused();
    });
    assert!(message.contains("SwitchedOn (taken)"), "{message}");
}

#[test]
fn a_fact_that_comes_twice_is_explored_when_asked() {
    lamp(Some(Mistake::HatesEchoes)).walk().no_fact_is_ever_refused();
    let message = caught(|| {
        lamp(Some(Mistake::HatesEchoes)).repeats(1).walk().no_fact_is_ever_refused();
    });
    assert!(message.contains("SwitchedOn (again) ✗ out_of_turn"), "{message}");
}

#[test]
fn runs_that_talk_to_each_other_meet_in_every_order() {
    let explored = guarded(None);
    explored
        .no_fact_is_ever_refused()
        .always_ends_by_itself()
        .sometimes("the guard leaves first", |at| {
            at.state::<Guard>() == Some(&Post::Home) && at.state::<Lamp>() != Some(&State::Dark)
        })
        .sometimes("it is dark before the guard comes", |at| {
            at.state::<Guard>().is_none() && at.state::<Lamp>() == Some(&State::Dark)
        });
    let message = caught(|| {
        guarded(Some(Mistake::GuardGoesHome)).no_fact_is_ever_refused();
    });
    let told = "explore: a fact is refused; a shortest way there:
lamp   start             → Asked        run SwitchOn, timer Patience +5m, deadline Bedtime +8h, spawn guard guard
lamp   Elapsed(Patience) → Dark         withdraw SwitchOn, tell guard Darkened
guard  start             → Watching     timer none +6h
guard  ShiftOver         → Home
guard  Darkened          ✗ out_of_turn";
    assert_eq!(message, told);
}

#[test]
fn runs_of_one_workflow_are_told_apart() {
    let start = |network: Network<()>, id| {
        network.start::<Guard>(RunId::from_uuid(uuid::Uuid::from_u128(id)), "guard", &toy::room())
    };
    let guards = start(start(Network::new((), noon()).with(Player::<Guard, ()>::new()), 1), 2).walk();
    let message = caught(|| {
        guards.always("the second watches", |at| {
            at.states::<Guard>().nth(1).is_none_or(|(_, post)| *post == Post::Watching)
        });
    });
    assert!(message.contains("guard …0002  ShiftOver → Home"), "{message}");
}

#[test]
fn a_due_timer_comes_before_whatever_happens_after_it() {
    let late = noon() + chrono::TimeDelta::minutes(10);
    let explored = lamp(None).pauses([late]).walk();
    explored
        .sometimes("the clock rests there", |at| at.now == late && at.state::<Lamp>() == Some(&State::Asked))
        .sometimes("it burns there", |at| at.now == late && matches!(at.state::<Lamp>(), Some(State::Lit { .. })))
        .always("patience has ended by then", |at| at.state::<Lamp>() != Some(&State::Lit { since: late }));
    let tomorrow = late + chrono::TimeDelta::days(1);
    let message = caught(|| {
        explored.sometimes("it is tomorrow", |at| at.now > tomorrow);
    });
    assert!(message.starts_with("explore: never: it is tomorrow; explored\n"), "{message}");
}
