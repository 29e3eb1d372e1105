//! What happened in a seed, in order: a running hash always, the lines themselves when somebody wants to read them.

use crate::{RunId, WorkId};
use std::fmt::Write;

/// One thing that happened, small enough to be written down for every step of every seed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Claimed(WorkId, i32),
    Called(WorkId, i32),
    LookedUp(WorkId, i32),
    Submitted(WorkId, i32),
    GaveBack(WorkId, i32, &'static str),
    Began(usize),
    Committed(u64),
    Split(&'static str),
    Verdict(RunId, &'static str),
    Asked(usize),
    Told(usize),
    Rescued(WorkId, i32),
    Reclaimed(WorkId, i32),
    Mischief(&'static str),
    PutAway(RunId),
    Started,
    Healed,
}

/// The log of one seed. The hash is FNV-1a over instants, processes and deeds.
#[derive(Debug)]
pub(super) struct Log {
    hash: u64,
    lines: Option<String>,
    pub(super) deeds: u64,
}

impl Log {
    pub(super) fn new(readable: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: readable.then(String::new), deeds: 0 }
    }

    pub(super) fn note(&mut self, at: i64, process: usize, deed: Deed) {
        self.deeds += 1;
        let (code, who, number, word) = deed.parts();
        self.feed(&at.to_be_bytes());
        self.feed(&[u8::try_from(process).unwrap_or(u8::MAX), code]);
        if let Some((run, place)) = who {
            self.feed(run.uuid().as_bytes());
            self.feed(&place.to_be_bytes());
        }
        self.feed(&number.to_be_bytes());
        self.feed(word.as_bytes());
        if let Some(lines) = &mut self.lines {
            let _ = writeln!(lines, "{:>11.6} s  p{process}  {}", Seconds(at), deed.say());
        }
    }

    /// Bytes that are not a deed but must be the same for the same seed.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines, when they were wanted.
    pub(super) fn lines(&self) -> &str {
        self.lines.as_deref().unwrap_or_default()
    }
}

/// Microseconds, read as seconds.
struct Seconds(i64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        f.pad(&text)
    }
}

/// A run, cut to what tells it apart.
pub(super) fn short(run: RunId) -> String {
    let text = run.uuid().simple().to_string();
    text[text.len() - 6..].to_owned()
}

type Parts = (u8, Option<(RunId, i64)>, i64, &'static str);

impl Deed {
    fn parts(self) -> Parts {
        let place = |work: WorkId| Some((work.run, i64::from(work.seq) << 32 | i64::from(work.n)));
        let wide = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        match self {
            Self::Claimed(work, attempt) => (0, place(work), attempt.into(), ""),
            Self::Called(work, attempt) => (1, place(work), attempt.into(), ""),
            Self::LookedUp(work, attempt) => (2, place(work), attempt.into(), ""),
            Self::Submitted(work, attempt) => (3, place(work), attempt.into(), ""),
            Self::GaveBack(work, attempt, class) => (4, place(work), attempt.into(), class),
            Self::Began(inputs) => (5, None, wide(inputs), ""),
            Self::Committed(tx) => (6, None, i64::try_from(tx).unwrap_or(i64::MAX), ""),
            Self::Split(why) => (7, None, 0, why),
            Self::Verdict(run, word) => (8, Some((run, 0)), 0, word),
            Self::Asked(client) => (9, None, wide(client), ""),
            Self::Told(client) => (10, None, wide(client), ""),
            Self::Rescued(work, attempt) => (11, place(work), attempt.into(), ""),
            Self::Reclaimed(work, attempt) => (12, place(work), attempt.into(), ""),
            Self::Mischief(kind) => (13, None, 0, kind),
            Self::Started => (14, None, 0, ""),
            Self::Healed => (15, None, 0, ""),
            Self::PutAway(run) => (16, Some((run, 0)), 0, ""),
        }
    }

    fn say(self) -> String {
        let name = |work: WorkId| format!("{}:{}:{}", short(work.run), work.seq, work.n);
        match self {
            Self::Claimed(work, attempt) => format!("claims {} for try {attempt}", name(work)),
            Self::Called(work, attempt) => format!("calls out for {}, try {attempt}", name(work)),
            Self::LookedUp(work, attempt) => format!("looks up {}, try {attempt}", name(work)),
            Self::Submitted(work, attempt) => format!("submits {}, try {attempt}", name(work)),
            Self::GaveBack(work, attempt, class) => format!("gives back {}, try {attempt}: {class}", name(work)),
            Self::Began(inputs) => format!("decides {inputs} inputs"),
            Self::Committed(tx) => format!("commits transaction {tx}"),
            Self::Split(why) => format!("splits its group: {why}"),
            Self::Verdict(run, word) => format!("{}: {word}", short(run)),
            Self::Asked(client) => format!("is asked by client {client}"),
            Self::Told(client) => format!("answers client {client}"),
            Self::Rescued(work, attempt) => format!("rescues {} from try {attempt}", name(work)),
            Self::Reclaimed(work, attempt) => format!("reclaims {} from try {attempt}", name(work)),
            Self::Mischief(kind) => format!("MISCHIEF: {kind}"),
            Self::PutAway(run) => format!("puts {} away", short(run)),
            Self::Started => "starts".to_owned(),
            Self::Healed => "everything heals".to_owned(),
        }
    }
}
