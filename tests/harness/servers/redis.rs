//! A private Redis, with its append-only file on as in production.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::owned::{Account, Process, on_a_free_port, tail};
use super::{SmallDisk, find, shared_redis};
use crate::{Port, wait};

const START_UP: Duration = Duration::from_secs(20);
/// Whom the package runs it as.
const USER: &str = "redis";
const PREFIX: &str = "innkeeper-redis-";
const ANSWER: Duration = Duration::from_secs(1);

/// A Redis server of our own; dropping it ends it and removes its files.
pub struct Redis {
    port: u16,
    /// Keeps the port ours while nobody listens there.
    lease: Option<Port>,
    password: String,
    account: Account,
    process: Option<Process>,
    folder: TempDir,
}

impl Redis {
    /// Starts a server on a free loopback port, with its files in a private folder.
    pub fn start() -> Result<Self> {
        Self::begin(Self::new_folder()?)
    }

    /// The same, with its files on this disk.
    pub fn start_on(disk: &SmallDisk) -> Result<Self> {
        let account = Account::unprivileged(USER)?;
        let folder = account.folder_in(&[disk.place().to_owned()], PREFIX)?;
        Self::begin(Self::in_folder(account, folder))
    }

    fn begin(mut server: Self) -> Result<Self> {
        on_a_free_port(|port| {
            server.port = port.number();
            server.lease = Some(port);
            server.start_again()
        })?;
        Ok(server)
    }

    fn new_folder() -> Result<Self> {
        let account = Account::unprivileged(USER)?;
        let folder = account.folder(PREFIX)?;
        Ok(Self::in_folder(account, folder))
    }

    fn in_folder(account: Account, folder: TempDir) -> Self {
        let password = format!("{:032x}", rand::random::<u128>());
        Self { port: 0, lease: None, password, account, process: None, folder }
    }

    /// The URL, without a database's number.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Where it listens, and will listen again.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again on the same files and port after [`Redis::stop`] or [`Redis::kill`]; does nothing while it runs.
    pub fn start_again(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(|process| !process.has_ended()) {
            return Ok(());
        }
        let log = self.folder.path().join("log");
        let mut command = self.account.command(&find::redis_program()?);
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--requirepass", &self.password]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--databases", "1024"]);
        command.arg("--dir").arg(self.folder.path());
        let mut process = Process::start(command, &log, "KILL")?;
        let (port, password) = (self.port, &self.password);
        let answers = wait::blocking(START_UP, || match process.has_ended() {
            true => Some(false),
            // Only our own server knows the password; somebody else's on this port answers with an error.
            false => ask(port, password, "PING").is_ok_and(|answer| answer == "+PONG").then_some(true),
        });
        if answers != Some(true) {
            bail!("Redis did not start on port {port}:\n{}", tail(&log));
        }
        self.process = Some(process);
        Ok(())
    }

    /// Forgets everything, as a failover to an empty replica would.
    pub fn empty(&self) -> Result<()> {
        let answer = ask(self.port, &self.password, "FLUSHALL")?;
        anyhow::ensure!(answer == "+OK", "Redis did not empty itself: {answer}");
        Ok(())
    }

    /// How many keys it has, and how many bytes they and everything else take.
    pub fn size(&self) -> Result<(u64, u64)> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(ANSWER)?;
        let keys = redis::cmd("DBSIZE").query(&mut connection)?;
        let memory: redis::InfoDict = redis::cmd("INFO").arg("memory").query(&mut connection)?;
        Ok((keys, memory.get("used_memory").context("Redis says how much memory it uses")?))
    }

    /// Stops it as an operator would: what it knows is written.
    pub fn stop(&mut self) {
        self.end("TERM");
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut process) = self.process.take() {
            process.end(signal);
        }
    }
}

/// The URL of an empty numbered database of the shared server, for one test alone (until the numbers come round again).
///
/// A test that empties or stops Redis starts its own instead: `FLUSHALL` would reach its neighbours.
pub async fn fresh_redis() -> Result<String> {
    let server = shared_redis()?.trim_end_matches('/');
    let client = redis::Client::open(server).context("read the address of Redis")?;
    let mut connection = client.get_multiplexed_async_connection().await.context("reach the shared Redis")?;
    let (_, databases): (String, u64) =
        redis::cmd("CONFIG").arg("GET").arg("databases").query_async(&mut connection).await?;
    // Number 0 keeps the count, in one place for all processes that share the server.
    let turn: u64 = redis::cmd("INCR").arg("innkeeper:tests").query_async(&mut connection).await?;
    let number = 1 + turn % (databases - 1);
    redis::pipe().cmd("SELECT").arg(number).cmd("FLUSHDB").query_async::<()>(&mut connection).await?;
    Ok(format!("{server}/{number}"))
}

/// One command and the first line of its answer, over a connection of its own.
fn ask(port: u16, password: &str, command: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(format!("AUTH {password}\r\n{command}\r\n").as_bytes())?;
    let mut lines = BufReader::new(stream).lines();
    let granted = lines.next().context("Redis closed the connection")??;
    anyhow::ensure!(granted == "+OK", "Redis refused the password: {granted}");
    lines.next().context("Redis closed the connection")?.map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_where_a_stranger_listens_is_given_up() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut server = Redis::new_folder().unwrap();
        server.port = taken.local_addr().unwrap().port();
        let error = server.start_again().unwrap_err().to_string();
        assert!(error.contains("Address already in use"), "{error}");
    }

    #[test]
    fn another_redis_on_the_port_is_not_mistaken_for_ours() {
        let theirs = Redis::start().unwrap();
        let mut ours = Redis::new_folder().unwrap();
        ours.port = theirs.port;
        assert!(ours.start_again().is_err());
    }
}
