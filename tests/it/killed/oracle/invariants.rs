//! What must be so after every play, in one list: our own words for what the literature numbers.

use super::Wrong;

/// One thing that holds whatever was killed, frozen, cut or emptied.
pub(crate) struct Invariant {
    pub(crate) says: &'static str,
    /// How the oracle calls it when it does not hold; the module of that part of the oracle looks.
    pub(crate) otherwise: Wrong,
}

const fn invariant(otherwise: Wrong, says: &'static str) -> Invariant {
    Invariant { says, otherwise }
}

pub(crate) const INVARIANTS: &[Invariant] = &[
    // promises
    invariant(
        Wrong::Promise,
        "what a client was told is so: every acknowledged booking, answer, cancellation and photograph is there",
    ),
    invariant(Wrong::Promise, "nothing is there that nobody asked for, and two answers to one key say the same"),
    invariant(Wrong::Forged, "a message that the gateway did not sign is refused"),
    invariant(Wrong::Ending, "every booking, payment and other run has come to an end that it may have"),
    // nights
    invariant(Wrong::Nights, "no night is slept in twice, and every live booking holds exactly its nights"),
    // gateway
    invariant(Wrong::Twice, "every step has one key at the gateway, and under each key one thing happened, once"),
    invariant(Wrong::Unasked, "the gateway did nothing whose outcome does not stand in a journal of ours"),
    // money
    invariant(Wrong::Money, "payment by payment and in all, the gateway's books and ours are the same to the cent"),
    invariant(
        Wrong::Ledger,
        "the ledger's sum is zero in every currency, and nothing is left on the accounts of what was under way",
    ),
    // letters
    invariant(Wrong::Letters, "every letter was written, and none was written to one reader twice"),
    // history
    invariant(
        Wrong::History,
        "every journal's chain is whole, replays to the state that its run is in, and every fact is sealed without a gap",
    ),
    invariant(
        Wrong::Unexpected,
        "no fact found its run in a state that has no place for it, and no work waits for a person",
    ),
    invariant(Wrong::Restless, "work comes to rest: nothing is due, leased or left when there is nothing more to do"),
    // the processes themselves
    invariant(Wrong::Alarm, "no process asks for a person, and every one that is asked to stop ends well"),
    invariant(Wrong::Open, "no transaction stays open while nobody works in it"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_of_finding_breaks_something_that_we_promise() {
        let promised: BTreeSet<Wrong> = INVARIANTS.iter().map(|invariant| invariant.otherwise).collect();
        assert_eq!(promised, Wrong::ALL.into());
        assert!(INVARIANTS.iter().all(|invariant| !invariant.says.is_empty()));
    }
}
