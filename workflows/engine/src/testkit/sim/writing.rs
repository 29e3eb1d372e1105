//! The writer of a process: groups, transactions, and what it makes of a commit that failed or never answered.

use super::log::Deed;
use super::memory::{Glimpse, Refused, stalls};
use super::mischief::Mischief as M;
use super::process::Process;
use super::wardens::{Row, Tick};
use super::world::{Happening, Said, World};
use crate::apply::{Failure, contested};
use crate::archive::called_for;
use crate::decide::{Decided, Desk};
use crate::event::{Input, What};
use crate::recall::{Granted, Recall};
use crate::recent::Kept;
use crate::storage::{Ask, Foreseen};
use crate::turn::RunRow;
use crate::{ProjectError, TurnError, Verdict, WorkId};
use sea_orm::{DbErr, RuntimeErr};
use std::borrow::Cow;
use std::sync::Arc;

/// The most turns in one commit.
const GROUP: usize = 6;

/// Who waits for an input's verdict.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    Task(u32),
    /// A client; `own` in a transaction of its own, as a request that writes rows does.
    Client {
        client: usize,
        own: bool,
    },
    /// A schedule's instant, whose row is written in the turn's transaction.
    Tick(Tick),
}

impl Owner {
    fn is_own(self) -> bool {
        matches!(self, Self::Client { own: true, .. } | Self::Tick(_))
    }
}

pub(super) struct Item {
    pub(super) input: Input,
    pub(super) rival: bool,
    pub(super) owner: Owner,
}

/// Inputs that are committed together.
#[derive(Default)]
pub(super) struct Group {
    items: Vec<Item>,
    again: bool,
    /// Nothing of it is decided from memory.
    careful: bool,
    glimpse: Option<Glimpse>,
    /// How often it has looked for its locks in vain.
    waited: u32,
}

impl Group {
    /// The schedule's instant that it is for.
    fn tick(&self) -> Option<Tick> {
        self.items.iter().find_map(|item| if let Owner::Tick(tick) = item.owner { Some(tick) } else { None })
    }
}

/// A decided group whose transaction is open.
pub(super) struct Transaction {
    pub(super) tx: u64,
    group: Group,
    decided: Decided,
    granted: Option<Granted>,
}

impl World {
    /// Loads and decides the next group, unless a transaction is open already.
    pub(super) fn write(&mut self, process: usize) {
        if self.processes[process].open.is_some() {
            return;
        }
        let Some(mut group) = self.next_group(process) else { return };
        let inputs: Vec<Input> = group.items.iter().map(|item| item.input.clone()).collect();
        let recall = self.recall(process, &mut group, &inputs);
        // Of what is remembered nothing is asked but what time it is.
        let asked = if recall.is_some() { Ask::about(&[], false) } else { Ask::about(&inputs, group.again) };
        let tick = group.tick();
        match tick.map(|tick| self.memory.row_of(tick)) {
            None | Some(Row::Free) => {}
            Some(Row::Waits) => return self.wait(process, group),
            Some(Row::Passed) => return self.pass(process, group),
        }
        let Some((tx, mut loaded)) = self.memory.begin(&asked, self.now, &mut group.glimpse) else {
            return self.wait(process, group);
        };
        tick.into_iter().for_each(|tick| self.memory.tick(tx, tick));
        (group.glimpse, group.waited) = (None, 0);
        self.log.note(self.now, process, Deed::Began(inputs.len()));
        let archived = called_for(&loaded, &inputs);
        if !archived.is_empty() {
            self.oracle.restored += u32::try_from(archived.len()).unwrap_or(u32::MAX);
            loaded = self.memory.restore(tx, &archived, &asked, self.now);
        }
        let mut granted = None;
        if let Some(recall) = recall {
            let clock = Foreseen { real: loaded.real, offset_us: 0, brakes: loaded.brakes };
            let Some(remembered) = recall.loaded(clock) else { return self.with_care(process, tx, group) };
            (loaded, granted) = (remembered.0, Some(remembered.1));
        }
        let Process { hands, brakes, .. } = &self.processes[process];
        let brakes = brakes.is_current(loaded.brakes).then_some(brakes);
        let desk = Desk { registry: &self.registry, hands, brakes };
        match desk.decide(loaded, &inputs, group.again) {
            decided if granted.is_some() && !decided.as_ref().is_ok_and(Decided::is_all_written) => {
                self.with_care(process, tx, group);
            }
            Ok(decided) => {
                let leased = decided.batch.queued.iter().filter(|queued| queued.leased).map(|queued| &queued.work);
                leased.for_each(|work| self.oracle.may_begin(work));
                self.processes[process].open = Some(Transaction { tx, group, decided, granted });
                let slow = if self.strikes(M::Delay, process) { 2_000_000 } else { 0 };
                let wait = slow + self.dice.between(500, 6_000);
                self.appoint(process, wait, Happening::Commit);
            }
            Err(failure) => {
                self.memory.rollback(tx);
                self.meet(process, group, failure);
            }
        }
    }

