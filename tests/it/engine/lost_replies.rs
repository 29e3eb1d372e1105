//! A COMMIT that went through without its answer: a wire that swallows exactly that answer, again and again.

use super::toy::{Seat, Theatre, run, terms};
use engine::Origin;
use harness::Backend;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How many callers start runs, each one after the other.
const CALLERS: u128 = 30;
/// How many runs each of them starts.
const ROUNDS: u128 = 5;
/// Every so manieth commit loses its answer.
const EVERY: usize = 4;

#[test]
fn a_commit_whose_answer_is_lost_is_one_turn() {
    harness::both::run(Backend::Postgres, |mut db| async move {
        let wire = Wire::before(&db.url).await;
        db.url.clone_from(&wire.url);
        let theatre = Arc::new(Theatre::open(db).await);
        let callers = (0..CALLERS).map(|caller| {
            let theatre = Arc::clone(&theatre);
            async move {
                for id in caller * ROUNDS..(caller + 1) * ROUNDS {
                    let seat = terms(i64::try_from(id).unwrap());
                    let started =
                        theatre.engine.start::<Seat>(run(id), &format!("k{id}"), &seat, Origin::default()).await;
                    // However often the writer had to try, the caller hears of one turn: its own.
                    assert_eq!(started.unwrap().seq, 0);
                }
            }
        });
        futures::future::join_all(callers).await;
        assert!(wire.swallowed.load(Ordering::Relaxed) > 2, "no answer was lost: the test saw nothing");
        let runs = i64::try_from(CALLERS * ROUNDS).unwrap();
        assert_eq!(theatre.count("select count(*) from workflow_run").await, runs);
        assert_eq!(theatre.count("select count(*) from workflow_journal where seq = 0").await, runs);
        assert_eq!(theatre.count("select count(*) from toy_seat").await, runs);
    });
}

/// A wire to the server that delivers a COMMIT, keeps its answer to itself and hangs up.
struct Wire {
    url: String,
    swallowed: Arc<AtomicUsize>,
}

impl Wire {
    async fn before(url: &str) -> Self {
        let (start, rest) = url.split_once("127.0.0.1:").expect("the tests' server is on loopback");
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let server = format!("127.0.0.1:{}", &rest[..end]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let swallowed = Arc::new(AtomicUsize::new(0));
        let commits = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&swallowed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&commits), Arc::clone(&count)));
            }
        });
        Self { url: format!("{start}127.0.0.1:{port}{}", &rest[end..]), swallowed }
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, commits: Arc<AtomicUsize>, swallowed: Arc<AtomicUsize>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            Ok(n @ 1..) = client.read(&mut asked) => {
                let commit = asked[..n].windows(6).any(|word| word == b"COMMIT");
                server.write_all(&asked[..n]).await.unwrap();
                if commit && commits.fetch_add(1, Ordering::Relaxed) % EVERY == EVERY - 1 {
                    // Its answer proves that it went through; nobody will ever see it.
                    if matches!(server.read(&mut answered).await, Ok(1..)) {
                        swallowed.fetch_add(1, Ordering::Relaxed);
                    }
                    return;
                }
            }
            Ok(n @ 1..) = server.read(&mut answered) => {
                if client.write_all(&answered[..n]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}
