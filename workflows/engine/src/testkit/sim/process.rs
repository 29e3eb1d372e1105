//! One process: its heartbeat, its claims, its sweeps, and the tasks that carry out its leases.

use super::log::Deed;
use super::market::{Letter, POST, Stall};
use super::mischief::Mischief as M;
use super::party::Mood;
use super::wardens::Tick;
use super::world::{Happening, SECOND, World};
use super::writing::{Group, Item, Owner, Transaction};
use crate::attempt::{Approach, Completed, LookedUp, Next, doubted, must_be_confirmed};
use crate::brake::Known;
use crate::claim::{allowed, lanes_share, taken};
use crate::event::{Fence, Input, What};
use crate::faults::planted;
use crate::hands::{Hands, Lease};
use crate::recent::Recent;
use crate::storage::brakes::BrakeRow;
use crate::storage::schema::PARKED;
use crate::storage::{Claim, Order, Take, instant};
use crate::{Fault, Found, Paused, RunId, Target, Timestamp, TurnError, Verdict, WorkId, Workflow};
use futures::FutureExt;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A lease is rescued when its process's heartbeat is older than this.
const RESCUE_AFTER: i64 = 10 * SECOND;
/// How long after its last turn a run that is over goes to the archive.
const ARCHIVED_AFTER: i64 = 2 * SECOND;
/// How long after its last turn a letter is forgotten: nobody has anything to say to one that was sent, though the market goes on.
const PURGED_AFTER: i64 = 20 * SECOND;
/// How much a process does at once.
const ROOMS: [(&str, usize); 3] = [(crate::DEFAULT_QUEUE, 5), (crate::ENGINE_QUEUE, 6), (POST, 4)];
/// The process that only answers requests and leaves all work to the others.
const IDLE: usize = 0;

/// What one process remembers.
pub(super) struct Process {
    pub(super) life: u32,
    /// Until then it stands still.
    pub(super) stands_until: i64,
    pub(super) hands: Hands,
    pub(super) tasks: BTreeMap<u32, Task>,
    pub(super) inbox: Vec<Item>,
    pub(super) groups: VecDeque<Group>,
    pub(super) open: Option<Transaction>,
    /// Rounds that it has found due, and begins one after the other.
    pub(super) rounds: VecDeque<Tick>,
    /// The transaction in which it puts runs away.
    pub(super) archiving: Option<u64>,
    /// Whether it has begun; before that nobody can reach it.
    pub(super) up: bool,
    /// The brakes as it last read them.
    pub(super) brakes: Known,
    /// The runs that it wrote last.
    pub(super) recent: Recent,
    last_task: u32,
    suspects: HashSet<Fence>,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            life: 0,
            stands_until: 0,
            hands: Hands::new(Uuid::nil(), &[]),
            tasks: BTreeMap::new(),
            inbox: vec![],
            groups: VecDeque::new(),
            open: None,
            rounds: VecDeque::new(),
            archiving: None,
            up: false,
            brakes: Known::default(),
            recent: Recent::default(),
            last_task: 0,
            suspects: HashSet::new(),
        }
    }
}

impl Process {
    /// The process that comes after one in this life.
    pub(super) fn after(life: u32) -> Self {
        Self { life: life + 1, ..Self::default() }
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.tasks.is_empty() || !self.inbox.is_empty() || !self.groups.is_empty() || self.open.is_some()
    }
}

/// A lease while it is carried out.
pub(super) struct Task {
    pub(super) lease: Lease,
    stage: Stage,
}

/// Where a task is.
enum Stage {
    Fresh,
    Asked(Result<Found<String>, Fault>),
    Called(Result<String, Fault>),
    /// The writer has it.
    Submitted,
}

impl World {
    pub(super) fn start(&mut self, process: usize) {
        self.born += 1;
        let it = &mut self.processes[process];
        it.hands = Hands::new(Uuid::from_u128(self.born), if process == IDLE { &[] } else { &ROOMS });
        it.up = true;
        self.log.note(self.now, process, Deed::Started);
        self.beat(process);
        let wait = self.dice.between(0, SECOND / 2);
        self.appoint(process, wait, Happening::Poll { floor: true });
        self.appoint(process, wait + SECOND, Happening::Sweep);
    }

