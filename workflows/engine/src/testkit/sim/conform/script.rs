//! What is done to both storages: drawn from the seed, aimed at what the memory holds, and often enough at what is not there.

use super::{Act, Archived, run};
use crate::brake::{Breaker, Bucket};
use crate::event::Fence;
use crate::storage::brakes::BrakeRow;
use crate::storage::schema::{LEASED, PARKED, kind};
use crate::storage::{Ask, Batch, Claim, Loaded, Order, Queued, Take, instant};
use crate::testkit::sim::dice::Dice;
use crate::testkit::sim::memory::{Memory, WorkRow};
use crate::turn::{JournalRow, Mark, NewWork, RunRow};
use crate::{Lane, Origin, Paused, Posted, Priority, RunId, Scope, Target, WorkId};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(super) const HOUR: i64 = 3_600_000_000;

const WORKFLOWS: [&str; 3] = ["stall", "letter", "fair"];
const QUEUES: [&str; 3] = ["default", "engine", "bank"];
const LANES: [&str; 3] = ["a", "b", "c"];
const PARTY: &str = "bank";
/// Runs of one seed, and processes.
const RUNS: u64 = 9;
const PROCESSES: u64 = 3;
/// Transactions that are open at the same time.
const OPEN: usize = 3;

pub(super) struct Script {
    dice: Dice,
    seed: u64,
    /// The memory's clock at the beginning, and hours since.
    began: i64,
    hours: i64,
    /// Whether transactions hold rows, and others can go on beside them.
    rows: bool,
    drawn: i64,
}

impl Script {
    pub(super) fn new(dice: Dice, seed: u64, began: i64, rows: bool) -> Self {
        Self { dice, seed, began, hours: 0, rows, drawn: 0 }
    }

    pub(super) fn next(&mut self, memory: &Memory, open: &BTreeMap<u8, (u64, Loaded)>, now: i64) -> Act {
        if let Some((name, (_, loaded))) = open.iter().next()
            && (!self.rows || open.len() == OPEN || self.dice.one_in(2))
        {
            return self.end(*name, memory, loaded, now);
        }
        // Beside an open transaction nothing is done that would wait for its rows, but for another transaction.
        let free = open.is_empty();
        match self.dice.below(34) {
            0..=9 => self.begin(memory, open),
            10..=14 => Act::Claim(self.claim()),
            15 | 16 => {
                let after = *self.pick(&["", "a", "b"]);
                let takes = vec![self.take(2)];
                Act::ClaimLanes(Claim { takes, ..self.claim() }, after.to_owned())
            }
            17 if free && !self.dice.one_in(3) => Act::LetGo(self.process()),
            17 => Act::Rescue,
            18 => Act::Beat { process: self.process(), alive: self.dice.one_in(2) },
            19 => Act::Leases(self.process()),
            20 => Act::Holds(self.fence(memory)),
            21 if free => Act::Brake(self.brake()),
            22 if free && self.dice.one_in(2) => {
                self.hours += 1;
                Act::Hour
            }
            28..=31 => self.archive(memory, now),
            32 | 33 => self.purge(memory, now),
            _ if free => self.of_one_lease(memory),
            // What passes over rows that somebody else has.
            _ => match self.dice.below(3) {
                0 => self.archive(memory, now),
                1 => self.purge(memory, now),
                _ => Act::Claim(self.claim()),
            },
        }
    }

    fn archive(&mut self, memory: &Memory, now: i64) -> Act {
        Act::Archive(self.workflow(|name| memory.has_over(name)), self.since(now))
    }

    fn purge(&mut self, memory: &Memory, now: i64) -> Act {
        Act::Purge(self.workflow(|name| memory.has_archived(name)), self.since(now))
    }

