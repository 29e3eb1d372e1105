//! Servers of our own are durable, private, and never left behind.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use harness::servers::{Leash, Postgres, Redis, fresh_redis};
use harness::wait;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, Statement};

const MOMENT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_killed_postgres_keeps_what_was_committed() -> Result<()> {
    let mut server = Postgres::start()?;
    let mut options = ConnectOptions::new(server.url());
    let before = Database::connect(options.acquire_timeout(Duration::from_millis(300)).to_owned()).await?;
    let fsync = Statement::from_string(DbBackend::Postgres, "SHOW fsync");
    assert_eq!(before.query_one_raw(fsync).await?.map(|row| row.try_get_by::<String, _>(0)), Some(Ok("on".to_owned())));
    before.execute_unprepared("CREATE TABLE night (n BIGINT)").await?;
    before.execute_unprepared("INSERT INTO night VALUES (1)").await?;

    server.kill();
    assert!(before.execute_unprepared("SELECT 1").await.is_err(), "it was not killed");
    server.start_again()?;

    let after = Database::connect(server.url()).await?;
    assert_eq!(after.execute_unprepared("DELETE FROM night").await?.rows_affected(), 1);
    Ok(())
}

#[tokio::test]
async fn a_redis_of_our_own_can_be_stopped_emptied_and_started_again() -> Result<()> {
    let mut server = Redis::start()?;
    let set = async |url: String| -> Result<u64> {
        let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
        Ok(redis::cmd("INCR").arg("count").query_async(&mut connection).await?)
    };
    assert_eq!(set(server.url()).await?, 1);
    server.stop();
    assert!(set(server.url()).await.is_err(), "it was not stopped");
    server.start_again()?;
    assert_eq!(set(server.url()).await?, 2, "the append-only file is off");
    server.empty()?;
    assert_eq!(set(server.url()).await?, 1);
    Ok(())
}

#[tokio::test]
async fn two_tests_do_not_see_each_others_keys() -> Result<()> {
    let (mine, theirs) = (fresh_redis().await?, fresh_redis().await?);
    let mut here = redis::Client::open(mine)?.get_multiplexed_async_connection().await?;
    let mut there = redis::Client::open(theirs)?.get_multiplexed_async_connection().await?;
    redis::cmd("SET").arg("key").arg("mine").query_async::<()>(&mut here).await?;
    let seen: Option<String> = redis::cmd("GET").arg("key").query_async(&mut there).await?;
    assert_eq!(seen, None);
    Ok(())
}

#[tokio::test]
async fn a_leash_ends_the_process_and_removes_the_folder_of_a_killed_owner() -> Result<()> {
    let place = tempfile::tempdir()?;
    let folder = place.path().join("folder");
    fs::create_dir(&folder)?;
    let mut child = Command::new("sleep").arg("600").process_group(0).stdin(Stdio::null()).spawn()?;
    let leash = Leash::hold(child.id(), "KILL", Some(&folder))?;

    // What the end of our process does: the pipe closes, and nobody says a word.
    drop(leash);

    let ended = wait::until(MOMENT, "the child ends", || std::future::ready(child.try_wait().transpose())).await??;
    assert!(!ended.success());
    wait::until(MOMENT, "its folder goes", || std::future::ready((!folder.exists()).then_some(()))).await
}

#[tokio::test]
async fn a_dropped_server_leaves_neither_process_nor_folder() -> Result<()> {
    let server = Redis::start()?;
    let ours = |name: &str| name.starts_with("innkeeper-redis-");
    let folder = the_folder_of(&server)?;
    assert!(folder.file_name().is_some_and(|name| ours(&name.to_string_lossy())), "{}", folder.display());
    let url = server.url();
    drop(server);
    assert!(redis::Client::open(url)?.get_connection().is_err(), "it still answers");
    assert!(!folder.exists());
    Ok(())
}

/// As Redis itself reports it.
fn the_folder_of(server: &Redis) -> Result<PathBuf> {
    let mut connection = redis::Client::open(server.url())?.get_connection()?;
    let (_, folder): (String, String) = redis::cmd("CONFIG").arg("GET").arg("dir").query(&mut connection)?;
    Ok(Path::new(&folder).to_owned())
}
