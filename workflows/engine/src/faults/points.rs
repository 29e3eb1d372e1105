//! The crash points, in one list: where a process may die, what has become true before, and what has not.
//!
//! A point stands on either side of every commit, of every call to the outside and of every hand-over between the two. A test finds
//! each of them in the file that is named here, and a play that does not pass all of them fails (`tests/it/killed`).

/// A place where the process may be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// What it is called in the code and in `INNKEEPER_FAULTS`.
    pub name: &'static str,
    /// The file it stands in.
    pub place: &'static str,
    /// What has become true when a process dies here.
    pub done: &'static str,
    /// What has not, and who sees to it.
    pub open: &'static str,
}

impl Point {
    /// Whether it stands in the product's own code: only what people do leads there.
    #[must_use]
    pub fn is_of_the_product(&self) -> bool {
        self.place.starts_with("workflows/src/")
    }
}

const fn point(place: &'static str, name: &'static str, done: &'static str, open: &'static str) -> Point {
    Point { name, place, done, open }
}

const WRITER: &str = "workflows/engine/src/writer.rs";
const ENGINE: &str = "workflows/engine/src/engine.rs";
const TX: &str = "workflows/engine/src/tx.rs";
const CLAIM: &str = "workflows/engine/src/claim.rs";
const EXECUTE: &str = "workflows/engine/src/execute.rs";
const LEASES: &str = "workflows/engine/src/lease_keeping.rs";
const SEALER: &str = "workflows/engine/src/sealer.rs";
const TICK: &str = "workflows/engine/src/schedule/tick.rs";
const ARCHIVE: &str = "workflows/engine/src/archive.rs";
const BELL: &str = "worker/src/bell.rs";
const RESERVATIONS: &str = "workflows/src/reservations/make.rs";
const WEBHOOKS: &str = "workflows/src/till/webhooks.rs";
const PHOTOS: &str = "workflows/src/photo/perform.rs";
const MAIL: &str = "workflows/src/mail/perform.rs";