    pub(super) fn beat(&mut self, process: usize) {
        let id = self.processes[process].hands.process;
        self.memory.beat(id, self.now);
        self.oracle.heard(id, self.now);
        self.appoint(process, SECOND, Happening::Beat);
    }

    /// Looks for work that is due; claiming is one step, unless nothing locks what was chosen.
    pub(super) fn poll(&mut self, process: usize, floor: bool) {
        if floor {
            let wait = self.dice.between(300_000, 600_000);
            self.appoint(process, wait, Happening::Poll { floor: true });
        }
        if !self.memory.anything_due(self.now) {
            return;
        }
        let rooms = self.processes[process].hands.rooms();
        if rooms.is_empty() {
            return;
        }
        self.look_at_brakes(process);
        let (limited, rooms): (Vec<_>, Vec<_>) =
            rooms.into_iter().partition(|(queue, _)| self.registry.party_of(queue).is_some());
        for (queue, room) in limited {
            self.claim_limited(process, queue, room);
        }
        let claim = self.asking(process, rooms);
        let chosen = self.memory.choose(&claim, self.now);
        if planted("no_skip_locked") {
            let wait = self.dice.between(500, 4_000);
            self.appoint(process, wait, Happening::Take(chosen));
        } else {
            self.take(process, &chosen);
        }
    }

    fn look_at_brakes(&mut self, process: usize) {
        let brakes = &mut self.processes[process].brakes;
        if !brakes.is_current(self.memory.changes) {
            *brakes = Known::of(self.memory.read_brakes(self.now), BTreeSet::new(), Instant::now());
        }
    }

