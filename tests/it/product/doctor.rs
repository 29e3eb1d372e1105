//! `innkeeper doctor`: what is ill, and how to mend it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Termination;

use anyhow::Result;
use harness::both;
use harness::program::Finished;
use harness::servers::fresh_redis;
use harness::{Backend, TestDatabase};

use super::installation::Installation;

/// A port of the system that no test listens on.
const NOBODY: &str = "127.0.0.1:1";

/// What it says of one dependency, and the advice under it.
fn told<'a>(finished: &'a Finished, name: &str) -> (&'a str, &'a str) {
    let mut lines = finished.printed.lines();
    let found = lines.find(|line| line.split_whitespace().nth(1) == Some(name)).unwrap_or_default();
    (found, lines.next().unwrap_or_default())
}

fn assert_ill(finished: &Finished, name: &str, what: &str, mend: &str) {
    let (found, advice) = told(finished, name);
    assert_eq!(finished.code, Some(1), "{}", finished.printed);
    assert!(found.starts_with("ILL") && found.contains(what), "{}", finished.printed);
    assert!(advice.contains("→") && advice.contains(mend), "{}", finished.printed);
}

#[tokio::test]
async fn the_embedded_default_is_well_before_and_after_its_first_start() -> Result<()> {
    let installation = Installation::embedded()?;
    let before = installation.run("doctor").await?;
    assert_eq!(before.code, Some(0), "{}", before.printed);
    assert!(told(&before, "database").0.contains("will be made at the first start"), "{}", before.printed);
    assert!(!installation.place("data").exists(), "a doctor only looks");

    let served = installation.serve("up").await?;
    for _ in ["while it serves", "after its end"] {
        let well = installation.run("doctor").await?;
        assert_eq!(well.code, Some(0), "{}", well.printed);
        let found: Vec<_> =
            well.printed.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
        assert_eq!(found, ["well", "well", "without", "well", "well", "well", "well", "well"], "{}", well.printed);
    }
    served.stop().await
}

#[tokio::test]
async fn a_market_without_a_gateway_or_an_address_is_ill() -> Result<()> {
    let installation = Installation::embedded()?.with("INNKEEPER_INSTALLATION__SANDBOX", "false");
    fs::write(installation.place("key"), "07".repeat(32))?;
    fs::set_permissions(installation.place("key"), fs::Permissions::from_mode(0o600))?;
    let ill = installation.with("INNKEEPER_IDENTITY__KEY_FILE", "key").run("doctor").await?;
    assert_ill(&ill, "gateway", "no real payment gateway", "installation.sandbox");
    assert_ill(&ill, "address", "identity.public_url", "by which clients reach the API");
    Ok(())
}

#[tokio::test]
async fn servers_that_do_not_answer_are_ill_with_the_setting_to_check() -> Result<()> {
    let installation = Installation::embedded()?
        .with("INNKEEPER_DATABASE__URL", &format!("postgres://innkeeper:hunter2@{NOBODY}/innkeeper"))
        .with("INNKEEPER_REDIS__URL", &format!("redis://:hunter2@{NOBODY}"))
        .with("INNKEEPER_MAIL__TRANSPORT", "smtp")
        .with("INNKEEPER_MAIL__HOST", "127.0.0.1")
        .with("INNKEEPER_MAIL__PORT", "1");
    let ill = installation.run("doctor").await?;
    assert_ill(&ill, "database", "refused", "database.url");
    assert_ill(&ill, "schema", "without a database", "mend the database first");
    assert_ill(&ill, "redis", "refused", "redis.url");
    assert_ill(&ill, "mail", "refused", "mail.host");
    assert!(!format!("{ill:?}").contains("hunter2"), "{}", ill.printed);
    Ok(())
}

#[tokio::test]
async fn a_lost_key_is_ill() -> Result<()> {
    let installation = Installation::embedded()?.with("INNKEEPER_IDENTITY__KEY_FILE", "gone");
    assert_ill(&installation.run("doctor").await?, "key", "gone", "restore the key");
    Ok(())
}

#[test]
fn real_servers_are_well_and_a_wrong_password_is_not() -> impl Termination {
    both::run(Backend::Postgres, real_servers)
}

async fn real_servers(db: TestDatabase) -> Result<()> {
    let redis = fresh_redis().await?;
    let installation = || Installation::embedded().map(|it| it.with("INNKEEPER_REDIS__URL", &redis));
    let well = installation()?.with("INNKEEPER_DATABASE__URL", &db.url).run("doctor").await?;
    assert_eq!(well.code, Some(0), "{}", well.printed);
    for (name, says) in [("database", "Postgres answers"), ("schema", "is this build's"), ("redis", "answers")] {
        let (found, _) = told(&well, name);
        assert!(found.starts_with("well") && found.contains(says), "{}", well.printed);
    }

    let (_, rest) = db.url.split_once('@').expect("the address has a password");
    let stranger = format!("postgres://innkeeper:hunter2@{rest}");
    let ill = installation()?.with("INNKEEPER_DATABASE__URL", &stranger).run("doctor").await?;
    assert_ill(&ill, "database", "password authentication failed", "database.url");

    // An empty database of the same server.
    let (_, rest) = db.url.split_once("//").expect("an address has a scheme");
    let (server, _) = rest.rsplit_once('/').expect("an address has a database");
    let empty = installation()?.with("INNKEEPER_DATABASE__URL", &format!("postgres://{server}/postgres"));
    assert_ill(&empty.run("doctor").await?, "schema", "changes are missing", "innkeeper migrate");
    Ok(())
}
