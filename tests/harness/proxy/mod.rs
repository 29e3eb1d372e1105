//! A TCP proxy of ours for one server: slow, silent, cut, or with the answer to a commit lost, as the test says while it runs.
//!
//! What a killed server shows is the kind half of what networks do. The other half is here: a peer that does not answer and does not
//! hang up either, one direction that works while the other does not, and a `COMMIT` that happened although nobody was told.
//!
//! The proxy lives in a thread of its own, so that a test that blocks its runtime does not hold up the traffic.

mod flow;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::{oneshot, watch};

/// A direction of the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the product to the server.
    Up,
    /// From the server to the product.
    Down,
}

/// What a direction does to the bytes that pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Road {
    /// How much later everything arrives.
    pub delay: Duration,
    /// The most bytes a second; no limit when it is zero.
    pub bytes_per_second: u32,
    /// Nothing arrives, and no connection is closed: what is on its way waits until the road is open again.
    pub closed: bool,
}

/// Which half of a commit's conversation is lost, together with its connection. To the one who asked, both look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The server never hears of it.
    Question,
    /// It has happened.
    Answer,
}

/// How the proxy treats everybody just now.
#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    up: Road,
    down: Road,
    refuses: bool,
    /// Connections of an earlier age are reset.
    age: u64,
    /// The first so many connections are black holes.
    stranded: u64,
}

impl Rules {
    fn road(&self, way: Way, number: u64) -> Road {
        match way {
            _ if number <= self.stranded => Road { closed: true, ..Road::default() },
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }
}

/// What the threads of traffic share with the one who steers.
struct Desk {
    rules: watch::Sender<Rules>,
    questions: AtomicUsize,
    answers: AtomicUsize,
    /// A connection that loses a commit stays, and is silent.
    silently: AtomicBool,
    /// Bytes each way until whoever carries the next one is cut off; negative when nobody waits for that.
    until_cut: [AtomicI64; 2],
    seen: [AtomicU64; 3],
}

/// What the proxy has seen and done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Connections taken in.
    pub connections: u64,
    /// Connections that the proxy ended with a reset, those that it refused among them.
    pub resets: u64,
    /// Commits whose question or answer it lost.
    pub commits_lost: u64,
}

/// The proxy; dropping it cuts everybody off.
pub struct Proxy {
    port: u16,
    to: u16,
    desk: Arc<Desk>,
    _end: oneshot::Sender<()>,
}

impl Proxy {
    /// Starts a proxy on a free loopback port for the server at this one.
    pub fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a port for the proxy")?;
        listener.set_nonblocking(true)?;
        let here = listener.local_addr()?.port();
        let desk = Arc::new(Desk {
            rules: watch::Sender::new(Rules::default()),
            questions: AtomicUsize::new(0),
            answers: AtomicUsize::new(0),
            silently: AtomicBool::new(false),
            until_cut: [AtomicI64::new(-1), AtomicI64::new(-1)],
            seen: Default::default(),
        });
        let (end, ended) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = Arc::clone(&desk);
        thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    served = flow::serve(listener, port, serving) => {
                        let error: io::Error = served;
                        eprintln!("the proxy of port {port} has ended: {error}");
                    }
                }
            });
        })?;
        Ok(Self { port: here, to: port, desk, _end: end })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of the server as those write it who shall come through here.
    pub fn instead_of(&self, url: &str) -> String {
        url.replacen(&format!(":{}", self.to), &format!(":{}", self.port), 1)
    }

    /// Sets how one direction is.
    pub fn road(&self, way: Way, road: Road) {
        self.desk.rules.send_modify(|rules| match way {
            Way::Up => rules.up = road,
            Way::Down => rules.down = road,
        });
    }

    /// Both directions are late by so much.
    pub fn slow(&self, delay: Duration) {
        let road = Road { delay, ..Road::default() };
        self.road(Way::Up, road);
        self.road(Way::Down, road);
    }

    /// Nothing arrives at either end, and nobody is told.
    pub fn black_hole(&self) {
        let road = Road { closed: true, ..Road::default() };
        self.road(Way::Up, road);
        self.road(Way::Down, road);
    }

    /// Nothing arrives any more at either end of those connections that there are, and nobody is told; who comes from now on is served.
    pub fn strand(&self) {
        let so_far = self.seen().connections;
        self.desk.rules.send_modify(|rules| rules.stranded = so_far);
    }

    /// Whoever comes from now on is sent away; those who are here stay.
    pub fn refuse(&self) {
        self.desk.rules.send_modify(|rules| rules.refuses = true);
    }

    /// Resets every connection, once.
    pub fn cut(&self) {
        self.desk.rules.send_modify(|rules| rules.age += 1);
    }

    /// Resets, once, the connection that carries the byte after so many more in this direction; what came before arrives.
    pub fn cut_after(&self, way: Way, bytes: u32) {
        self.desk.until_cut[way as usize].store(bytes.into(), Relaxed);
    }

    /// As [`lose_commits`](Self::lose_commits), but that the connections stay: nothing passes there any more, and nobody is told.
    pub fn hush_commits(&self, lost: Lost, many: usize) {
        self.desk.silently.store(true, Relaxed);
        self.lose_commits(lost, many);
    }

    /// Loses this half of the next so many commits, and their connections with it.
    pub fn lose_commits(&self, lost: Lost, many: usize) {
        match lost {
            Lost::Question => self.desk.questions.store(many, Relaxed),
            Lost::Answer => self.desk.answers.store(many, Relaxed),
        }
    }

    /// From here on everything passes as if there were no proxy. What is lost stays lost.
    pub fn heal(&self) {
        self.desk.questions.store(0, Relaxed);
        self.desk.answers.store(0, Relaxed);
        self.desk.silently.store(false, Relaxed);
        self.desk.until_cut.iter().for_each(|left| left.store(-1, Relaxed));
        self.desk.rules.send_modify(|rules| *rules = Rules { age: rules.age, ..Rules::default() });
    }

    /// What it has seen.
    pub fn seen(&self) -> Seen {
        let [connections, resets, commits_lost] = &self.desk.seen;
        Seen {
            connections: connections.load(Relaxed),
            resets: resets.load(Relaxed),
            commits_lost: commits_lost.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
