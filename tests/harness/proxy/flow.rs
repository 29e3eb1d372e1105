//! The traffic of the proxy: two pumps per connection, each obeying the rules as they are when its bytes arrive.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Desk, Rules, Way};

/// `COMMIT` as a client of Postgres sends it: a simple query.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// Pieces that may be on their way; then the sender feels that nothing moves.
const ON_THE_WAY: usize = 64;
const PIECE: usize = 16 * 1024;

/// The connection is to be reset.
struct Reset;

impl From<io::Error> for Reset {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// Takes connections in until the listener fails.
pub(super) async fn serve(listener: std::net::TcpListener, to: u16, desk: Arc<Desk>) -> io::Error {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    loop {
        let client = match listener.accept().await {
            Ok((client, _)) => client,
            Err(error) => return error,
        };
        let [connections, resets, _] = &desk.seen;
        let number = connections.fetch_add(1, Relaxed) + 1;
        if desk.rules.borrow().refuses {
            resets.fetch_add(1, Relaxed);
            let _ = client.set_zero_linger();
            continue;
        }
        tokio::spawn(connection(client, (number, to), Arc::clone(&desk)));
    }
}

async fn connection(mut client: TcpStream, (number, to): (u64, u16), desk: Arc<Desk>) {
    let mut rules = desk.rules.subscribe();
    let age = rules.borrow().age;
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else {
        // Nobody is there: whoever comes hears it as a connection that breaks at once.
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let answer_is_lost = AtomicBool::new(false);
    let ended = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let up = Pump { way: Way::Up, number, desk: &desk, answer_is_lost: &answer_is_lost };
        let down = Pump { way: Way::Down, number, desk: &desk, answer_is_lost: &answer_is_lost };
        // A side that has said all is no reason to break the other off; a side that broke is.
        let both = async { tokio::try_join!(up.run(from_client, to_server), down.run(from_server, to_client)) };
        tokio::select! {
            ended = both => ended.map(drop),
            _ = rules.wait_for(|rules| rules.age != age) => Err(Reset),
        }
    };
    if ended.is_err() {
        desk.seen[1].fetch_add(1, Relaxed);
        // Neither end is to take it for a good-bye.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

/// One direction of one connection.
#[derive(Clone, Copy)]
struct Pump<'a> {
    way: Way,
    /// Which connection, counted from 1.
    number: u64,
    desk: &'a Desk,
    /// A commit has gone up whose answer shall not come down.
    answer_is_lost: &'a AtomicBool,
}

/// Bytes, and when they came.
type Piece = (Instant, Vec<u8>);

impl Pump<'_> {
    async fn run(self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> Result<(), Reset> {
        let (send, receive) = mpsc::channel(ON_THE_WAY);
        tokio::try_join!(self.take_in(from, send), self.hand_on(receive, to)).map(drop)
    }

    async fn take_in(self, mut from: ReadHalf<'_>, send: mpsc::Sender<Piece>) -> Result<(), Reset> {
        let mut buffer = vec![0; PIECE];
        loop {
            let many = from.read(&mut buffer).await?;
            if many == 0 {
                return Ok(());
            }
            let bytes = &buffer[..many];
            match self.way {
                Way::Up if self.heed_commits(bytes) => return Err(self.lost().await),
                Way::Down if self.answer_is_lost.load(Relaxed) => return Err(self.lost().await),
                Way::Up => {}
                Way::Down => {}
            }
            send.send((Instant::now(), bytes.to_vec())).await.map_err(|_| Reset)?;
        }
    }

    /// A commit is a message of its own, sent when the client knows the answer to everything before it.
    ///
    /// True when this is one that shall not arrive.
    fn heed_commits(self, bytes: &[u8]) -> bool {
        if !bytes.windows(COMMIT.len()).any(|window| window == COMMIT) {
            return false;
        }
        let one_less = |left: usize| left.checked_sub(1);
        if self.desk.questions.fetch_update(Relaxed, Relaxed, one_less).is_ok() {
            return true;
        }
        if self.desk.answers.fetch_update(Relaxed, Relaxed, one_less).is_ok() {
            self.answer_is_lost.store(true, Relaxed);
        }
        false
    }

    async fn lost(self) -> Reset {
        self.desk.seen[2].fetch_add(1, Relaxed);
        if self.desk.silently.load(Relaxed) {
            std::future::pending::<()>().await;
        }
        Reset
    }

    async fn hand_on(self, mut pieces: mpsc::Receiver<Piece>, mut to: WriteHalf<'_>) -> Result<(), Reset> {
        let mut rules = self.desk.rules.subscribe();
        while let Some((came, bytes)) = pieces.recv().await {
            let per_second = self.may_pass(&mut rules, came).await;
            let whole = self.before_the_cut(bytes.len());
            to.write_all(&bytes[..whole]).await?;
            if whole < bytes.len() {
                return Err(Reset);
            }
            if per_second > 0 {
                sleep(Duration::from_secs_f64(bytes.len() as f64 / f64::from(per_second))).await;
            }
        }
        Ok(to.shutdown().await?)
    }

    /// Waits until what came then may arrive; hands back how many bytes a second may follow.
    async fn may_pass(self, rules: &mut watch::Receiver<Rules>, came: Instant) -> u32 {
        loop {
            let road = rules.borrow_and_update().road(self.way, self.number);
            let due = came + road.delay;
            if !road.closed && Instant::now() >= due {
                return road.bytes_per_second;
            }
            let change = async {
                // The desk outlives its connections.
                let _ = rules.changed().await;
            };
            match road.closed {
                true => change.await,
                false => tokio::select! {
                    () = change => {}
                    () = sleep_until(due) => {}
                },
            }
        }
    }

    /// How much of so many bytes comes before the place where the connection is to be cut: all of them, as a rule.
    fn before_the_cut(self, bytes: usize) -> usize {
        let left = &self.desk.until_cut[self.way as usize];
        let many = i64::try_from(bytes).unwrap_or(i64::MAX);
        let take = |before: i64| match before {
            before if before < 0 => None,
            before if before < many => Some(-1),
            before => Some(before - many),
        };
        match left.fetch_update(Relaxed, Relaxed, take) {
            Ok(before) if before < many => usize::try_from(before).unwrap_or_default(),
            _ => bytes,
        }
    }
}
