//! The world of one seed: processes, clients, an operator and a clock that jumps from one appointment to the next.

use super::clients::Client;
use super::dice::Dice;
use super::judge::Oracle;
use super::log::{Deed, Log};
use super::market;
use super::memory::Memory;
use super::mischief::{Mischief, Plan};
use super::party::Party;
use super::process::Process;
use crate::{Registry, Target, WorkId};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

pub(super) const SECOND: i64 = 1_000_000;
/// Processes that share the storage.
const PROCESSES: usize = 3;
/// When everything heals.
const HEALING: i64 = 45 * SECOND;
/// Work that is not done this long after healing is stuck. What kills its process has to do so often enough first, and is only noticed
/// when its heartbeat is old.
const PATIENCE: i64 = 900 * SECOND;

/// What is to happen at an instant.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A process says that it is alive.
    Beat,
    /// A process looks for work; `floor` is the poll that happens without a bell.
    Poll { floor: bool },
    /// The second half of a claim whose rows are not locked.
    Take(Vec<WorkId>),
    /// A process frees what the dead hold and what it has lost itself.
    Sweep,
    /// A task goes on.
    Step(u32),
    /// The writer looks for a group.
    Write,
    /// The writer commits its open transaction.
    Commit,
    /// A process puts away the runs that it has locked for that.
    PutAway(u64),
    /// A process begins.
    Start,
    /// A client's request arrives.
    Request(usize),
    /// A client hears the answer to its request.
    Reply { client: usize, said: Said },
    /// A client has waited long enough.
    Lapse { client: usize, tries: u32 },
    /// The mischief ends.
    Heal,
    /// An operator looks after parked work.
    Operate,
    /// What was held back goes on.
    Resume(Target),
    /// An operator closes the wardens' gate, or opens it.
    Gate { closed: bool },
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Yes,
    No,
    /// What it wants is taken.
    Taken,
    Error,
}

/// An instant, and what happens then; to a process only if it still lives the same life.
#[derive(Debug)]
struct Appointment {
    at: i64,
    n: u64,
    process: Option<(usize, u32)>,
    what: Happening,
}

impl PartialEq for Appointment {
    fn eq(&self, other: &Self) -> bool {
        self.n == other.n
    }
}
impl Eq for Appointment {}
impl PartialOrd for Appointment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Appointment {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.n).cmp(&(other.at, other.n))
    }
}

pub(super) struct World {
    pub(super) now: i64,
    pub(super) dice: Dice,
    pub(super) plan: Plan,
    pub(super) log: Log,
    pub(super) memory: Memory,
    pub(super) party: Party,
    pub(super) registry: Registry,
    pub(super) processes: Vec<Process>,
    pub(super) clients: Vec<Client>,
    pub(super) oracle: Oracle,
    /// What kills its process at every try, until somebody mends it.
    pub(super) poison: Option<WorkId>,
    /// Process ids handed out so far: a process that starts again is another one.
    pub(super) born: u128,
    agenda: BinaryHeap<Reverse<Appointment>>,
    appointments: u64,
    healed: bool,
}

impl World {
    pub(super) fn new(seed: u64, readable: bool) -> Self {
        let mut dice = Dice::new(seed);
        let party = Party::default();
        let mut world = Self {
            now: SECOND,
            plan: Plan::new(&mut dice),
            clients: Client::crowd(&mut dice),
            log: Log::new(readable),
            memory: Memory::default(),
            registry: market::registry(&party),
            party,
            processes: (0..PROCESSES).map(|_| Process::default()).collect(),
            oracle: Oracle::default(),
            poison: None,
            born: 0,
            agenda: BinaryHeap::new(),
            appointments: 0,
            healed: false,
            dice,
        };
        for process in 0..PROCESSES {
            world.appoint(process, 0, Happening::Start);
        }
        for client in 0..world.clients.len() {
            let wait = world.clients[client].begins;
            world.later(wait, Happening::Request(client));
        }
        // Over rounds of every warden, until they are missed ones.
        let closing = world.dice.between(48 * SECOND, 58 * SECOND);
        world.later(closing, Happening::Gate { closed: true });
        world.later(closing + 85 * SECOND, Happening::Gate { closed: false });
        world.later(HEALING, Happening::Heal);
        world
    }

