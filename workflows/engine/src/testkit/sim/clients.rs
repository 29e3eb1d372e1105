//! The people and parties outside: they ask, they ask twice, and they ask again until they are answered.

use super::dice::Dice;
use super::log::Deed;
use super::market::{Event, Stall, Terms};
use super::mischief::Mischief as M;
use super::world::{Happening, SECOND, Said, World};
use super::writing::{Item, Owner};
use crate::event::{EventKey, Input, Manner, What};
use crate::step::encode;
use crate::{RunId, Workflow};
use uuid::Uuid;

/// Stalls that ask for a pitch, and the pitches there are.
const STALLS: u32 = 24;
const PITCHES: u32 = 17;

/// Somebody who wants one thing, once.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// When it asks first, from the beginning of the seed.
    pub(super) begins: i64,
    pub(super) input: Input,
    pub(super) done: bool,
    /// Whether the request writes rows of its own in the turn's transaction.
    own: bool,
    tries: u32,
}

fn stall(n: u32) -> RunId {
    RunId::from_uuid(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)))
}

impl Client {
    fn new(begins: i64, own: bool, run: RunId, what: What) -> Self {
        Self { begins, input: Input::new(run, what), done: false, own, tries: 0 }
    }

    /// The pitch is taken: people ask for the next one.
    fn try_the_next(&mut self) {
        if let What::Start { input, .. } = &mut self.input.what {
            let mut terms: Terms = serde_json::from_str(input).expect("a client reads what it wrote");
            terms.pitch = (terms.pitch + 1) % PITCHES;
            *input = encode(&terms);
        }
    }

    /// Everybody of one seed: thirty who want a pitch; some who change their minds; parties that notify late.
    pub(super) fn crowd(dice: &mut Dice) -> Vec<Self> {
        let mut crowd = vec![];
        for n in 0..STALLS {
            let begins = dice.between(0, 25 * SECOND);
            let terms = Terms {
                me: stall(n),
                pitch: u32::try_from(dice.below(PITCHES.into())).unwrap_or(0),
                neighbour: stall((n + 1) % STALLS),
                hold: dice.between(4, 20),
                day: dice.between(12, 40),
            };
            let (workflow, key) = (Stall::NAME.to_owned(), format!("stall-{n}"));
            let start = What::Start { workflow, key, input: encode(&terms), parent: None };
            crowd.push(Self::new(begins, dice.one_in(2), stall(n), start));
            if dice.one_in(4) {
                let key = EventKey::request("people", "stalls/call-off", &n.to_string());
                let what = What::Event { key, event: encode(&Event::CalledOff), manner: Manner::Command };
                crowd.push(Self::new(begins + dice.between(0, 20 * SECOND), dice.one_in(2), stall(n), what));
            }
            if dice.one_in(3) {
                let key = EventKey::webhook("party", &format!("recall-{n}"));
                let what = What::Event { key, event: encode(&Event::Recalled), manner: Manner::Fact };
                crowd.push(Self::new(begins + dice.between(0, 40 * SECOND), dice.one_in(2), stall(n), what));
            }
        }
        crowd
    }
}

impl World {
    /// A request goes to any process: a balancer does not know who stands still.
    pub(super) fn request(&mut self, client: usize) {
        if self.clients[client].done {
            return;
        }
        let process = self.dice.index(self.processes.len());
        let it = &mut self.clients[client];
        it.tries += 1;
        let (tries, own) = (it.tries, it.own);
        if !self.processes[process].up {
            return self.later(200_000, Happening::Request(client));
        }
        self.later(5 * SECOND, Happening::Lapse { client, tries });
        self.log.note(self.now, process, Deed::Asked(client));
        let input = self.clients[client].input.clone();
        self.processes[process].inbox.push(Item { input, rival: false, owner: Owner::Client { client, own } });
        let slow = if self.strikes(M::Delay, process) { 7 * SECOND } else { 0 };
        let wait = slow + self.dice.between(0, 1_500);
        self.appoint(process, wait, Happening::Write);
        if self.strikes(M::Duplicate, process) {
            self.later(self.now % 7_000, Happening::Request(client));
        }
    }

    pub(super) fn replied(&mut self, client: usize, said: Said) {
        if self.clients[client].done {
            return;
        }
        match said {
            Said::Error => self.later(300_000, Happening::Request(client)),
            Said::Taken => {
                self.clients[client].try_the_next();
                self.later(SECOND, Happening::Request(client));
            }
            said => {
                self.clients[client].done = true;
                if said == Said::Yes {
                    self.oracle.promised(&self.clients[client].input);
                }
            }
        }
    }

    pub(super) fn lapsed(&mut self, client: usize, tries: u32) {
        if !self.clients[client].done && self.clients[client].tries == tries {
            self.request(client);
        }
    }
}