    /// What the process remembers of a group of the writer's, if that is all of it.
    fn recall(&mut self, process: usize, group: &mut Group, inputs: &[Input]) -> Option<Recall> {
        let own = group.items.iter().any(|item| item.owner.is_own());
        if own || group.again || group.careful {
            return None;
        }
        let recall = Recall::of(inputs, &self.processes[process].recent);
        group.careful = recall.is_none();
        recall
    }

    /// Rolls back, and has the group decided from what is loaded.
    fn with_care(&mut self, process: usize, tx: u64, group: Group) {
        self.memory.rollback(tx);
        self.processes[process].groups.push_front(Group { careful: true, glimpse: None, ..group });
        self.appoint(process, 300, Happening::Write);
    }

    /// It looks again and again, ever more seldom: a lock may be held by somebody who stands still.
    fn wait(&mut self, process: usize, mut group: Group) {
        group.waited += 1;
        let wait = self.dice.between(500, 5_000) << group.waited.min(6);
        self.processes[process].groups.push_front(group);
        self.appoint(process, wait, Happening::Write);
    }

    /// Another process has begun this round, or nobody may.
    fn pass(&mut self, process: usize, group: Group) {
        for item in group.items {
            self.answer(process, item, Ok(Verdict::Duplicate));
        }
        self.appoint(process, 0, Happening::Write);
    }

    fn next_group(&mut self, process: usize) -> Option<Group> {
        if let Some(group) = self.processes[process].groups.pop_front() {
            return Some(group);
        }
        let boarding = self.processes[process].inbox.len();
        if boarding > 1 && self.strikes(M::Reorder, process) {
            self.processes[process].inbox.reverse();
        }
        let inbox = &mut self.processes[process].inbox;
        let own = inbox.first()?.owner.is_own();
        let alone = inbox.iter().position(|item| item.owner.is_own()).unwrap_or(boarding);
        let most = if own { 1 } else { alone.min(GROUP) };
        Some(Group { items: inbox.drain(..most).collect(), ..Group::default() })
    }

    /// Completions that a commit accepts although they are not from the latest claim, nor repeat what was taken in already.
    fn late(&self, group: &Group, verdicts: &[Verdict]) -> Vec<WorkId> {
        let inputs: Vec<Input> = group.items.iter().map(|item| item.input.clone()).collect();
        let late = |(input, verdict): (&Input, &Verdict)| {
            let fence = input.fence.filter(|_| matches!(verdict, Verdict::Moved(_)))?;
            let ours = group.again && self.is_taken_in(input, &inputs);
            (!self.memory.holds(fence) && !ours).then_some(fence.work)
        };
        inputs.iter().zip(verdicts).filter_map(late).collect()
    }

    /// Whether this event is in the journal, or comes with this group by the latest claim.
    fn is_taken_in(&self, input: &Input, group: &[Input]) -> bool {
        let key = |input: &Input| match &input.what {
            What::Event { key, .. } => Some(key.to_string()),
            _ => None,
        };
        let Some(name) = key(input) else { return false };
        let in_time = |twin: &&Input| twin.fence.is_some_and(|fence| self.memory.holds(fence));
        self.memory.journalled(input.run, &name)
            || group.iter().filter(in_time).any(|twin| twin.run == input.run && key(twin).as_ref() == Some(&name))
    }

    pub(super) fn commit(&mut self, process: usize) {
        if self.strikes(M::CrashBeforeCommit, process) {
            return self.crash(process);
        }
        let Some(Transaction { tx, group, decided, granted }) = self.processes[process].open.take() else { return };
        if self.strikes(M::CommitLost, process) {
            self.memory.rollback(tx);
            return self.once_more(process, group);
        }
        let Decided { verdicts, batch, changed, takes, leases, ring, news: _, mut soon } = decided;
        let written = batch.born.iter().chain(&batch.moved);
        let keep = |row: &RunRow| Some(Kept { quiet_until: soon.remove(&row.id)?, row: row.clone() });
        let kept: Vec<Kept> = written.filter_map(keep).collect();
        let late = self.late(&group, &verdicts);
        let stalls = changed.get("stall").map(|changed| stalls(changed)).unwrap_or_default();
        let noted = self.oracle.note(&batch);
        let tick = group.tick();
        match self.memory.commit(tx, batch, granted.as_ref(), &stalls) {
            Ok(()) => {}
            Err(Refused::Outdated) => {
                self.oracle.outdated += 1;
                return self.with_care(process, tx, group);
            }
            Err(Refused::Gone) => return self.once_more(process, group),
            Err(Refused::Unique) => return self.meet(process, group, Failure::Storage(unique_violation())),
            Err(Refused::Taken(conflict)) => {
                return self.meet(process, group, contested(ProjectError::Taken(conflict), takes));
            }
        }
        self.log.note(self.now, process, Deed::Committed(tx));
        self.oracle.accepted_late(late);
        self.oracle.recalled += u32::from(granted.is_some_and(|granted| !granted.heads.is_empty()));
        self.oracle.committed(noted, &stalls);
        tick.into_iter().for_each(|tick| self.oracle.rounds.fired(tick));
        if self.strikes(M::CommitUnknown, process) {
            return self.once_more(process, group);
        }
        if self.strikes(M::CrashAfterCommit, process) {
            return self.crash(process);
        }
        self.processes[process].recent.keep(kept);
        for (item, verdict) in group.items.into_iter().zip(verdicts) {
            self.answer(process, item, Ok(verdict));
        }
        for lease in leases {
            self.carry(process, lease);
        }
        if !ring.is_empty() {
            self.ring(process);
        }
        self.appoint(process, 0, Happening::Write);
    }

