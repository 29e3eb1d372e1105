//! What an operator reads, word for word; that looking changes nothing; and what acting with `--write` does.

use anyhow::{Context, Result};
use chrono::DateTime;
use sea_orm::ConnectionTrait;
use serde_json::Value;

use super::at_rest::{AtRest, redacted};
use super::installation::{Installation, LIMIT};

#[tokio::test]
async fn what_an_operator_reads_of_runs_and_queues() -> Result<()> {
    let there = AtRest::prepare().await?;
    let before = there.content().await?;
    assert!(before["workflow_journal"].len() >= 4, "{before:?}");

    let show = there.says(&format!("workflow show {}", there.booking)).await?;
    let words = show.split(|c: char| !(c.is_ascii_alphanumeric() || "-:.+".contains(c)));
    let instants: Vec<_> = words.filter(|word| DateTime::parse_from_rfc3339(word).is_ok()).collect();
    assert!(instants.len() >= 6 && instants.iter().all(|instant| instant.ends_with('Z')), "{instants:?}");
    insta::assert_snapshot!("workflow_show", redacted(&show));
    let parked = there.says("workflow parked").await?;
    insta::assert_snapshot!("workflow_parked", redacted(&parked));
    insta::assert_snapshot!("queue_list", redacted(&there.says("queue list").await?));
    insta::assert_snapshot!("queue_list_json", redacted(&there.says("queue list --json").await?));
    let listed = there.says("workflow list --workflow booking --state AwaitingHost --open").await?;
    insta::assert_snapshot!("workflow_list", redacted(&listed));
    insta::assert_snapshot!("workflow_census", redacted(&there.says("workflow census").await?));
    insta::assert_snapshot!("workflow_reproject", redacted(&there.says("workflow reproject booking").await?));
    let replay = there.says("workflow replay").await?;
    assert!(replay.contains("0 broken") && !replay.starts_with("0 runs"), "{replay}");
    let cancel = format!("workflow cancel {}", there.booking);
    for (name, words) in [
        ("workflow_replay", "workflow replay"),
        ("workflow_retry", "workflow retry --all"),
        ("workflow_cancel", &cancel),
        ("workflow_pause", "workflow pause booking --why x"),
        ("queue_depth", "queue depth mail"),
        ("queue_pause", "queue pause mail --why x"),
        ("schedule_list", "schedule list"),
        ("schedule_run", "schedule run payouts"),
    ] {
        // What happens every few minutes may have happened by now.
        let said = redacted(&there.says(words).await?).replace("last [instant]", "last -");
        insta::assert_snapshot!(name, said);
    }

    // As it stood between its first two turns.
    let begun =
        show.lines().nth(1).and_then(|line| line.split_whitespace().nth(1)).context("the first turn's instant")?;
    let then = there.says(&format!("workflow show {} --at {begun}", there.booking)).await?;
    insta::assert_snapshot!("workflow_show_at", redacted(&then));
    let then = there.says(&format!("workflow show {} --at {begun} --json", there.booking)).await?;
    let then: Value = serde_json::from_str(&then)?;
    let last = then["turns"].as_array().and_then(|turns| turns.last()).context("it had begun")?;
    for (of_run, of_turn) in [("state", "state"), ("state_name", "to"), ("seq", "seq"), ("updated_at", "at")] {
        assert_eq!(then["run"][of_run], last[of_turn], "{then}");
    }
    assert_ne!(then["run"]["state_name"], "AwaitingHost", "{then}");
    assert_eq!(then["waiting"], Value::Array(vec![]), "{then}");
    let unborn = there.installation.run(&format!("workflow show {} --at 2020-01-01T00:00:00Z", there.booking)).await?;
    assert!(unborn.complained.contains("had not begun"), "{}", unborn.complained);

    // Redis holds nothing that anybody would miss, and its absence is said.
    for (words, says) in
        [(vec!["queue", "list"], "(Redis does not answer"), (vec!["queue", "list", "--json"], "\"waiting\": null")]
    {
        let without = there.installation.command(words)?.env("INNKEEPER_REDIS__URL", "redis://127.0.0.1:1");
        let without = without.run(LIMIT, "").await?;
        assert_eq!(without.code, Some(0), "{}", without.complained);
        assert!(
            without.printed.contains(says) && without.printed.contains("Redis does not answer"),
            "{}",
            without.printed
        );
    }

    // A run by any of its names, and for machines.
    let (_, uuid) = there.booking.split_once('_').context("an id has a prefix")?;
    assert_eq!(there.says(&format!("workflow show run_{uuid}")).await?, show);
    let run: Value = serde_json::from_str(&there.says(&format!("workflow show {} --json", there.booking)).await?)?;
    assert_eq!(run["run"]["state_name"], "AwaitingHost");
    assert_eq!(run["turns"].as_array().map(Vec::len), Some(show.lines().filter(|line| line.contains('→')).count()));
    let listed: Value = serde_json::from_str(&there.says("workflow parked --json").await?)?;
    assert_eq!(listed["data"][0]["last_error"], "the deadline cannot be read");
    assert_eq!(listed["source"], "SQLite data/innkeeper.db");
    let none: Value = serde_json::from_str(&there.says("workflow parked --error-class spent --json").await?)?;
    assert_eq!(none["data"], Value::Array(vec![]));
    let schedules: Value = serde_json::from_str(&there.says("schedule list --json").await?)?;
    assert!(
        schedules["data"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "payouts")),
        "{schedules}"
    );

    // What would act only says so without --write.
    let work = parked.split_whitespace().next().context("parked work has an id")?;
    assert!(there.says(&format!("workflow retry {work}")).await?.contains("say --write"));
    for words in [
        "workflow retry --workflow booking",
        "workflow retry --all",
        "queue pause mail --why x",
        "workflow resume booking",
        "schedule run payouts",
        "schedule pause payouts --why x",
    ] {
        assert!(there.says(words).await?.contains("say --write"), "{words}");
    }
    assert!(there.says(&format!("workflow cancel {}", there.booking)).await?.contains("→ Canceled"));
    for (words, why) in [
        ("workflow retry", "say --all"),
        ("workflow retry --workflow bookings", "there is no workflow"),
        ("schedule run nothing", "there is no schedule"),
        ("queue depth nothing", "there is no queue"),
    ] {
        let refused = there.installation.run(words).await?;
        assert_eq!(refused.code, Some(1), "{words}");
        assert!(refused.complained.contains(why), "{words}: {}", refused.complained);
    }
    let answer = there.installation.run(&format!("workflow resolve {work} --event {{}} --actor olga")).await?;
    assert!(answer.printed.contains("only an effect can be answered for"), "{}", answer.printed);
    // The booking, which can be canceled, or its payment, which cannot.
    let first = there.installation.run("workflow cancel --all --limit 1").await?.printed;
    assert_eq!(first.matches("left     cancel  whatever comes after").count(), 1, "{first}");
    assert!(["cancel 1, refuse 0", "cancel 0, refuse 1"].iter().any(|sum| first.contains(sum)), "{first}");
    assert!(there.says("clock advance 36h").await?.contains("say --write"));
    there.says("clock show").await?;
    there.says("doctor").await?;
    assert!(there.content().await? == before, "looking has changed something");

    let retried = there.says(&format!("workflow retry {work} --write --actor usr_olga")).await?;
    assert!(retried.contains("is due now") && retried.contains("1 done, 0 refused"), "{retried}");
    assert!(there.says("workflow parked").await?.starts_with("Nothing waits for a person."));
    let after = there.content().await?;
    assert!(after != before, "so the comparison above could have failed");
    assert!(after["event_log"].iter().any(|fact| fact.contains("usr_olga")), "who did it is kept");
    let ended = there.says(&format!("workflow cancel {} --write --actor usr_olga", there.booking)).await?;
    assert!(ended.contains("→ Canceled") && ended.contains("1 done"), "{ended}");
    assert!(there.says(&format!("workflow show {}", there.booking)).await?.contains("by usr_olga"));
    Ok(())
}

