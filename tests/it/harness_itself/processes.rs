//! A child process is watched, stopped, killed, and never outlives its test.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use harness::program::Program;

const MOMENT: Duration = Duration::from_secs(10);

/// A stand-in that says when it is ready and ends in its own way when asked to.
fn stand_in(script: &str) -> Program {
    Program::at(Path::new("/bin/sh"), "stand-in").args(["-c", script])
}

#[tokio::test]
async fn a_child_is_ready_when_it_says_so_and_stops_when_asked() -> Result<()> {
    let mut child = stand_in("trap 'exit 7' TERM; echo ready on port 4711; while :; do sleep 0.01; done").start()?;
    assert_eq!(child.says(MOMENT, "ready on").await?, "ready on port 4711");
    assert_eq!(child.stop(MOMENT).await?.code(), Some(7));
    Ok(())
}

#[tokio::test]
async fn a_child_that_ends_before_it_is_ready_fails_the_test_with_its_last_words() -> Result<()> {
    let mut child = stand_in("echo no such table >&2; exit 3").start()?;
    let error = format!("{:#}", child.says(MOMENT, "ready").await.expect_err("it never was ready"));
    assert!(error.contains("no such table") && error.contains("exit status: 3"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_killed_child_gets_no_chance_to_say_good_bye() -> Result<()> {
    let mut child = stand_in("trap 'echo good-bye' EXIT TERM; echo ready; while :; do sleep 0.01; done").start()?;
    child.says(MOMENT, "ready").await?;
    let log = child.log().clone();
    child.kill();
    assert_eq!(log.lines(), ["ready"]);
    Ok(())
}

#[tokio::test]
async fn a_child_does_not_inherit_the_callers_environment() -> Result<()> {
    let mut child = stand_in("env; echo done").env("INNKEEPER_SAYS", "hello").start()?;
    child.says(MOMENT, "done").await?;
    let lines = child.log().lines();
    assert!(lines.iter().any(|line| line == "INNKEEPER_SAYS=hello"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("CARGO")), "{lines:?}");
    Ok(())
}

#[tokio::test]
async fn the_product_is_found_or_built() -> Result<()> {
    let mut product = Program::innkeeper()?.args(["--version"]).start()?;
    assert!(product.ended(MOMENT).await?.success());
    Ok(())
}
