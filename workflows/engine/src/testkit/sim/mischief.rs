//! Everything that goes wrong on purpose. Each kind is certain to strike once per seed, and by chance more often.

use super::dice::Dice;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mischief {
    /// The process dies with a lease in hand, before it calls the outside party.
    CrashBeforeCall,
    /// The process dies when the outside party has done it and nobody has written it down.
    CrashAfterCall,
    /// The process dies with a transaction open.
    CrashBeforeCommit,
    /// The process dies when the commit is through and nobody has heard of it.
    CrashAfterCommit,
    /// The commit goes through, its answer does not.
    CommitUnknown,
    /// The connection breaks before the commit.
    CommitLost,
    /// A lease is put back or parked, or not; the answer is lost.
    GiveBackUnknown,
    /// The process stands still for longer than its lease and then goes on.
    Pause,
    /// A bell between processes is not heard.
    BellLost,
    /// A request is sent twice.
    Duplicate,
    /// What came first is taken in last.
    Reorder,
    /// A request, an answer or a commit takes very long.
    Delay,
    /// The party does it, its reply is lost.
    ReplyLost,
    /// The party does not do it and says so.
    PartyDown,
    /// The party cannot say what became of an earlier try.
    CannotSay,
    /// The party cannot be asked what became of an earlier try.
    CannotAsk,
    /// An operator holds a queue or a workflow back for a while.
    HeldBack,
    /// A piece of work kills its process at every try, until somebody mends it.
    Poison,
    /// The process is replaced: it hands over what it has and ends.
    Replaced,
}

use Mischief as M;

/// So rare that only the one certain strike is left.
const ONCE: u64 = 1 << 40;

/// Every kind, and how rare it is beyond the one certain strike: once in so many chances.
const RARITY: [(Mischief, u64); KINDS] = [
    (M::CrashBeforeCall, 250),
    (M::CrashAfterCall, 250),
    (M::CrashBeforeCommit, 500),
    (M::CrashAfterCommit, 500),
    (M::CommitUnknown, 60),
    (M::CommitLost, 60),
    (M::GiveBackUnknown, 15),
    (M::Pause, 700),
    (M::BellLost, 6),
    (M::Duplicate, 6),
    (M::Reorder, 4),
    (M::Delay, 40),
    (M::ReplyLost, 12),
    (M::PartyDown, 8),
    (M::CannotSay, 4),
    (M::CannotAsk, 4),
    (M::HeldBack, 60),
    (M::Poison, ONCE),
    (M::Replaced, 150),
];

/// How many kinds there are.
pub const KINDS: usize = 19;

/// The mischief of one seed.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Chances until the certain strike.
    certain: [u64; KINDS],
    hits: [u32; KINDS],
    over: bool,
}

impl Plan {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let certain = RARITY.map(|(kind, _)| 1 + dice.below(if kind == M::Pause { 60 } else { 4 }));
        Self { certain, hits: [0; KINDS], over: false }
    }

    /// From here on everything heals.
    pub(super) fn end(&mut self) {
        self.over = true;
    }

    /// Whether this chance is taken.
    pub(super) fn strikes(&mut self, kind: Mischief, dice: &mut Dice) -> bool {
        if self.over {
            return false;
        }
        let at = kind as usize;
        self.certain[at] = self.certain[at].saturating_sub(1);
        let certain = self.certain[at] == 0 && self.hits[at] == 0;
        let struck = certain || dice.one_in(RARITY[at].1);
        self.hits[at] += u32::from(struck);
        struck
    }

    /// How often each kind struck.
    pub(super) fn hits(&self) -> impl Iterator<Item = (Mischief, u32)> + '_ {
        RARITY.iter().map(|(kind, _)| *kind).zip(self.hits.iter().copied())
    }
}

impl Mischief {
    /// Its name, for the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            M::CrashBeforeCall => "dies before it calls",
            M::CrashAfterCall => "dies after it called",
            M::CrashBeforeCommit => "dies before it commits",
            M::CrashAfterCommit => "dies after it committed",
            M::CommitUnknown => "does not hear of its commit",
            M::CommitLost => "loses its connection before the commit",
            M::GiveBackUnknown => "does not hear whether its lease is given back",
            M::Pause => "stands still",
            M::BellLost => "misses a bell",
            M::Duplicate => "is asked twice",
            M::Reorder => "takes in last what came first",
            M::Delay => "waits for long",
            M::ReplyLost => "does not hear the party's reply",
            M::PartyDown => "finds the party down",
            M::CannotSay => "hears that the party cannot say",
            M::CannotAsk => "cannot ask the party",
            M::HeldBack => "has its work held back",
            M::Poison => "is killed by its work",
            M::Replaced => "is replaced and hands over its work",
        }
    }
}