    fn asking(&self, process: usize, rooms: Vec<(&'static str, i32)>) -> Claim {
        let (workflows, shapes) = self.registry.known();
        let party = |queue| self.registry.party_of(queue).map_or("", |party| party.name);
        let take = |(queue, room)| Take { queue, party: party(queue), room, probe: true };
        let takes = rooms.into_iter().filter(|(_, room)| *room > 0).map(take).collect();
        Claim { takes, order: Order::of(0), holder: self.processes[process].hands.process, workflows, shapes }
    }

    /// Claims from a party's queue what its rate and its circuit allow, in one step, since nobody else does meanwhile: its lanes
    /// first, then the rest.
    fn claim_limited(&mut self, process: usize, queue: &'static str, room: i32) {
        let Some(party) = self.registry.party_of(queue) else { return };
        let target = Target::Party(party.name.to_owned());
        let mut row = self.memory.brakes.get(&target).cloned().unwrap_or_else(|| BrakeRow::released(target.clone()));
        let (known, until) = (row.bucket.is_some(), row.breaker.open_until);
        let room = allowed(party, &mut row, self.now).min(room);
        self.oracle.throttled += u32::from(room == 0 && known);
        if room <= 0 {
            return;
        }
        let mut calls = self.claim_lanes(process, queue, room);
        if calls < room {
            let chosen = self.memory.choose(&self.asking(process, vec![(queue, room - calls)]), self.now);
            calls += i32::try_from(chosen.len()).unwrap_or(0);
            self.take(process, &chosen);
        }
        if calls > 0 {
            taken(&mut row, usize::try_from(calls).unwrap_or(0), self.now);
            self.memory.brakes.insert(target, row);
            self.oracle.called_for(self.now, calls, until);
        }
    }

    /// What a call to a party came to, as its circuit sees it.
    fn heed(&mut self, queue: &str, fault: Option<&Fault>) {
        let Some(party) = self.registry.party_of(queue) else { return };
        let target = Target::Party(party.name.to_owned());
        let row = self.memory.brakes.entry(target.clone()).or_insert_with(|| BrakeRow::released(target));
        let was_open = row.breaker.open_until.is_some();
        match fault {
            None => row.breaker.answered(self.now),
            Some(_) => row.breaker.failed(&party.limits.patience, self.now),
        }
        let is_open = row.breaker.open_until.is_some();
        self.memory.changes += i32::from(was_open != is_open);
        self.oracle.openings += u32::from(is_open && !was_open);
    }

    /// Claims work of a queue's lanes in one step, since nobody else does meanwhile; returns how many places that takes.
    fn claim_lanes(&mut self, process: usize, queue: &'static str, room: i32) -> i32 {
        if room == 0 || !self.memory.has_lanes(queue) {
            return 0;
        }
        let claim = self.asking(process, vec![(queue, lanes_share(room))]);
        let chosen = self.memory.choose_in_lanes(&claim, "", self.now);
        self.take(process, &chosen);
        for work in &chosen {
            self.must_fit_its_lane(*work);
        }
        i32::try_from(chosen.len()).unwrap_or(room)
    }

    /// No more are under way in a lane than it is wide.
    fn must_fit_its_lane(&mut self, work: WorkId) {
        let new = &self.memory.work[&work].new;
        let Some(lane) = &new.lane else { return };
        let busy = self.memory.busy(new.queue, &lane.key);
        if i32::try_from(busy).is_ok_and(|busy| busy > lane.most) {
            self.oracle.wrong.push(format!("{busy} attempts are under way in a lane for {}", lane.most));
        }
    }

    /// An operator holds a queue or a workflow back, and after some seconds lets it go on.
    fn hold_back(&mut self) {
        let targets = [
            Target::Queue(crate::DEFAULT_QUEUE.to_owned()),
            Target::Queue(crate::ENGINE_QUEUE.to_owned()),
            Target::Workflow(Stall::NAME.to_owned()),
            Target::Workflow(Letter::NAME.to_owned()),
        ];
        let target = targets[self.dice.index(targets.len())].clone();
        let paused = Paused { by: "operator".to_owned(), why: "to see".to_owned(), since: instant(self.now) };
        if self.memory.brake(&target, Some(paused)) {
            self.oracle.held_back.insert(target.clone());
            let wait = self.dice.between(SECOND / 2, 5 * SECOND);
            self.later(wait, Happening::Resume(target));
        }
    }

    pub(super) fn resume(&mut self, target: &Target) {
        self.memory.brake(target, None);
        self.oracle.held_back.remove(target);
    }

    pub(super) fn take(&mut self, process: usize, chosen: &[WorkId]) {
        let holder = self.processes[process].hands.process;
        for mut row in self.memory.take(chosen, holder, self.now) {
            self.processes[process].recent.keep(row.seen.take());
            let (work, attempt) = (row.work, row.attempt);
            self.log.note(self.now, process, Deed::Claimed(work, attempt));
            self.must_be_alone(work);
            self.oracle.has_seen(work, row.deaths);
            self.oracle.may_begin(&self.memory.work[&work].new);
            let hands = &self.processes[process].hands;
            if let Some(room) = hands.room(&row.queue) {
                let lease = hands.lease(row, room);
                self.carry(process, lease);
            }
        }
    }

    /// Nobody may hold what is claimed, but for those who have lost it by their silence.
    fn must_be_alone(&mut self, work: WorkId) {
        let held = self.processes.iter().flat_map(|p| p.tasks.values()).map(|task| task.lease.fence());
        let rivals: Vec<Fence> = held.filter(|fence| fence.work == work && !self.oracle.lost.contains(fence)).collect();
        if !rivals.is_empty() {
            self.oracle.wrong.push(format!("{work} is claimed while somebody holds it"));
        }
    }

    /// Begins a task for a lease.
    pub(super) fn carry(&mut self, process: usize, lease: Lease) {
        let it = &mut self.processes[process];
        it.last_task += 1;
        let task = it.last_task;
        it.tasks.insert(task, Task { lease, stage: Stage::Fresh });
        let wait = self.dice.between(200, 3_000);
        self.appoint(process, wait, Happening::Step(task));
    }

    /// Rescue, then reclaim: what is unknown twice is let go.
    pub(super) fn sweep(&mut self, process: usize) {
        if self.strikes(M::Replaced, process) {
            return self.hand_over(process);
        }
        self.appoint(process, SECOND, Happening::Sweep);
        if self.strikes(M::HeldBack, process) {
            self.hold_back();
        }
        for (holder, fence) in self.memory.rescue(self.now, RESCUE_AFTER) {
            self.log.note(self.now, process, Deed::Rescued(fence.work, fence.attempt));
            self.oracle.freed(holder, fence, self.now - RESCUE_AFTER);
            self.come_back_apart(fence.work);
        }
        let it = &mut self.processes[process];
        let mine = self.memory.leases().filter(|(holder, _)| *holder == it.hands.process);
        let unknown: Vec<Fence> = mine.map(|(_, fence)| fence).filter(|f| !it.hands.held.knows(*f)).collect();
        let (freed, suspects): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|f| it.suspects.contains(f));
        it.suspects.clear();
        it.suspects.extend(suspects);
        for fence in freed {
            self.memory.free(fence, self.now);
            self.log.note(self.now, process, Deed::Reclaimed(fence.work, fence.attempt));
        }
        self.keep_house(process);
        self.look_for_rounds(process);
        self.poll(process, false);
    }

