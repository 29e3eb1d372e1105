//! `innkeeper config`: what is in force and from where; what does not fit is refused before anything is opened.

use anyhow::Result;
use harness::program::Finished;
use std::fs;

use super::installation::{Installation, LIMIT};

fn assert_refused(refused: &Finished, says: &str) {
    assert_eq!((refused.code, refused.printed.as_str()), (Some(1), ""));
    assert!(
        refused.complained.starts_with("innkeeper: ") && refused.complained.contains(says),
        "{}",
        refused.complained
    );
}

/// The line of a key: its value and where it comes from.
fn line<'a>(shown: &'a str, key: &str) -> &'a str {
    shown.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap_or_default()
}

#[tokio::test]
async fn every_value_says_where_it_comes_from() -> Result<()> {
    let installation = Installation::embedded()?.with("INNKEEPER_MARKET__TIMERS__HOST_ANSWER_HOURS", "36");
    fs::write(installation.place("innkeeper.toml"), "[api]\nmax_in_flight = 7\n[market.timers]\nquote_minutes = 9\n")?;
    let shown = installation.run("config").await?;
    assert_eq!((shown.code, shown.complained.as_str()), (Some(0), ""));
    let columns = |key: &str| line(&shown.printed, key).split_whitespace().collect::<Vec<_>>().join(" ");
    let file = |printed: &str| printed.lines().next().unwrap_or_default().to_owned();
    let place = fs::canonicalize(installation.place(""))?.join("innkeeper.toml");
    assert_eq!(file(&shown.printed), format!("# file: {}", place.display()));
    assert_eq!(columns("max_in_flight"), "max_in_flight = 7 # file");
    assert_eq!(columns("quote_minutes"), "quote_minutes = 9 # file");
    assert_eq!(columns("host_answer_hours"), "host_answer_hours = 36 # INNKEEPER_MARKET__TIMERS__HOST_ANSWER_HOURS");
    assert_eq!(columns("payment_hold_minutes"), "payment_hold_minutes = 15 # default");
    assert_eq!(columns("data"), r#"data = "data" # --data"#);
    assert!(!installation.place("data").exists(), "looking makes nothing");
    fs::remove_file(installation.place("innkeeper.toml"))?;
    let without = file(&installation.run("config").await?.printed);
    assert_eq!(without, format!("# no file: --config names none, and there is no {}", place.display()));
    Ok(())
}

#[tokio::test]
async fn secrets_come_from_files_and_are_never_shown() -> Result<()> {
    let installation = Installation::embedded()?;
    fs::write(installation.place("url"), "postgres://innkeeper:hunter2@db/innkeeper\n")?;
    let installation = installation
        .with("INNKEEPER_DATABASE__URL_FILE", "url")
        .with("INNKEEPER_REDIS__URL", "redis://:hunter2@redis:6379")
        .with("INNKEEPER_MAIL__PASSWORD", "hunter2");
    let shown = installation.run("config").await?;
    assert_eq!(shown.code, Some(0), "{}", shown.complained);
    assert!(!format!("{shown:?}").contains("hunter2"), "{}", shown.printed);
    let secrets: Vec<_> = shown.printed.lines().filter(|line| line.contains(r#""(set)""#)).collect();
    assert_eq!(secrets.len(), 3, "{secrets:?}");
    assert!(secrets.iter().any(|line| line.ends_with("# INNKEEPER_DATABASE__URL_FILE")), "{secrets:?}");
    Ok(())
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_is_not_repeated() -> Result<()> {
    for file in [
        "[mail]\npassword = hunter2\n",
        "[mail]\npassword = ['hunter2']\n",
        "[redis]\nurl = \"redis://:hunter2@h\" x\n",
        "[database]\nurl = { hunter2 = 'hunter2' }\n",
    ] {
        let installation = Installation::embedded()?;
        fs::write(installation.place("innkeeper.toml"), file)?;
        let refused = installation.run("config").await?;
        assert_eq!(refused.code, Some(1), "{file}");
        assert!(!format!("{refused:?}").contains("hunter2"), "{}", refused.complained);
    }
    for (variable, value) in [
        ("INNKEEPER_DATABASE__URL", "postgres://u:hunter2@localhost:99999/db"),
        ("INNKEEPER_DATABASE__URL", "postgres://u:hunter2@localhost:1/db?sslmode=hunter2"),
        ("INNKEEPER_DATABASE__WRITE_CONNECTIONS", "hunter2"),
        ("INNKEEPER_REDIS__URL", "redis:/hunter2"),
    ] {
        let installation = Installation::embedded()?.with(variable, value);
        for command in ["up", "doctor"] {
            let refused = installation.run(command).await?;
            assert_eq!(refused.code, Some(1), "{variable} {value} {refused:?}");
            assert!(!format!("{refused:?}").contains("hunter2"), "{} {}", refused.complained, refused.printed);
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_refused_by_its_name_wherever_it_stands() -> Result<()> {
    let installation = Installation::embedded()?;
    for (file, says) in [
        ("[databse]\nurl = 'x'", "[databse]"),
        ("[database]\nulr = 'x'", "unknown field `ulr`"),
        ("[market.timers]\nquote_minuts = 3", "unknown field `quote_minuts`"),
        ("listen = 'x'", "outside of any [section]"),
    ] {
        fs::write(installation.place("wrong.toml"), file)?;
        for command in ["config --config wrong.toml", "up --config wrong.toml"] {
            assert_refused(&installation.run(command).await?, says);
        }
    }
    for (variable, says) in [
        ("INNKEEPER_DATABSE__URL", "no section [databse]"),
        ("INNKEEPER_DATABASE__ULR", "unknown field `ulr`"),
        ("INNKEEPER_WORKER__MAIL", "worker.mail"),
        ("INNKEEPER_DATABASE__URL_FILE", "INNKEEPER_DATABASE__URL_FILE"),
    ] {
        let refused = installation.command(["config"])?.env(variable, "no/such").run(LIMIT, "").await?;
        assert_refused(&refused, says);
    }
    assert_refused(&installation.run("config --config nowhere.toml").await?, "nowhere.toml");
    assert!(!installation.place("data").exists());
    Ok(())
}

#[tokio::test]
async fn production_does_not_start_without_the_key_that_seals_all_others() -> Result<()> {
    let installation = Installation::embedded()?.with("INNKEEPER_INSTALLATION__SANDBOX", "false");
    for command in ["up", "api", "worker", "migrate", "config"] {
        assert_refused(&installation.run(command).await?, "INNKEEPER_IDENTITY__KEY_FILE");
    }
    // A key that is named must be there: one that was made in its place would open nothing.
    let installation = installation.with("INNKEEPER_IDENTITY__KEY_FILE", "key");
    assert_refused(&installation.run("up").await?, "read the key of keys");
    assert!(!installation.place("key").exists());
    Ok(())
}
