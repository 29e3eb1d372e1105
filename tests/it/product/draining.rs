//! SIGTERM: balancers are told, running requests end in peace, leases go back, and the exit code is good.

use anyhow::{Context, Result};
use harness::both;
use harness::servers::{fresh_redis, send_signal};
use harness::{Backend, TestDatabase, wait};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::json;
use std::fs;
use std::process::Termination;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::installation::{Installation, LIMIT, Served};

/// How many processes say of themselves that they live.
async fn processes(db: &DatabaseConnection) -> Result<i64> {
    let sql = Statement::from_string(db.get_database_backend(), "select count(*) as n from workflow_process");
    Ok(db.query_one_raw(sql).await?.context("a count has a row")?.try_get("", "n")?)
}

async fn registered(db: &DatabaseConnection, count: i64) -> Result<()> {
    let look = async || processes(db).await.ok().filter(|found| *found == count);
    wait::until(LIMIT, "the list of processes", look).await.map(drop)
}

/// A request whose body is only half sent: it runs for as long as the test likes.
struct Slow {
    connection: TcpStream,
    rest: &'static str,
}

impl Slow {
    async fn begin(url: &str) -> Result<Self> {
        let address = url.trim_start_matches("http://");
        let (begun, rest) = (r#"{"email":"nobody@example.org","#, r#""password":"no password of anybody"}"#);
        let head = format!(
            "POST /login HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            begun.len() + rest.len()
        );
        let mut connection = TcpStream::connect(address).await?;
        connection.write_all(format!("{head}{begun}").as_bytes()).await?;
        Ok(Self { connection, rest })
    }

    async fn end(mut self) -> Result<String> {
        self.connection.write_all(self.rest.as_bytes()).await?;
        let mut answer = String::new();
        self.connection.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

/// Waits until the process counts this many requests that it is answering.
async fn in_flight(served: &Served, count: u32) -> Result<()> {
    let line = format!("innkeeper_http_requests_in_flight {count}\n");
    let look = async || served.exposition().await.ok().filter(|text| text.contains(&line));
    wait::until(LIMIT, &line, look).await.map(drop)
}

#[tokio::test]
async fn a_stop_tells_the_balancer_lets_running_requests_end_and_leaves_no_lease() -> Result<()> {
    let installation = Installation::embedded()?;
    let mut served = installation.serve("up").await?;
    let database = Database::connect(format!("sqlite://{}", installation.data("innkeeper.db").display())).await?;
    assert_eq!(database.get_database_backend(), DbBackend::Sqlite);
    registered(&database, 1).await?;
    let slow = Slow::begin(&served.site.url).await?;
    in_flight(&served, 1).await?;

    send_signal(served.process.pid(), "TERM");
    let told = async || Some(reqwest::get(format!("{}/readyz", served.site.url)).await.ok()?.status().as_u16());
    let refused = async || told().await.filter(|status| *status != 200);
    assert_eq!(wait::until(LIMIT, "a readiness that says no", refused).await?, 503);
    // Nobody comes in any more, and it still waits for the one inside.
    let closed = async || TcpStream::connect(served.site.url.trim_start_matches("http://")).await.err();
    wait::until(LIMIT, "the door to be closed", closed).await?;
    let answer = slow.end().await?;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");

    served.process.says(LIMIT, "draining: nothing new is begun, and what runs has 20 s to end").await?;
    served.process.says(LIMIT, "stopped").await?;
    assert_eq!(served.process.ended(LIMIT).await?.code(), Some(0));
    assert_eq!(processes(&database).await?, 0);
    Ok(())
}

/// Whoever is impatient asks twice, and so do some supervisors: it is the same wish.
#[tokio::test]
async fn a_second_term_neither_hastens_the_end_nor_spoils_it() -> Result<()> {
    let installation = Installation::embedded()?;
    let mut served = installation.serve("up").await?;
    let slow = Slow::begin(&served.site.url).await?;
    in_flight(&served, 1).await?;
    send_signal(served.process.pid(), "TERM");
    served.process.says(LIMIT, "draining").await?;
    for signal in ["TERM", "INT", "TERM"] {
        send_signal(served.process.pid(), signal);
    }
    let answer = slow.end().await?;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    served.process.says(LIMIT, "stopped").await?;
    assert_eq!(served.process.ended(LIMIT).await?.code(), Some(0));
    Ok(())
}

/// A supervisor that has waited long enough kills what is draining: what it held is done by the next process.
#[tokio::test]
async fn what_was_killed_while_it_drained_is_done_by_the_next() -> Result<()> {
    // A mail server that takes every connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let port = silent.local_addr()?.port().to_string();
    let installation = Installation::embedded()?
        .with("INNKEEPER_MAIL__TRANSPORT", "smtp")
        .with("INNKEEPER_MAIL__SECURITY", "plain")
        .with("INNKEEPER_MAIL__HOST", "127.0.0.1")
        .with("INNKEEPER_MAIL__PORT", &port);
    let mut served = installation.serve("up").await?;
    let ann = json!({ "email": "ann@example.org", "password": "correct horse battery staple", "name": "Ann" });
    assert_eq!(served.site.post(None, "/register", &ann).await.status, 202);
    let _held = silent.accept().await?;
    send_signal(served.process.pid(), "TERM");
    served.process.says(LIMIT, "draining").await?;
    served.process.kill();

    let installation = installation.with("INNKEEPER_MAIL__TRANSPORT", "folder");
    let served = installation.serve("up").await?;
    let letters = async || Some(fs::read_dir(installation.data("mail")).ok()?.count()).filter(|count| *count > 0);
    assert_eq!(wait::until(LIMIT, "the letter that was held", letters).await?, 1);
    served.stop().await
}

#[test]
fn a_worker_that_is_stopped_is_gone_from_the_list_at_once_and_one_that_is_killed_is_not() -> impl Termination {
    both::run(Backend::Postgres, worker_ends)
}

async fn worker_ends(db: TestDatabase) -> Result<()> {
    let installation = Installation::embedded()?.with("INNKEEPER_DATABASE__URL", &db.url);
    let installation = installation.with("INNKEEPER_REDIS__URL", &fresh_redis().await?);
    let worker = installation.work().await?;
    registered(&db.connection, 1).await?;
    worker.stop().await?;
    assert_eq!(processes(&db.connection).await?, 0);
    let worker = installation.work().await?;
    registered(&db.connection, 1).await?;
    worker.process.kill();
    assert_eq!(processes(&db.connection).await?, 1, "so the test above could have failed");
    Ok(())
}