    /// Puts away what has been over for a while, and forgets letters that were put away long ago.
    fn keep_house(&mut self, process: usize) {
        if self.processes[process].archiving.is_some() || !self.dice.one_in(3) {
            return;
        }
        let workflow = if self.dice.one_in(2) { Stall::NAME } else { Letter::NAME };
        if let Some(tx) = self.memory.begin_archive(workflow, self.now - ARCHIVED_AFTER, self.now) {
            self.processes[process].archiving = Some(tx);
            let wait = self.dice.between(500, 6_000);
            self.appoint(process, wait, Happening::PutAway(tx));
        }
        let forgotten = self.memory.purge(Letter::NAME, self.now - PURGED_AFTER);
        self.oracle.purged += u32::try_from(forgotten.len()).unwrap_or(u32::MAX);
        self.oracle.forgotten.extend(forgotten);
    }

    pub(super) fn put_away(&mut self, process: usize, tx: u64) {
        if self.strikes(M::CrashBeforeCommit, process) {
            return self.crash(process);
        }
        self.processes[process].archiving = None;
        for run in self.memory.put_away(tx).unwrap_or_default() {
            self.oracle.archived += 1;
            self.log.note(self.now, process, Deed::PutAway(run));
        }
    }

    /// What has seen more than one death comes back spread over some seconds.
    fn come_back_apart(&mut self, work: WorkId) {
        let earlier = self.memory.work[&work].deaths - 1;
        let apart = self.dice.between(0, SECOND * i64::from(earlier.clamp(0, 20)));
        self.memory.stand(work, self.now + apart);
    }

    /// A new release is rolled out: the process ends in good order, another one comes in its place.
    fn hand_over(&mut self, process: usize) {
        let id = self.processes[process].hands.process;
        self.crash(process);
        self.memory.let_go(id, self.now);
        self.ring(process);
    }

    /// A task goes on by one step.
    pub(super) fn step(&mut self, process: usize, task: u32) {
        if self.strikes(M::Pause, process) {
            self.processes[process].stands_until = self.now + self.dice.between(11 * SECOND, 18 * SECOND);
            return self.appoint(process, 0, Happening::Step(task));
        }
        let Some(it) = self.processes[process].tasks.get_mut(&task) else { return };
        match std::mem::replace(&mut it.stage, Stage::Submitted) {
            Stage::Fresh => self.approach(process, task),
            Stage::Asked(found) => self.looked_up(process, task, found),
            Stage::Called(answer) => {
                let queue = it.lease.row.queue.clone();
                self.heed(&queue, answer.as_ref().err());
                match answer {
                    Ok(event) => self.conclude(process, task, event),
                    Err(fault) => self.failed(process, task, &fault),
                }
            }
            Stage::Submitted => {}
        }
    }

