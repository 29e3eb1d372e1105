//! The proof of the harness: the same play with a known bug in the product. The oracle must find it within three seeds, for what it is.
//!
//! The binary of the tests is built with the feature `faults`; `INNKEEPER_FAULTS` chooses the bug at run time. Where a bug needs a
//! kill at one instant of a few microseconds, a crash point sees to that instant. There are eight bugs, some in more than one form; the
//! cheap ones are found at every run of the tests, all of them by `./ops/chaos --prove`.

use std::time::Duration;

use super::monkey::Chaos;
use super::oracle::{INVARIANTS, Wrong};
use super::play::{Outcome, Play, Storage};
use super::script::Measure;

const SEEDS: [u64; 3] = [101, 102, 103];

/// Plays until the oracle finds what was planted.
fn must_find(wrong: Wrong, play: Play) {
    must_find_all(&[wrong], play);
}

/// Plays until the oracle finds what was planted, in each of these ways.
fn must_find_all(wrongs: &[Wrong], play: Play) {
    let mut told = String::new();
    for seed in SEEDS {
        let Outcome { findings, figures, .. } = Play { seed, ..play }.run();
        println!("{figures}: {} findings\n{findings}", findings.0.len());
        if wrongs.iter().all(|wrong| findings.has(*wrong)) {
            return;
        }
        told.push_str(&format!("{figures}\n{findings}"));
    }
    panic!("{} was planted and {wrongs:?} not found with the seeds {SEEDS:?}:\n{told}", play.faults);
}

/// A shorter play, with as much to do at once.
const fn small(faults: &'static str, chaos: Chaos) -> Play {
    let measure = Measure { slots: 60, homes: 10, guests: 6, contested: 3, rivals: 3 };
    Play { faults, chaos, measure, brief: true, ..Play::of_servers(0) }
}

/// Many who want the same nights at once.
const fn crowded(faults: &'static str) -> Play {
    let measure = Measure { slots: 30, homes: 6, guests: 8, contested: 1, rivals: 6 };
    Play { faults, measure, ..small(faults, Chaos::NONE) }
}

/// One thing after the other is spoiled in the tables of a play that was in order, so that each check has been seen to find something.
/// The bugs below show the rest: what processes do, and what the gateway is asked for.
const SPOILS: &[(Wrong, &str)] = &[
    (Wrong::Nights, "delete from unit_night where ctid = (select min(ctid) from unit_night where booking_id is not null)"),
    (Wrong::Unsealed, "update event_log set position = null where position = 3"),
    (Wrong::Unexpected, "update workflow_run set unexpected = 1 where ctid = (select min(ctid) from workflow_run)"),
    (Wrong::History, "update workflow_journal set event = event || ' ' where ctid = (select min(ctid) from workflow_journal)"),
    (Wrong::Ending, "update booking set phase = 'confirmed' where ctid = (select min(ctid) from booking where phase = 'expired')"),
    (Wrong::Paid, "update booking set phase = 'expired' where ctid = (select min(ctid) from booking where phase = 'completed')"),
    (Wrong::Money, "update payment set captured_minor = captured_minor - 1 where ctid = (select min(ctid) from payment where captured_minor > refunded_minor)"),
    (Wrong::Ledger, "update ledger_leg set amount_minor = 1 where ctid = (select min(ctid) from ledger_leg)"),
    (Wrong::Files, "update property_image set variants = '[]' where ctid = (select min(ctid) from property_image where status = 'ready')"),
    (Wrong::Stranded, "update workflow_run set status = 0 where ctid = (select min(ctid) from workflow_run where workflow = 'mail')"),
    (Wrong::Letters, "delete from workflow_run where ctid = (select max(ctid) from workflow_run where workflow = 'mail')"),
    (
        Wrong::Left,
        "insert into workflow_work (run, seq, n, kind, scope, workflow, queue, name, payload, due, not_before, attempt, failures)
         select id, 99, 0, 1, 0, workflow, 'mail', '', '{}', 0, 0, 0, 0 from workflow_run limit 1",
    ),
    (
        Wrong::Unasked,
        "delete from workflow_journal where key like 'fx:%' and event like '%Captured%';
         delete from workflow_journal_archive where key like 'fx:%' and event like '%Captured%'",
    ),
    (Wrong::Orphan, "delete from workflow_run where ctid = (select min(ctid) from workflow_run where workflow = 'payout')"),
    (Wrong::Promise, "delete from booking where ctid = (select max(ctid) from booking)"),
];