    /// The connection is gone; whether the commit went through only the storage knows.
    fn once_more(&mut self, process: usize, mut group: Group) {
        if group.items.iter().any(|item| item.owner.is_own()) {
            for item in group.items {
                self.answer(process, item, Err(TurnError::Storage(DbErr::Custom("the connection is gone".to_owned()))));
            }
        } else {
            group.again = true;
            self.processes[process].groups.push_front(group);
        }
        self.appoint(process, 20_000, Happening::Write);
    }

    /// As the product's writer meets a failure: those who must be alone go alone, a spoilt group is halved, the rest is an answer.
    fn meet(&mut self, process: usize, group: Group, failure: Failure) {
        let Group { mut items, again, .. } = group;
        let together = |items| Group { items, again, ..Group::default() };
        let groups = &mut self.processes[process].groups;
        match failure {
            Failure::NotAlone(takers) => {
                let (theirs, others): (Vec<_>, Vec<_>) =
                    items.into_iter().partition(|item| takers.contains(&item.input.run));
                if !others.is_empty() {
                    groups.push_front(together(others));
                }
                theirs.into_iter().rev().for_each(|item| groups.push_front(together(vec![item])));
                self.log.note(self.now, process, Deed::Split("somebody takes something scarce"));
            }
            _ if items.len() > 1 => {
                let second = items.split_off(items.len() / 2);
                groups.push_front(together(second));
                groups.push_front(together(items));
                self.log.note(self.now, process, Deed::Split("one spoils it"));
            }
            failure => {
                let Some(mut item) = items.pop() else { return };
                match failure.alone(&mut item.input, &mut item.rival) {
                    None => groups.push_front(together(vec![item])),
                    Some(answer) => self.answer(process, item, answer),
                }
            }
        }
        self.appoint(process, 300, Happening::Write);
    }

    fn answer(&mut self, process: usize, item: Item, answer: Result<Verdict, TurnError>) {
        let Item { input, owner, .. } = item;
        self.log.note(self.now, process, Deed::Verdict(input.run, word(&answer)));
        match owner {
            Owner::Tick(_) => self.round_began(process, answer.is_ok()),
            Owner::Task(task) => self.concluded(process, task, &input, answer),
            Owner::Client { client, .. } => {
                let said = match answer {
                    Ok(Verdict::Moved(_) | Verdict::Duplicate) => Said::Yes,
                    Ok(Verdict::Taken(_)) => Said::Taken,
                    Ok(_) => Said::No,
                    Err(_) => Said::Error,
                };
                self.log.note(self.now, process, Deed::Told(client));
                let slow = if self.strikes(M::Delay, process) { 6_000_000 } else { 0 };
                let wait = slow + self.dice.between(500, 20_000);
                self.later(wait, Happening::Reply { client, said });
            }
        }
    }

    /// The bell: heard here, and elsewhere unless it is lost.
    pub(super) fn ring(&mut self, process: usize) {
        for other in 0..self.processes.len() {
            if other == process || !self.strikes(M::BellLost, other) {
                let wait = self.dice.between(300, 2_000);
                self.appoint(other, wait, Happening::Poll { floor: false });
            }
        }
    }
}

fn word(answer: &Result<Verdict, TurnError>) -> &'static str {
    match answer {
        Ok(Verdict::Moved(_)) => "moved",
        Ok(Verdict::Refused(_)) => "refused",
        Ok(Verdict::Taken(_)) => "taken",
        Ok(Verdict::Duplicate) => "a duplicate",
        Ok(Verdict::Stale) => "stale",
        Ok(Verdict::NoSuchRun) => "no such run",
        Ok(Verdict::NewerShape) => "a newer shape",
        Err(_) => "failed",
    }
}

/// A broken unique key as the driver reports it, so that the product's own sorting of errors is what meets it.
fn unique_violation() -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Database(Box::new(UniqueKey)))))
}

#[derive(Debug)]
struct UniqueKey;

impl std::fmt::Display for UniqueKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a unique key is taken")
    }
}

impl std::error::Error for UniqueKey {}

impl sqlx::error::DatabaseError for UniqueKey {
    fn message(&self) -> &'static str {
        "a unique key is taken"
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> sqlx::error::ErrorKind {
        sqlx::error::ErrorKind::UniqueViolation
    }
}
