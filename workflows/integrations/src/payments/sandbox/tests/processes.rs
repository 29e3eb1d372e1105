//! Several processes on one file, and `kill -9` among them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const FILE: &str = "SANDBOX_TEST_FILE";
const ROUND: &str = "SANDBOX_TEST_ROUND";

fn key(round: u8, n: u8) -> String {
    format!("round {round} call {n}")
}

#[tokio::test]
#[ignore = "the body of the processes that what_was_acknowledged_survives_kill_9 kills"]
async fn a_process_that_authorizes_until_it_is_killed() {
    let (path, round) = (std::env::var(FILE).unwrap(), std::env::var(ROUND).unwrap().parse().unwrap());
    let gateway = SandboxGateway::open(config_at(path.into())).await.unwrap();
    for n in 0..u8::MAX {
        gateway.authorize(&key(round, n), &request(n, "pm_card_ok")).await.unwrap();
        writeln!(std::io::stdout(), "acknowledged {n}").unwrap();
    }
}

/// Starts a process, waits until it has had `calls` answers, kills it, and returns the last answer it told of.
fn killed_after(path: &std::path::Path, round: u8, calls: u8) -> u8 {
    let body = format!("{}::a_process_that_authorizes_until_it_is_killed", module_path!().split_once("::").unwrap().1);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([&body, "--exact", "--ignored", "--nocapture"])
        .envs([(FILE, path.as_os_str()), (ROUND, round.to_string().as_ref())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answers =
        lines.filter_map(|line| line.unwrap().split_once("acknowledged ").map(|(_, n)| n.parse().unwrap()));
    let last = answers.by_ref().find(|n: &u8| *n + 1 >= calls).expect("the process must live long enough");
    child.kill().unwrap();
    child.wait().unwrap();
    answers.last().unwrap_or(last)
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let world = World::new().await;
    let path = world.folder.path().join("gateway.db");
    for round in 0..4 {
        let path = path.clone();
        let last = tokio::task::spawn_blocking(move || killed_after(&path, round, 5 + round * 3)).await.unwrap();

        for n in 0..=last {
            let found = world.gateway.find(&key(round, n)).await.unwrap();
            assert!(found.is_some(), "round {round}: call {n} was acknowledged and is gone");
        }
        // The process died with at most one call under way: repeating it under its key completes it.
        world.gateway.authorize(&key(round, last + 1), &request(last + 1, "pm_card_ok")).await.unwrap();
    }
    let books = world.gateway.books().await.unwrap();
    assert_eq!(books.intents.len(), books.calls.len(), "every call made one intent and every intent has its call");
    assert!(books.calls.iter().all(|call| call.nth == 1));
}

#[tokio::test]
async fn processes_that_start_together_agree_on_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let openings: Vec<_> = (0..12_u8)
        .map(|n| {
            let config = config_at(folder.path().join("gateway.db"));
            tokio::spawn(async move {
                let gateway = SandboxGateway::open(config).await.unwrap();
                gateway.authorize(&format!("call {n}"), &request(n, "pm_card_ok")).await.unwrap();
            })
        })
        .collect();
    for opening in openings {
        opening.await.unwrap();
    }
    let gateway = SandboxGateway::open(config_at(folder.path().join("gateway.db"))).await.unwrap();
    assert_eq!(gateway.books().await.unwrap().intents.len(), 12);
}

#[tokio::test]
async fn the_file_is_written_through_to_the_disk() {
    let world = World::new().await;
    let read = async |pragma: &'static str| {
        let (value,): (String,) = sqlx::query_as(pragma).fetch_one(world.gateway.file.reader()).await.unwrap();
        value
    };
    assert_eq!(read("SELECT journal_mode FROM pragma_journal_mode").await, "wal");
    assert_eq!(read("SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous").await, "2", "FULL");
}