    fn approach(&mut self, process: usize, task: u32) {
        let row = &self.processes[process].tasks[&task].lease.row;
        if let Some((run, what)) = row.errand().expect("the engine reads what it wrote") {
            return self.submit(process, task, run, what);
        }
        if let Some(why) = row.crash_loop() {
            self.oracle.set_aside(row.work);
            return self.give_back(process, task, PARKED, ("crashed", &why));
        }
        self.oracle.tried(row.work);
        match row.approach() {
            Approach::Answered(event) => self.conclude(process, task, event),
            Approach::LookUp => self.look_up(process, task),
            Approach::Call => self.call(process, task, false),
        }
    }

    fn look_up(&mut self, process: usize, task: u32) {
        let mood = if self.strikes(M::CannotSay, process) {
            Mood::Silent
        } else if self.strikes(M::CannotAsk, process) {
            Mood::Down
        } else {
            Mood::Fine
        };
        self.party.meet(self.now, mood);
        let row = &self.processes[process].tasks[&task].lease.row;
        self.log.note(self.now, process, Deed::LookedUp(row.work, row.attempt));
        let workflow = self.registry.get(&row.workflow).expect("the market's own");
        let found = workflow.look_up(row.attempt("sim")).now_or_never().expect("the party answers at once");
        self.answered_in(process, task, Stage::Asked(found));
    }

    fn looked_up(&mut self, process: usize, task: u32, found: Result<Found<String>, Fault>) {
        let row = &self.processes[process].tasks[&task].lease.row;
        let policy = self.registry.get(&row.workflow).and_then(|w| w.policy(&row.payload).ok()).unwrap_or_default();
        match row.looked_up(found, policy) {
            Ok(LookedUp::Done(event)) => self.conclude(process, task, event),
            Ok(LookedUp::Call { doubt }) => self.call(process, task, doubt),
            Err(fault) => self.failed(process, task, &fault),
        }
    }

    fn call(&mut self, process: usize, task: u32, doubt: bool) {
        if self.strikes(M::CrashBeforeCall, process) || self.is_poison(process, task) {
            return self.crash(process);
        }
        let mood = if self.strikes(M::ReplyLost, process) {
            Mood::ReplyLost
        } else if self.strikes(M::PartyDown, process) {
            Mood::Down
        } else if self.dice.one_in(16) {
            Mood::Declines
        } else {
            Mood::Fine
        };
        self.party.meet(self.now, mood);
        let row = &self.processes[process].tasks[&task].lease.row;
        let fence = Fence { work: row.work, attempt: row.attempt };
        let age = Duration::from_micros(u64::try_from(self.now - row.real).unwrap_or_default());
        if must_be_confirmed(age) && !self.memory.leased(fence) {
            return drop(self.processes[process].tasks.remove(&task));
        }
        self.log.note(self.now, process, Deed::Called(row.work, row.attempt));
        let workflow = self.registry.get(&row.workflow).expect("the market's own");
        let answer = workflow.perform(row.attempt("sim")).now_or_never().expect("the party answers at once");
        if !self.memory.holds(fence) && !self.oracle.lost.contains(&fence) {
            self.oracle.wrong.push(format!("{} is called out for without its lease", fence.work));
        }
        if self.strikes(M::CrashAfterCall, process) {
            return self.crash(process);
        }
        let answer = answer.map_err(|fault| if doubt { doubted(fault) } else { fault });
        self.answered_in(process, task, Stage::Called(answer));
    }

    /// Whether this call kills its process: the first try of something does, now and then, and from then on each of its tries.
    fn is_poison(&mut self, process: usize, task: u32) -> bool {
        let row = &self.processes[process].tasks[&task].lease.row;
        let (work, first) = (row.work, row.attempt == 1);
        // Not what a process that stood still still believes to hold: somebody else may long have done it.
        let held = self.memory.holds(Fence { work, attempt: row.attempt });
        if first && held && self.poison.is_none() && self.strikes(M::Poison, process) {
            self.poison = Some(work);
        }
        self.poison == Some(work)
    }