/// All of them, in the order in which a booking's life comes by.
pub const POINTS: &[Point] = &[
    // A caller's own transaction, from its BEGIN to its last turn.
    point(ENGINE, "caller_before_begin", "a request was read", "nothing of it is written; the client asks again"),
    point(ENGINE, "caller_after_begin", "a transaction is open", "it dies with its connection; the client asks again"),
    point(
        TX,
        "caller_after_turn",
        "the turn is written",
        "it is not committed: nobody has seen it; the client asks again",
    ),
    point(
        RESERVATIONS,
        "booking_claimed",
        "the key of the request is taken",
        "not committed: the same key is free again",
    ),
    point(RESERVATIONS, "booking_started", "run, booking and nights are written", "not committed: the nights are free"),
    point(RESERVATIONS, "booking_committed", "the booking is made", "the client was not told; the same key tells it"),
    // Every commit, a caller's or the writer's.
    point(TX, "before_commit", "everything of the turns is written", "nothing of it is committed"),
    point(
        TX,
        "after_commit",
        "everything is committed, its first work leased to us",
        "nobody was told; the rescue frees the lease",
    ),
    point(
        TX,
        "before_bell",
        "work that we lease is in our hands",
        "the other processes do not know of the rest; their poll finds it",
    ),
    point(TX, "after_bell", "the bell was rung", "the ring may not have left this process; the poll finds the work"),
    point(BELL, "before_publish", "work is committed", "no ring has gone to Redis; the poll finds the work"),
    point(BELL, "after_publish", "the ring is out", "nothing: whoever hears it claims"),
    // The writer, from its BEGIN to the answers of its callers.
    point(WRITER, "writer_before_begin", "effects have their answers", "no turn has begun; the effects are looked up"),
    point(WRITER, "writer_after_begin", "a transaction is open", "no turn is written; the effects are looked up"),
    point(
        WRITER,
        "writer_applied",
        "a group of turns is written",
        "none of them is committed; the effects are looked up",
    ),
    point(
        WRITER,
        "writer_before_answer",
        "a group of turns is committed",
        "those who wait for it never hear; their fences are spent",
    ),
    // A lease, from its claim to its end.
    point(CLAIM, "before_claim", "work is due", "nobody has it; anybody claims it"),
    point(CLAIM, "after_claim", "work is leased to us", "nobody works on it; the rescue frees it"),
    point(
        EXECUTE,
        "before_perform",
        "the lease is ours",
        "nobody was called; the rescue frees it, and a look-up finds nothing",
    ),
    point(
        EXECUTE,
        "after_perform",
        "somebody outside has done it",
        "we do not know: the next holder looks it up before calling",
    ),
    point(EXECUTE, "before_submit", "the answer is in memory", "it is nowhere else; the next holder looks it up"),
    point(EXECUTE, "after_submit", "the answer's turn is committed", "nothing: the work is gone with its turn"),
    point(EXECUTE, "before_put_back", "a try has failed", "its failure is not noted: the next holder looks up first"),
    point(
        EXECUTE,
        "after_put_back",
        "the failure is noted, the next try has its instant",
        "nothing: whoever claims then tries",
    ),
    point(
        EXECUTE,
        "before_save_outcome",
        "an answer came, and its turn failed in our code",
        "the answer is not kept; it is looked up",
    ),
    point(
        EXECUTE,
        "after_save_outcome",
        "the answer is kept with the work",
        "the work is not parked yet; the next holder takes the answer",
    ),
    point(
        EXECUTE,
        "before_park",
        "work needs a person",
        "nobody can see that yet; the next holder comes to the same end",
    ),
    point(EXECUTE, "after_park", "the work is parked with its reason", "nothing, until a person has it tried again"),
    // What happens outside, seen from the hands.
    point(MAIL, "letter_written", "a letter is rendered", "it was not sent"),
    point(MAIL, "letter_sent", "the post has the letter", "we do not know: its Message-ID is looked up"),
    point(
        PHOTOS,
        "photo_developed",
        "the picture's files are in memory",
        "none of them is kept; it is developed again",
    ),
    point(
        PHOTOS,
        "photo_file_kept",
        "one of the picture's files is kept",
        "the others are not; all are put again, under the same names",
    ),
    // What the gateway tells us.
    point(WEBHOOKS, "webhook_believed", "a message's signature is right", "it is not kept; the gateway sends it again"),
    point(WEBHOOKS, "webhook_accepted", "the message is in the inbox", "not committed; the gateway sends it again"),
    point(
        WEBHOOKS,
        "webhook_committed",
        "the message and its turn are committed",
        "the gateway was not told and sends it again, which is refused as known",
    ),
    point(
        WEBHOOKS,
        "inbox_looked",
        "a tick looks for messages that nobody claimed",
        "nothing is changed; the next process ticks the same instant",
    ),
    // What looks after the work.
    point(
        LEASES,
        "after_beat",
        "this process is known to be alive",
        "it is dead: its leases are free when the beat is old",
    ),
    point(LEASES, "after_rescue", "the leases of the dead are free", "nobody was rung for; the poll finds them"),
    point(
        LEASES,
        "before_let_go",
        "the process was asked to end",
        "its leases are still its own; the rescue frees them",
    ),
    point(LEASES, "after_let_go", "its leases are free", "it still counts as alive; nothing depends on that"),
    point(SEALER, "before_stamp", "we lead the sealing", "nothing is stamped; the lead dies with the connection"),
    point(
        SEALER,
        "after_stamp",
        "facts have their positions and hashes",
        "not committed: the next leader stamps them again, the same",
    ),
    point(SEALER, "after_seal", "facts are sealed", "followers were not told; they ask"),
    point(TICK, "before_tick", "an instant of a schedule is recorded", "not committed: another process ticks it"),
    point(TICK, "after_tick", "what the instant brings is written", "not committed: another process ticks it, once"),
    point(
        ARCHIVE,
        "before_archive_commit",
        "finished runs are moved to the archive",
        "not committed: they are where they were",
    ),
    point(
        ARCHIVE,
        "after_archive_commit",
        "finished runs are in the archive",
        "the count of them is lost, which nobody needs",
    ),
];
