//! `innkeeper demo`: the first thing a newcomer sees.

use std::time::Duration;

use anyhow::{Context, Result};
use harness::program::Finished;
use harness::servers::send_signal;

use super::installation::{Installation, LIMIT};

/// Letters, photographs and three walks of the clock, on a machine that also runs the other tests.
const STORY: Duration = Duration::from_secs(100);

async fn story(installation: &Installation) -> Result<Finished> {
    let temporary = installation.place("temporary");
    std::fs::create_dir(&temporary)?;
    let demo = installation.command(["demo", "--exit", "--homes", "4"])?;
    demo.env("TMPDIR", &temporary).run(STORY, "").await
}

fn assert_nothing_is_left(installation: &Installation, told: &Finished) -> Result<()> {
    let left: Vec<_> = std::fs::read_dir(installation.place("temporary"))?.flatten().map(|file| file.path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let site = told.printed.split_once("serves http://").context("it says where it serves")?.1;
    let address = site.split_whitespace().next().unwrap_or_default();
    assert!(std::net::TcpStream::connect(address).is_err(), "somebody still serves {address}");
    Ok(())
}

/// The lines under this heading, up to the next empty one.
fn under<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let rest = text.split_once(heading).map_or("", |(_, rest)| rest);
    rest.lines().skip(1).map(str::trim).take_while(|line| !line.is_empty()).collect()
}

/// `rev:host_fee  -7.95 EUR` → the account and -795.
fn balance(line: &str) -> Result<(&str, i64)> {
    let mut words = line.split_whitespace();
    let (account, amount) = words.next().zip(words.next()).with_context(|| format!("no balance: {line}"))?;
    Ok((account, amount.replace('.', "").parse()?))
}

#[tokio::test]
async fn the_demo_tells_its_story_to_the_end_and_leaves_nothing_behind() -> Result<()> {
    let installation = Installation::embedded()?;
    let told = story(&installation).await?;
    assert_eq!(told.code, Some(0), "{}\n{}", told.printed, told.complained);

    let timeline = under(&told.printed, "The booking, from first to last");
    let happened: Vec<_> = timeline.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(&happened[..4], ["requested", "payment_authorized", "accepted", "payment_captured"]);
    assert_eq!(happened.last(), Some(&"completed"));

    let books = under(&told.printed, "The ledger's trial balance");
    let balances = books.iter().map(|line| balance(line)).collect::<Result<Vec<_>>>()?;
    let (sum, accounts) = balances.split_last().context("a trial balance has a sum")?;
    assert_eq!(*sum, ("sum", 0));
    assert!(accounts.len() >= 4, "{books:?}");
    assert_eq!(accounts.iter().map(|(_, amount)| amount).sum::<i64>(), 0, "{books:?}");
    assert_nothing_is_left(&installation, &told)
}

#[tokio::test]
async fn a_story_that_breaks_off_is_a_failure_and_leaves_nothing_behind_either() -> Result<()> {
    // An API that has room for nobody turns the first step away.
    let installation = Installation::embedded()?.with("INNKEEPER_API__MAX_IN_FLIGHT", "0");
    let told = story(&installation).await?;
    assert_eq!(told.code, Some(1), "{}", told.printed);
    assert!(told.complained.contains("The story broke off: /register was answered 503"), "{}", told.complained);
    assert_nothing_is_left(&installation, &told)
}

#[tokio::test]
async fn a_demo_that_is_asked_to_end_takes_its_folder_with_it() -> Result<()> {
    let installation = Installation::embedded()?;
    let temporary = installation.place("temporary");
    std::fs::create_dir(&temporary)?;
    let mut demo = installation.command(["demo"])?.env("TMPDIR", &temporary).start()?;
    demo.says(LIMIT, "registered").await?;
    assert_eq!(std::fs::read_dir(&temporary)?.count(), 1);
    send_signal(demo.pid(), "TERM");
    assert_eq!(demo.ended(LIMIT).await?.code(), Some(1), "the story was not told to its end");
    assert_eq!(std::fs::read_dir(&temporary)?.count(), 0);
    Ok(())
}