    fn of_one_lease(&mut self, memory: &Memory) -> Act {
        let fence = self.fence(memory);
        match self.dice.below(12) {
            0..=2 => Act::PutBack(fence, self.due()),
            3 | 4 => Act::Park(fence),
            5 => Act::ParkAnyhow(fence.work),
            6 => Act::Defer(fence, self.due()),
            7 => Act::Release(fence),
            8 => Act::Bury(fence),
            9 => Act::SaveOutcome(fence),
            _ => Act::Retry(self.work(memory, |row| row.not_before == PARKED)),
        }
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.dice.index(of.len())]
    }

    fn process(&mut self) -> Uuid {
        Uuid::from_u128(1 + u128::from(self.dice.below(PROCESSES)))
    }

    /// A full hour from two before now to two after, less some microseconds that nothing else is due at.
    fn due(&mut self) -> i64 {
        self.drawn += 1;
        self.began + (self.hours + self.dice.between(-2, 2)) * HOUR - self.drawn
    }

    /// Mostly a workflow like this.
    fn workflow(&mut self, like: impl Fn(&str) -> bool) -> &'static str {
        let fitting: Vec<&'static str> = WORKFLOWS.into_iter().filter(|name| like(name)).collect();
        let among = if fitting.is_empty() || self.dice.one_in(4) { WORKFLOWS.as_slice() } else { &fitting };
        self.pick::<&str>(among)
    }

    /// Mostly this instant, else some time ago.
    fn since(&mut self, now: i64) -> i64 {
        if self.dice.one_in(4) { now - HOUR / 2 } else { now + 1 }
    }

    /// Mostly something like this, else anything, else nothing that is there.
    fn work(&mut self, memory: &Memory, like: impl Fn(&WorkRow) -> bool) -> WorkId {
        let fitting: Vec<WorkId> = memory.work.iter().filter(|(_, row)| like(row)).map(|(work, _)| *work).collect();
        let all: Vec<WorkId> = memory.work.keys().copied().collect();
        match (fitting.is_empty(), all.is_empty(), self.dice.below(8)) {
            (false, _, 0..=5) => *self.pick(&fitting),
            (_, false, 0..=6) => *self.pick(&all),
            _ => WorkId { run: run(self.seed, 99), seq: 0, n: 0 },
        }
    }

    /// Mostly the latest claim of something leased.
    fn fence(&mut self, memory: &Memory) -> Fence {
        let work = self.work(memory, |row| row.not_before == LEASED);
        let attempt = memory.work.get(&work).map_or(1, |row| row.attempt);
        let late = i32::from(self.dice.one_in(4));
        Fence { work, attempt: attempt - late }
    }

    fn take(&mut self, queue: usize) -> Take {
        let room = i32::try_from(self.dice.between(1, 4)).unwrap_or(1);
        let party = if QUEUES[queue] == "bank" { PARTY } else { "" };
        Take { queue: QUEUES[queue], party, room, probe: self.dice.one_in(3) }
    }

    fn claim(&mut self) -> Claim {
        // Nobody claims from no queue at all.
        let always = self.dice.index(QUEUES.len());
        let asked: Vec<usize> = (0..QUEUES.len()).filter(|queue| *queue == always || !self.dice.one_in(4)).collect();
        let takes = asked.into_iter().map(|queue| self.take(queue)).collect();
        let known = self.dice.between(2, 3);
        let workflows = WORKFLOWS.into_iter().take(usize::try_from(known).unwrap_or(3)).collect();
        let shape = |dice: &mut Dice| i16::from(dice.one_in(2)) + 1;
        let shapes = (0..known).map(|_| shape(&mut self.dice)).collect();
        Claim { takes, order: Order::of(self.dice.below(16)), holder: self.process(), workflows, shapes }
    }

    fn brake(&mut self) -> BrakeRow {
        let target = match self.dice.below(3) {
            0 => Target::Queue((*self.pick(&QUEUES)).to_owned()),
            1 => Target::Workflow((*self.pick(&WORKFLOWS)).to_owned()),
            _ => Target::Party(PARTY.to_owned()),
        };
        // Mostly released: what is held back tells little.
        let pulled = self.dice.one_in(3);
        let paused = pulled.then(|| Paused { by: "o".to_owned(), why: "w".to_owned(), since: instant(self.began) });
        let open_until = (matches!(target, Target::Party(_)) && self.dice.one_in(3)).then_some(self.began);
        let failures = i32::try_from(self.dice.below(4)).unwrap_or(0);
        let failing_since = if failures > 0 { self.began } else { 0 };
        let probed_at = open_until.filter(|_| self.dice.one_in(2));
        let breaker = Breaker { failures, failing_since, openings: failures / 2, open_until, probed_at };
        let bucket = self.dice.one_in(2).then(|| Bucket { tokens: self.dice.unit() * 3.0, filled_at: self.began });
        let most = (matches!(target, Target::Queue(_)) && self.dice.one_in(3)).then_some(2);
        BrakeRow { target, paused, breaker, bucket, most }
    }

    fn begin(&mut self, memory: &Memory, open: &BTreeMap<u8, (u64, Loaded)>) -> Act {
        let runs: BTreeSet<RunId> =
            (0..self.dice.between(1, 3)).map(|_| run(self.seed, self.dice.below(RUNS))).collect();
        let mut fences = BTreeSet::new();
        for _ in 0..self.dice.below(3) {
            // An input completes work of its own run.
            let work = self.work(memory, |row| runs.contains(&row.new.work.run));
            fences.extend(runs.contains(&work.run).then_some(work));
            fences.extend(runs.first().map(|run| WorkId { run: *run, seq: 99, n: 0 }));
        }
        let mut keys = vec![];
        for run in &runs {
            let known: Vec<&String> = memory.turns(*run).iter().map(|turn| &turn.key).collect();
            if !known.is_empty() && self.dice.one_in(2) {
                keys.push((*run, (*self.pick(&known)).clone()));
            }
            keys.push((*run, format!("k{}", self.drawn)));
        }
        let name = (0..).find(|name| !open.contains_key(name)).unwrap_or(0);
        let archived = if self.dice.one_in(3) { Archived::Stay } else { Archived::Return };
        let ask = Ask { runs: runs.into_iter().collect(), fences: fences.into_iter().collect(), keys };
        Act::Begin(name, ask, archived)
    }

    fn end(&mut self, name: u8, memory: &Memory, loaded: &Loaded, now: i64) -> Act {
        if self.dice.one_in(10) {
            Act::Rollback(name)
        } else {
            Act::Commit(name, Box::new(self.batch(memory, loaded, now)))
        }
    }

    /// What a transaction writes: about the runs that it has locked, and sometimes with a key that is taken.
    fn batch(&mut self, memory: &Memory, loaded: &Loaded, now: i64) -> Batch {
        let mut batch = Batch { now, real: now, holder: self.process(), ..Batch::default() };
        let mut locked: Vec<&RunRow> = loaded.runs.values().filter(|row| !row.is_archived()).collect();
        locked.sort_by_key(|row| row.id);
        for row in &locked {
            self.turn(&mut batch, memory, row, now);
        }
        if locked.is_empty() || self.dice.one_in(4) {
            self.birth(&mut batch, memory, now);
        }
        let done: BTreeSet<WorkId> = loaded.fences.keys().copied().collect();
        let mut done: BTreeSet<WorkId> = done.into_iter().filter(|_| !self.dice.one_in(3)).collect();
        // Most of what is over leaves nothing to do, or nothing would ever be put away.
        for row in batch.moved.iter().filter(|row| row.finished) {
            let left = memory.work_of(row.id).map(|(work, _)| *work);
            done.extend(left.filter(|_| !self.dice.one_in(9)));
        }
        batch.done = done.into_iter().collect();
        batch
    }

    fn birth(&mut self, batch: &mut Batch, memory: &Memory, now: i64) {
        let n = self.dice.below(RUNS);
        let id = run(self.seed, n);
        // Who was forgotten and comes again has the same name; now and then somebody has that of another.
        let named = if self.dice.one_in(6) { self.dice.below(RUNS) } else { n };
        let workflow = WORKFLOWS[usize::try_from(named).unwrap_or(0) % WORKFLOWS.len()];
        let taken = memory.runs.contains_key(&id);
        if batch.moved.iter().any(|row| row.id == id) || (taken && !self.dice.one_in(4)) {
            return;
        }
        let row = RunRow {
            id,
            workflow: workflow.to_owned(),
            key: format!("k{named}"),
            parent: self.dice.one_in(3).then(|| run(self.seed, 77)),
            input: format!("{{\"n\":{}}}", self.drawn),
            state: String::new(),
            state_name: String::new(),
            shape: 1,
            seq: -1,
            finished: false,
            unexpected: 0,
            head: vec![0; 32],
            begun: instant(now),
        };
        let row = self.moved(row);
        self.written(batch, &row, "", now);
        batch.born.push(row);
    }

    fn turn(&mut self, batch: &mut Batch, memory: &Memory, before: &RunRow, now: i64) {
        let row = self.moved(before.clone());
        self.written(batch, &row, &before.state_name, now);
        if before.state_name != row.state_name {
            batch.left.push(row.id);
            if row.finished {
                batch.ended.push(row.id);
            }
        }
        let names: Vec<&WorkRow> = memory.work.values().filter(|work| work.new.work.run == row.id).collect();
        if !names.is_empty() && self.dice.one_in(3) {
            let name = self.pick(&names).new.name.clone();
            batch.replaced.push((row.id, name));
        }
        if !names.is_empty() && self.dice.one_in(3) {
            let payload = self.pick(&names).new.payload.clone();
            batch.withdrawn.push((row.id, payload));
        }
        batch.moved.push(row);
    }

    fn moved(&mut self, mut row: RunRow) -> RunRow {
        self.drawn += 1;
        row.seq += 1;
        row.state_name = format!("S{}", self.dice.below(3));
        row.state = format!("\"{} {}\"", row.state_name, self.drawn);
        row.shape = row.shape.max(i16::from(self.dice.one_in(4)) + 1);
        row.finished = self.dice.one_in(3);
        row.unexpected += i32::from(self.dice.one_in(9));
        row.head = Uuid::from_u128(u128::from(self.dice.below(u64::MAX))).as_bytes().repeat(2);
        row
    }

    /// The turn in the journal, the work and the facts that it leaves.
    fn written(&mut self, batch: &mut Batch, row: &RunRow, from: &str, now: i64) {
        let key = format!("e{}", self.drawn);
        let maybe = |dice: &mut Dice, text: &str| dice.one_in(2).then(|| text.to_owned());
        let dice = &mut self.dice;
        batch.journal.push(JournalRow {
            run: row.id,
            key,
            seq: row.seq,
            at: instant(now),
            mark: [Mark::Moved, Mark::Ignored, Mark::Unexpected][dice.index(3)],
            event: "\"Ran\"".to_owned(),
            from: from.to_owned(),
            to: row.state_name.clone(),
            note: maybe(dice, "a note with \"marks\" and ünïcode"),
            shape: row.shape,
            attempts: i32::try_from(dice.below(5)).unwrap_or(0),
            last_error: maybe(dice, "it's down"),
            origin: Origin {
                actor: maybe(dice, "opr_1"),
                on_behalf_of: maybe(dice, "gst_1"),
                request_id: maybe(dice, "req_1"),
                trace: maybe(dice, "00-1-1-01"),
            },
            state_digest: row.head.iter().rev().copied().collect(),
            hash: row.head.clone(),
        });
        let most = if row.finished && !self.dice.one_in(4) { 1 } else { 5 };
        for n in 0..i32::try_from(self.dice.below(most)).unwrap_or(0) {
            let work = self.queued(WorkId { run: row.id, seq: row.seq, n }, &row.workflow);
            batch.queued.push(work);
        }
        // Every other run never posts: who has posted is never forgotten.
        let facts = if row.id.uuid().as_u128().is_multiple_of(2) { self.dice.below(3) } else { 0 };
        for n in 0..i32::try_from(facts).unwrap_or(0) {
            let at = instant(now);
            batch.facts.push(Posted { run: row.id, seq: row.seq, n, kind: "f".to_owned(), body: "{}".to_owned(), at });
        }
        self.break_a_key(batch, row);
    }

    /// Now and then something is written that was written before: all of the batch has to be refused.
    fn break_a_key(&mut self, batch: &mut Batch, row: &RunRow) {
        let earlier = row.seq - 1;
        if earlier < 0 || !self.dice.one_in(12) {
            return;
        }
        match self.dice.below(2) {
            0 => batch.journal.iter_mut().filter(|turn| turn.run == row.id).for_each(|turn| {
                turn.key = "e1".to_owned();
            }),
            _ => batch.facts.iter_mut().filter(|fact| fact.run == row.id).for_each(|fact| fact.seq = earlier),
        }
    }

    fn queued(&mut self, work: WorkId, workflow: &str) -> Queued {
        let kind = [kind::EFFECT, kind::EFFECT, kind::TIMER, kind::SPAWN, kind::TELL][self.dice.index(5)];
        let laned = kind == kind::EFFECT && self.dice.one_in(2);
        let most = i32::try_from(self.dice.between(1, 2)).unwrap_or(1);
        let lane = laned.then(|| Lane::wide(*self.pick(&LANES), most));
        let work = NewWork {
            work,
            kind,
            scope: if self.dice.one_in(2) { Scope::State } else { Scope::Run },
            workflow: workflow.to_owned(),
            queue: if laned { QUEUES[2] } else { QUEUES[self.dice.index(3)] },
            priority: [Priority::High, Priority::Normal, Priority::Low][self.dice.index(3)],
            lane,
            name: format!("N{}", self.dice.below(3)),
            payload: format!("\"P{}\"", self.dice.below(3)),
            request: self.dice.one_in(3).then(|| "{\"r\":1}".to_owned()),
            due: instant(self.due()),
            trace: self.dice.one_in(3).then(|| "00-2-2-01".to_owned()),
        };
        Queued { work, leased: self.dice.one_in(5), quiet_until: None }
    }
}