    /// The answer is on its way; past the time limit nobody waits for it.
    fn answered_in(&mut self, process: usize, task: u32, mut stage: Stage) {
        let mut wait = self.dice.between(1_000, 80_000);
        if self.strikes(M::Delay, process) {
            wait = 3 * SECOND;
            let late = || Fault::unknown("no answer in time");
            stage = match stage {
                Stage::Asked(_) => Stage::Asked(Err(late())),
                _ => Stage::Called(Err(late())),
            };
        }
        if let Some(it) = self.processes[process].tasks.get_mut(&task) {
            it.stage = stage;
        }
        self.appoint(process, wait, Happening::Step(task));
    }

    fn conclude(&mut self, process: usize, task: u32, event: String) {
        let row = &self.processes[process].tasks[&task].lease.row;
        let (run, what) = (row.work.run, row.answered(event));
        self.submit(process, task, run, what);
    }

    fn submit(&mut self, process: usize, task: u32, run: RunId, what: What) {
        let it = &mut self.processes[process];
        let fence = it.tasks[&task].lease.fence();
        let input = Input::new(run, what).fenced(fence);
        it.inbox.push(Item { input, rival: false, owner: Owner::Task(task) });
        self.log.note(self.now, process, Deed::Submitted(fence.work, fence.attempt));
        let wait = self.dice.between(0, 1_500);
        self.appoint(process, wait, Happening::Write);
    }

    fn failed(&mut self, process: usize, task: u32, fault: &Fault) {
        let dice = self.dice.unit();
        let row = &self.processes[process].tasks[&task].lease.row;
        let workflow = self.registry.get(&row.workflow).expect("the market's own");
        let policy = workflow.policy(&row.payload).unwrap_or_default();
        let next = row.failed(fault, policy, || workflow.gave_up(&row.payload).ok().flatten(), dice);
        self.go_on(process, task, next, fault);
    }

    fn go_on(&mut self, process: usize, task: u32, next: Next, fault: &Fault) {
        let why = fault.to_string();
        let at = |at: Timestamp| at.timestamp_micros();
        match next {
            Next::Conclude(event) => self.conclude(process, task, event),
            Next::Again(when) => self.give_back(process, task, at(when), (fault.class(), &why)),
            Next::Park(class) => self.give_back(process, task, PARKED, (class, &why)),
        }
    }

    fn give_back(&mut self, process: usize, task: u32, not_before: i64, why: (&'static str, &str)) {
        let Some(Task { lease, .. }) = self.processes[process].tasks.remove(&task) else { return };
        let fence = lease.fence();
        self.log.note(self.now, process, Deed::GaveBack(fence.work, fence.attempt, why.0));
        // A lost answer drops the lease: the row may have changed or not.
        if !self.strikes(M::GiveBackUnknown, process) || self.dice.one_in(2) {
            self.memory.give_back(fence, not_before, why);
        }
    }

    /// The writer's answer to what a task submitted.
    pub(super) fn concluded(&mut self, process: usize, task: u32, input: &Input, answer: Result<Verdict, TurnError>) {
        let Some(it) = self.processes[process].tasks.get(&task) else { return };
        let row = &it.lease.row;
        match Completed::of(answer).expect("the writer answers with a verdict, poison or a storage error") {
            Completed::As(Verdict::NoSuchRun | Verdict::NewerShape) if !matches!(input.what, What::Due) => {
                let (fault, next) = row.undelivered(self.dice.unit());
                self.go_on(process, task, next, &fault);
            }
            Completed::As(_) => drop(self.processes[process].tasks.remove(&task)),
            Completed::Spoiled(why) => {
                if let What::Event { event, .. } = &input.what {
                    self.memory.save_outcome(it.lease.fence(), event);
                }
                self.give_back(process, task, PARKED, ("poison", &why));
            }
        }
    }
}