#[test]
#[ignore = "of ./ops/chaos --prove: long"]
fn whatever_is_spoiled_is_found() {
    let calm = Play { spoils: SPOILS, brief: false, ..small("", Chaos::NONE) };
    let overlooked = Play { seed: 100, ..calm }.must_be_clean().overlooked;
    assert!(overlooked.is_empty(), "spoiled, and not found: {overlooked:?}");
}

/// What each check must find is demanded above or below, by its name.
#[test]
fn every_invariant_has_something_planted_for_it() {
    let demands = include_str!("planted.rs");
    for invariant in INVARIANTS {
        let name = format!("{:?}", invariant.name);
        let wrong = ["Wrong::", &name, ","].concat();
        let last = ["Wrong::", &name, "]"].concat();
        assert!(demands.contains(&wrong) || demands.contains(&last), "nothing is planted that {name} must find");
    }
}

// Check-then-insert: a night is looked at and then taken.

#[test]
fn a_night_without_its_key_is_found() {
    must_find(Wrong::Nights, crowded("no_night_key"));
}

#[test]
#[ignore = "of ./ops/chaos --prove: another storage of a bug that is found here"]
fn a_night_without_its_key_is_found_on_sqlite_too() {
    must_find(Wrong::Nights, Play { storage: Storage::Embedded, ..crowded("no_night_key") });
}

#[test]
#[ignore = "of ./ops/chaos --prove: another form of a bug that is found here"]
fn a_violated_key_that_nobody_heeds_is_found() {
    must_find(Wrong::Nights, crowded("key_violation_ignored"));
}

// No idempotency key.

#[test]
fn a_new_key_for_every_try_is_found() {
    must_find(Wrong::Twice, small("new_key_per_attempt,crash:after_perform:60", Chaos::NONE));
}

// Acknowledged before it is done: whoever dies in between takes the work along, and its process waits for an answer for ever.

#[test]
#[ignore = "of ./ops/chaos --prove: long"]
fn work_that_is_struck_off_before_it_is_done_is_found() {
    must_find(Wrong::Stranded, small("ack_before_work,crash:after_perform:40", Chaos::NONE));
}

// Committed, then published: what is to be done next is not a row of the commit that decided it.

#[test]
#[ignore = "of ./ops/chaos --prove: long"]
fn work_that_only_memory_knows_is_found() {
    must_find(Wrong::Stranded, small("no_outbox,crash:after_commit:40", Chaos::NONE));
}

#[test]
#[ignore = "of ./ops/chaos --prove: another form of a bug that is found there"]
fn an_effect_before_its_commit_is_found() {
    must_find(Wrong::Unasked, small("effect_before_commit,crash:before_commit:12", Chaos::NONE));
}

// No check of a signature.

#[test]
fn a_message_that_nobody_signed_is_found() {
    must_find(Wrong::Forged, small("no_signature_check", Chaos::NONE));
}

// No fence: a frozen worker wakes up to find its work in other hands, and its answer is taken all the same. The same outcome stands
// twice in a journal, or would, if the journal's key did not refuse it loudly.

#[test]
fn a_late_answer_that_is_not_refused_is_found() {
    let chaos = Chaos { freezes: 1, ..Chaos::NONE };
    must_find(Wrong::Alarm, small("no_fencing", chaos));
}

// A transaction across a call to the outside.

#[test]
#[ignore = "of ./ops/chaos --prove: long"]
fn a_transaction_across_a_call_to_the_outside_is_found() {
    must_find(Wrong::Open, small("call_within_transaction", Chaos::NONE));
}

// Nobody sweeps: what the dead held is held for too long, and there is no rest as long as it is.

#[test]
#[ignore = "of ./ops/chaos --prove: long"]
fn a_sweeper_that_never_sweeps_is_found() {
    let chaos = Chaos { kill_workers: 6, ..Chaos::NONE };
    must_find_all(
        &[Wrong::Late, Wrong::Restless],
        Play { rest: Duration::from_secs(25), ..small("sweeper_off", chaos) },
    );
}
