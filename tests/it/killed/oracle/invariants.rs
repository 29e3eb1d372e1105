//! What must be so after every play, in one list and in our own words, each with the function that looks.

use std::time::Duration;

use anyhow::Result;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Found, Scene, files, gateway, history, letters, money, nights, promises, works};

/// One thing that holds whatever was killed, frozen, cut or emptied.
pub(crate) struct Invariant {
    pub(crate) name: Wrong,
    pub(crate) says: &'static str,
    pub(crate) since: Since,
    pub(crate) check: Check,
}

/// Looks at what a play has left behind, and tells of all that is not as it should be.
pub(crate) type Check = for<'a> fn(&'a Scene<'a>, &'a mut Found) -> BoxFuture<'a, Result<()>>;

/// From when on something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Since {
    /// At any instant, whatever is under way.
    Ever,
    /// Once nothing that is due is left to do.
    Rest,
    /// Once all the time has passed that anything waits for.
    TheEnd,
}

/// What is wrong when an invariant does not hold, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    Promise,
    Forged,
    Nights,
    Twice,
    Orphan,
    History,
    Alarm,
    Open,
    Late,
    Restless,
    Unasked,
    Letters,
    Files,
    Unsealed,
    Unexpected,
    Stranded,
    Ending,
    Paid,
    Money,
    Ledger,
    Left,
}

/// How long the dead may keep work from the living: ten seconds of patience with a heartbeat, a second between two beats, and a round
/// of the rescue.
pub(crate) const RESCUE: Duration = Duration::from_secs(12);
/// The longest that a transaction may stay open while nobody works in it.
pub(crate) const OPEN: Duration = Duration::from_secs(5);

const fn invariant(since: Since, name: Wrong, check: Check, says: &'static str) -> Invariant {
    Invariant { name, says, since, check }
}

pub(crate) const INVARIANTS: &[Invariant] = &[
    invariant(
        Since::Ever,
        Wrong::Promise,
        |scene, found| promises::kept(scene, found).boxed(),
        "what a client was told is there and is said the same way twice, and nothing is there that nobody asked for",
    ),
    invariant(
        Since::Ever,
        Wrong::Forged,
        |scene, found| promises::unforged(scene, found).boxed(),
        "a message that the gateway did not sign is refused",
    ),
    invariant(
        Since::Ever,
        Wrong::Nights,
        |scene, found| nights::once(scene, found).boxed(),
        "no night is slept in twice, and every live booking holds exactly its nights",
    ),
    invariant(
        Since::Ever,
        Wrong::Twice,
        |scene, found| gateway::once(scene, found).boxed(),
        "every step has one key at the gateway, under each key one thing happened once, and no payment, capture or transfer was \
         made twice",
    ),
    invariant(
        Since::Ever,
        Wrong::Orphan,
        |scene, found| promises::paired(scene, found).boxed(),
        "every booking, payment and payout has its run, and every such run its row",
    ),
    invariant(
        Since::Ever,
        Wrong::History,
        |scene, found| history::proves_itself(scene, found).boxed(),
        "every journal's chain is whole and replays to the state that its run is in",
    ),
    invariant(
        Since::Ever,
        Wrong::Alarm,
        |scene, found| works::calls_nobody(scene, found).boxed(),
        "no process asks for a person, and every one that is asked to stop ends well",
    ),
    invariant(
        Since::Ever,
        Wrong::Open,
        |scene, found| works::closes(scene, found).boxed(),
        "no transaction stays open for five seconds while nobody works in it",
    ),
    invariant(
        Since::Ever,
        Wrong::Late,
        |scene, found| works::rescues(scene, found).boxed(),
        "the dead keep work from the living for twelve seconds at most, and whoever was asked to end for no time at all",
    ),
    invariant(
        Since::Ever,
        Wrong::Restless,
        |scene, found| works::rests(scene, found).boxed(),
        "what is due is done, and then there is rest",
    ),
    invariant(
        Since::Rest,
        Wrong::Unasked,
        |scene, found| gateway::asked_for(scene, found).boxed(),
        "the gateway did nothing whose outcome does not stand in a journal of ours",
    ),
    invariant(
        Since::Rest,
        Wrong::Letters,
        |scene, found| letters::once(scene, found).boxed(),
        "every letter was written, and none was written to one reader twice",
    ),
    invariant(
        Since::Rest,
        Wrong::Files,
        |scene, found| files::belong(scene, found).boxed(),
        "every photograph that was taken in has its files, and every file its photograph",
    ),
    invariant(
        Since::Rest,
        Wrong::Unsealed,
        |scene, found| history::sealed(scene, found).boxed(),
        "every fact is sealed, without a gap",
    ),
    invariant(
        Since::Rest,
        Wrong::Unexpected,
        |scene, found| history::expected(scene, found).boxed(),
        "no fact found its run in a state that has no place for it, and no work waits for a person",
    ),
    invariant(
        Since::Rest,
        Wrong::Stranded,
        |scene, found| works::none_stranded(scene, found).boxed(),
        "whatever waits for an answer from outside has the work that asks for it",
    ),
    invariant(
        Since::TheEnd,
        Wrong::Ending,
        |scene, found| promises::ended(scene, found).boxed(),
        "every booking, payment and other run has come to an end that fits what its people did",
    ),
    invariant(
        Since::TheEnd,
        Wrong::Paid,
        |scene, found| money::paid_once(scene, found).boxed(),
        "whoever stayed has paid once, whoever was turned away has all of it back, and nothing is held on a card",
    ),
    invariant(
        Since::TheEnd,
        Wrong::Money,
        |scene, found| money::agrees(scene, found).boxed(),
        "payment by payment and in all, the gateway's books and ours are the same to the cent",
    ),
    invariant(
        Since::TheEnd,
        Wrong::Ledger,
        |scene, found| money::balances(scene, found).boxed(),
        "the ledger's sum is zero in every currency, and nothing is left on the accounts of what was under way",
    ),
    invariant(
        Since::TheEnd,
        Wrong::Left,
        |scene, found| works::none_left(scene, found).boxed(),
        "no work, lease or timer is left when there is nothing more to do",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_invariant_has_a_name_of_its_own() {
        let names: BTreeSet<Wrong> = INVARIANTS.iter().map(|invariant| invariant.name).collect();
        assert_eq!(names.len(), INVARIANTS.len());
    }
}