    /// Lets the seed run to its end.
    pub(super) fn run(&mut self) {
        while let Some(Reverse(next)) = self.agenda.pop() {
            self.now = next.at;
            if self.happen(next) {
                return;
            }
        }
    }

    /// Something for the world at large.
    pub(super) fn later(&mut self, wait: i64, what: Happening) {
        self.put(self.now + wait, None, what);
    }

    /// Something for one process in its present life.
    pub(super) fn appoint(&mut self, process: usize, wait: i64, what: Happening) {
        let life = self.processes[process].life;
        self.put(self.now + wait, Some((process, life)), what);
    }

    fn put(&mut self, at: i64, process: Option<(usize, u32)>, what: Happening) {
        self.appointments += 1;
        self.agenda.push(Reverse(Appointment { at, n: self.appointments, process, what }));
    }

    /// Whether the seed is over.
    fn happen(&mut self, next: Appointment) -> bool {
        let Appointment { process, what, .. } = next;
        if let Some((process, life)) = process {
            self.of_process(process, life, what);
            return false;
        }
        match what {
            Happening::Request(client) => self.request(client),
            Happening::Reply { client, said } => self.replied(client, said),
            Happening::Lapse { client, tries } => self.lapsed(client, tries),
            Happening::Heal => self.heal(),
            Happening::Operate => return self.operate(),
            Happening::Resume(target) => self.resume(&target),
            Happening::Gate { closed } => self.gate(closed),
            _ => unreachable!("only processes do this"),
        }
        false
    }

    fn of_process(&mut self, process: usize, life: u32, what: Happening) {
        let it = &self.processes[process];
        if it.life != life {
            return;
        }
        if it.stands_until > self.now {
            // A process that stands still does everything later, in the same order.
            let at = it.stands_until;
            return self.put(at, Some((process, life)), what);
        }
        match what {
            Happening::Beat => self.beat(process),
            Happening::Poll { floor } => self.poll(process, floor),
            Happening::Take(chosen) => self.take(process, &chosen),
            Happening::Sweep => self.sweep(process),
            Happening::Step(task) => self.step(process, task),
            Happening::Write => self.write(process),
            Happening::Commit => self.commit(process),
            Happening::PutAway(tx) => self.put_away(process, tx),
            Happening::Start => self.start(process),
            _ => unreachable!("no process does this"),
        }
    }

    /// Whether this goes wrong now.
    pub(super) fn strikes(&mut self, kind: Mischief, process: usize) -> bool {
        let struck = self.plan.strikes(kind, &mut self.dice);
        if struck {
            self.log.note(self.now, process, Deed::Mischief(kind.name()));
        }
        struck
    }

    /// A process dies: everything that it only remembered is gone.
    pub(super) fn crash(&mut self, process: usize) {
        let it = &mut self.processes[process];
        let open = it.open.as_ref().map(|open| open.tx);
        for tx in open.into_iter().chain(it.archiving) {
            self.memory.rollback(tx);
        }
        *it = Process::after(it.life);
        let wait = self.dice.between(SECOND, 4 * SECOND);
        self.appoint(process, wait, Happening::Start);
    }

    fn heal(&mut self) {
        self.healed = true;
        self.plan.end();
        self.log.note(self.now, 0, Deed::Healed);
        for process in &mut self.processes {
            process.stands_until = self.now;
        }
        self.later(SECOND, Happening::Operate);
    }

    /// Mends what kills its processes, once it has been put aside for that; retries what is parked; says whether everything is at rest.
    fn operate(&mut self) -> bool {
        if self.poison.is_some_and(|work| self.memory.is_parked_for(work, "crashed")) {
            self.poison = None;
        }
        let retried = self.memory.retry_parked(self.now);
        retried.iter().for_each(|work| self.oracle.retried(*work));
        let busy = self.processes.iter().any(Process::is_busy) || self.clients.iter().any(|client| !client.done);
        let stuck = self.now > HEALING + PATIENCE;
        if stuck {
            let left = self.memory.work.len();
            self.oracle.wrong.push(format!("after {PATIENCE} µs {left} pieces of work are not done"));
        }
        if (retried.is_empty() && !busy && self.memory.work.is_empty()) || stuck {
            return true;
        }
        self.later(2 * SECOND, Happening::Operate);
        false
    }
}