/// Damage is named where it stands, the rest is shown, and the exit code says that not everything was.
#[tokio::test]
async fn a_damaged_row_does_not_end_a_list() -> Result<()> {
    let there = AtRest::prepare().await?;
    let db = there.database().await?;
    db.execute_unprepared("update workflow_run set unexpected = 'many' where workflow = 'booking'").await?;
    db.execute_unprepared("update workflow_work set due = 'soon' where name = 'HostDeadline'").await?;
    for (words, lines) in [("workflow list", 4), ("workflow parked", 1)] {
        let listed = there.installation.run(words).await?;
        assert_eq!(listed.code, Some(1), "{words}");
        assert_eq!(listed.printed.matches("UNREADABLE").count(), 1, "{}", listed.printed);
        assert!(listed.printed.lines().count() > lines, "{}", listed.printed);
    }
    for (words, says) in
        [("workflow retry --all", "would retry 0"), ("workflow cancel --all", "would cancel 0, refuse 1")]
    {
        let would = there.installation.run(words).await?;
        assert_eq!(would.code, Some(1), "{words}");
        assert_eq!(would.printed.matches("unread  ").count(), 1, "{words}: {}", would.printed);
        assert!(would.printed.contains(says), "{words}: {}", would.printed);
    }
    let replay = there.installation.run("workflow replay").await?;
    assert!(replay.printed.contains("1 runs unreadable") && replay.printed.contains("0 broken"), "{}", replay.printed);
    assert_eq!(replay.code, Some(1));
    db.execute_unprepared("update workflow_run set unexpected = 0, state = '\"Nowhere\"' where workflow = 'booking'")
        .await?;
    let replay = there.installation.run("workflow replay").await?;
    assert!(replay.printed.contains("the run's state is not the one its journal leads to"), "{}", replay.printed);
    there.installation.is_forged();
    Ok(())
}

#[tokio::test]
async fn a_run_that_does_not_exist_is_a_failure_with_its_name() -> Result<()> {
    let installation = Installation::embedded()?;
    let nowhere = installation.run("queue list").await?;
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.complained.contains("there is no data/innkeeper.db"), "{}", nowhere.complained);
    installation.serve("up").await?.stop().await?;
    for (id, says) in [("bkg_01a206b39d0877a5b2459f4e0e46a936", "there is no run"), ("bkg_1", "is no id of ours")] {
        let refused = installation.run(&format!("workflow show {id}")).await?;
        assert_eq!((refused.code, refused.printed.as_str()), (Some(1), ""));
        assert!(refused.complained.contains(says), "{}", refused.complained);
    }
    Ok(())
}
